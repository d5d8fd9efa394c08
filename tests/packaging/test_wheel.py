"""The wheel and the sdist, installed where no file of the repository is present."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.timeout(600)  # building and installing fetch from the registry

ROOT = Path(__file__).parent.parent.parent
NEEDED = (
    "reconciler/__main__.py",
    "reconciler/py.typed",
    "reconciler/cli/templates/project.toml",
    "reconciler/cli/templates/example.toml",
    "reconciler/dataframer/catalogue.json",
    "reconciler/dataframer/emulator/models.json",
    "state/py.typed",
    "state/sqlite/store.py",
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
    names = members(wheel)
    assert [name for name in NEEDED if name not in names] == []
    assert any(name.endswith("licenses/LICENSE") for name in names)
    strangers = {name.partition("/")[0] for name in names} - {"reconciler", "state"}
    assert all(name.startswith("reconciler-") and name.endswith(".dist-info") for name in strangers)


def test_the_sdist_builds_the_wheel_of_the_repository(built: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT, cwd=tmp_path)
    (theirs,), (ours,) = built.glob("*.whl"), tmp_path.glob("*.whl")
    assert theirs.name == ours.name
    assert members(theirs) == members(ours)


def members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


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

    def reconciler(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run(command, *words, cwd=project, check=check, HOME=str(home), XDG_DATA_HOME=str(home / "data"))

    where = run(python, "-c", "import reconciler, state; print(reconciler.__file__, state.__file__)", cwd=project)
    assert where.stdout.count(str(home / "venv")) == 2
    assert re.match(r"reconciler, version \d", reconciler("--version").stdout)
    assert run(python, "-m", "reconciler", "version", cwd=project).stdout.startswith("reconciler ")
    reconciler("init", "--example")
    assert reconciler("plan", "--detailed-exitcode", check=False).returncode == 2
    assert "Apply complete: 3 created. 3 succeeded." in reconciler("apply", "--auto-approve").stdout
    assert reconciler("plan", "--detailed-exitcode").stdout == "No changes. 3 runs are as declared.\n"
    assert completed_by_bash(command, "reconciler pl", home) == ["plan"]
    assert "serve" in completed_by_bash(command, "reconciler emulator s", home)


def completed_by_bash(command: Path, typed: str, home: Path) -> list[str]:
    """What a real bash offers for a line, with the documented set-up."""
    words = typed.split()
    script = f"""
        eval "$(_RECONCILER_COMPLETE=bash_source reconciler)"
        COMP_WORDS=({typed}) COMP_CWORD={len(words) - 1}
        _reconciler_completion reconciler
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    return run("bash", "-euc", script, cwd=home, PATH=path, HOME=str(home)).stdout.split()


def test_the_container_file_copies_what_the_build_needs() -> None:
    lines = [line.partition(" ") for line in (ROOT / "Containerfile").read_text("utf-8").splitlines()]
    steps = [(word, rest.strip()) for word, _, rest in lines if word and word != "#"]
    copies = [rest.split() for word, rest in steps if word == "COPY"]
    sources = {name for words in copies for name in words[:-1]}
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    needed = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    assert sources == needed | set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert [name for name in sources if not (ROOT / name).exists()] == []
    # The contents of a folder are copied, not the folder: its name must stand in the target.
    assert [words for words in copies if (ROOT / words[0]).is_dir() and Path(words[-1]).name != words[0]] == []
    assert steps[0] == ("FROM", "python:3.13-slim")
    assert steps[-1] == ("ENTRYPOINT", '["reconciler"]')
    words = [word for word, _ in steps]
    assert words.index("COPY") < words.index("RUN") < words.index("USER")
    (user,) = [rest for word, rest in steps if word == "USER"]
    assert user != "root"
    assert re.search(rf"useradd .*--create-home {user}$", next(rest for word, rest in steps if word == "RUN"))


def test_the_pre_commit_hooks_run(tmp_path: Path) -> None:
    validating, formatting = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert (validating["entry"], formatting["entry"]) == ("reconciler validate", "reconciler fmt")
    for hook in (validating, formatting):
        for name, chosen in [("reconciler.toml", True), ("a/runs/b/c.toml", True), ("pyproject.toml", False)]:
            assert bool(re.search(hook["files"], name)) is chosen
    command = [sys.executable, "-m", *validating["entry"].split()]
    path = str(ROOT)
    assert run(*command, cwd=ROOT / "examples" / "quickstart", PYTHONPATH=path).returncode == 0
    (tmp_path / "reconciler.toml").write_text("[rum.a]\nb=1\n", "utf-8")
    assert run(*command, cwd=tmp_path, check=False, PYTHONPATH=path).returncode == 1
    run(sys.executable, "-m", *formatting["entry"].split(), "reconciler.toml", cwd=tmp_path, PYTHONPATH=path)
    assert (tmp_path / "reconciler.toml").read_text("utf-8") == "[rum.a]\nb = 1\n"


def complete(shell: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command as a shell calls it for completion, with the imports listed on standard error."""
    command = [sys.executable, "-X", "importtime", "-c", "from reconciler.cli.main import main; main()"]
    return run(*command, cwd=ROOT, check=False, PYTHONPATH=str(ROOT), _RECONCILER_COMPLETE=shell, **variables)


@pytest.mark.parametrize("typed", ["reconciler pl", "reconciler plan --det", "reconciler emulator "])
def test_completion_imports_no_heavy_library(typed: str) -> None:
    done = complete("bash_complete", COMP_WORDS=typed, COMP_CWORD=str(typed.count(" ")))
    offered = [line.removeprefix("plain,") for line in done.stdout.split()]
    assert offered == {"pl": ["plan"], "--det": ["--detailed-exitcode"], "": ["serve"]}[typed.split(" ")[-1]]
    assert "click" in done.stderr
    assert not re.search(r"\| +(pydantic|httpx|rich|sqlite_utils|deepdiff|tomlkit)\n", done.stderr)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_of_the_page_gets_its_script(shell: str) -> None:
    assert f"_RECONCILER_COMPLETE={shell}_source reconciler" in (ROOT / "docs" / "completion.md").read_text("utf-8")
    assert f"_RECONCILER_COMPLETE={shell}_complete" in complete(f"{shell}_source").stdout
