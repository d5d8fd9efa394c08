"""The wheel and the sdist, installed where no file of the repository is present."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
NEEDED = (
    "reconciler/__main__.py",
    "reconciler/py.typed",
    "reconciler/cli/templates/project.toml",
    "reconciler/cli/templates/example.toml",
    "reconciler/dataframer/catalogue.json",
    "reconciler/dataframer/emulator/models.json",
    "state/py.typed",
    "state/sqlite.py",
)


def run(*command: str | Path, cwd: Path, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "RECONCILER_"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=check,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", out, ROOT, cwd=out)
    return out


def test_the_wheel_holds_everything_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in NEEDED if name not in names] == []
    assert any(name.endswith("licenses/LICENSE") for name in names)
    strangers = {name.partition("/")[0] for name in names} - {"reconciler", "state"}
    assert all(name.startswith("reconciler-") and name.endswith(".dist-info") for name in strangers)


def test_the_sdist_holds_docs_and_examples(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = [name.partition("/")[2] for name in opened.getnames()]
    for name in ("README.md", "LICENSE", "CHANGELOG.md", "Makefile", "docs/architecture.md"):
        assert name in names
    assert not any("/.reconciler" in name or name.endswith(".db") for name in names)


def test_the_main_job_works_from_the_installed_wheel(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    home = tmp_path / "a new machine"
    venv.create(home / "venv", with_pip=True)
    python, command = home / "venv" / "bin" / "python", home / "venv" / "bin" / "reconciler"
    run(python, "-m", "pip", "install", "--quiet", wheel, cwd=home)
    project = home / "my runs"
    project.mkdir()
    assert re.match(r"reconciler, version \d", run(python, "-m", "reconciler", "--version", cwd=project).stdout)
    assert run(python, "-m", "reconciler", "version", cwd=project).stdout.startswith("reconciler ")
    run(python, "-m", "reconciler", "init", "--example", cwd=project)
    assert "Plan: 3 to create." in run(python, "-m", "reconciler", "plan", cwd=project).stdout
    applied = run(python, "-m", "reconciler", "apply", "--auto-approve", cwd=project)
    assert "Apply complete: 3 created. 3 succeeded." in applied.stdout
    assert run(python, "-m", "reconciler", "plan", "--detailed-exitcode", cwd=project).returncode == 0
    assert command.exists()


def test_the_container_file_copies_what_exists() -> None:
    lines = (ROOT / "Containerfile").read_text("utf-8").splitlines()
    sources = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    assert {"pyproject.toml", "reconciler", "state"} <= set(sources)
    assert [name for name in sources if not (ROOT / name).exists()] == []
    assert any(line.startswith("USER ") for line in lines)


def test_the_pre_commit_hook_runs(tmp_path: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert hook["entry"] == "reconciler validate"
    for name, chosen in [("reconciler.toml", True), ("a/runs/b/c.toml", True), ("pyproject.toml", False)]:
        assert bool(re.search(hook["files"], name)) is chosen
    words = hook["entry"].split()[1:]
    command = [sys.executable, "-m", "reconciler", *words]
    path = str(ROOT)
    assert run(*command, cwd=ROOT / "examples" / "quickstart", PYTHONPATH=path).returncode == 0
    (tmp_path / "reconciler.toml").write_text("[rum.a]\n", "utf-8")
    assert run(*command, cwd=tmp_path, check=False, PYTHONPATH=path).returncode == 1


def test_completion_knows_the_commands_and_stays_quick() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "from reconciler.cli.main import main; main()"]
    done = run(
        *command,
        cwd=ROOT,
        check=False,
        _RECONCILER_COMPLETE="bash_complete",
        COMP_WORDS="reconciler pl",
        COMP_CWORD="1",
        PYTHONPATH=str(ROOT),
    )
    assert done.stdout.strip().endswith("plan")
    assert not re.search(r"\| +(pydantic|httpx|rich|sqlite_utils|deepdiff)\n", done.stderr)
    source = run(
        *command[:1], "-c", command[-1], cwd=ROOT, check=False, _RECONCILER_COMPLETE="bash_source", PYTHONPATH=str(ROOT)
    )
    assert "_RECONCILER_COMPLETE=bash_complete" in source.stdout
