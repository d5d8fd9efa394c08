"""Links lead somewhere, the command reference is the commands' own, the examples work."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.config.variables import Given
from reconciler.project import check_project
from tests.docs.commands import PAGE, commands, reference
from tests.docs.tutorial import ROOT, Shell

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").rglob("reconciler.toml"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    names = [page.relative_to(ROOT / "docs").as_posix() for page in PAGES[1:] if page.name != "README.md"]
    assert [name for name in names if f"({name})" not in index] == []


def test_the_command_reference_is_what_the_commands_say() -> None:
    assert PAGE.read_text("utf-8") == reference()


def test_every_command_has_an_example() -> None:
    paths = {path: command for path, command in commands() if not hasattr(command, "list_commands")}
    assert [path for path, command in paths.items() if f"  {path}" not in (command.help or "")] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_every_example_is_valid(example: Path) -> None:
    command = [sys.executable, "-m", "reconciler", "-C", str(example), "validate"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("environment", "runs", "last"), [(None, 8, 100), ("large", 55, 200)])
def test_the_sweep_has_an_environment_that_is_larger(environment: str | None, runs: int, last: int) -> None:
    desired = check_project(ROOT / "examples" / "sweep", {}, Given(environment))
    assert desired.valid, desired.diagnostics
    assert len(desired.instances) == runs
    assert desired.instances[-1].request.samples == last
    assert len(desired.instances[-1].depends_on) == 5


def test_the_quickstart_and_the_built_in_example_are_the_same() -> None:
    quickstart = ROOT / "examples" / "quickstart" / "reconciler.toml"
    template = ROOT / "reconciler" / "cli" / "templates" / "example.toml"
    assert quickstart.read_text("utf-8") == template.read_text("utf-8")


def test_the_quickstart_runs(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    project = tmp_path / "home" / "quickstart"
    shutil.copytree(ROOT / "examples" / "quickstart", project, ignore=shutil.ignore_patterns(".reconciler"))
    assert "3 succeeded" in shell.run(f"cd '{project}' && reconciler apply --auto-approve")
    assert shell.run("reconciler plan") == "No changes. 3 runs are as declared.\n"
    assert "3 runs fetched (33 files" in shell.run("reconciler download")
    assert "3 were there already" in shell.run("reconciler download")
