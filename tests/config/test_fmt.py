"""``fmt``: which files it takes, what it writes and what it leaves, and what it says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reconciler.cli.main import cli
from reconciler.cli.session import Session
from reconciler.config import rewrite as module
from reconciler.config.canonical import WouldChange

UGLY, FINE = "[api]\nbase_url  =  'emulator'\n", "[api]\nbase_url = 'emulator'\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "runs" / "deep").mkdir(parents=True)
    (tmp_path / "environments").mkdir()
    (tmp_path / "reconciler.toml").write_text(FINE)
    return tmp_path


def run(project: Path, *args: str, data: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["-C", str(project), "fmt", *args], obj=Session(), input=data)


def test_every_file_of_the_project_and_no_other(project: Path) -> None:
    ours = ["environments/ci.toml", "reconciler.toml", "runs/a.toml", "runs/deep/b.toml"]
    others = ["other.toml", "runs/notes.txt", "environments/ci.yaml"]
    for name in (*ours, *others):
        (project / name).write_text(UGLY)
    done = run(project)
    assert (done.exit_code, sorted(done.stdout.split()), done.stderr) == (0, ours, "")
    assert {(project / name).read_text() for name in ours} == {FINE}
    assert {(project / name).read_text() for name in others} == {UGLY}
    again = run(project)
    assert (again.exit_code, again.output) == (0, "")


def test_a_file_that_is_fine_is_not_touched(project: Path) -> None:
    before = (project / "reconciler.toml").stat()
    assert run(project).output == ""
    after = (project / "reconciler.toml").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_mode_stays_and_nothing_is_left_behind(project: Path) -> None:
    path = project / "runs" / "a.toml"
    path.write_text(UGLY)
    path.chmod(0o640)
    assert run(project).stdout == "runs/a.toml\n"
    assert path.stat().st_mode & 0o7777 == 0o640
    assert sorted(os.listdir(project / "runs")) == ["a.toml", "deep"]


def test_a_link_stays_one_and_its_target_is_written(project: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared.toml"
    shared.write_text(UGLY)
    link = project / "runs" / "a.toml"
    link.symlink_to("../shared.toml")
    assert run(project).stdout == "runs/a.toml\n"
    assert link.is_symlink()
    assert shared.read_text() == FINE


def test_check_names_and_writes_nothing(project: Path) -> None:
    (project / "runs" / "a.toml").write_text(UGLY)
    done = run(project, "--check")
    assert (done.exit_code, done.stdout) == (1, "runs/a.toml\n")
    assert (project / "runs" / "a.toml").read_text() == UGLY
    (project / "runs" / "a.toml").write_text(FINE)
    assert (run(project, "--check").exit_code, run(project, "--check").output) == (0, "")


DIFF = """\
--- a/runs/a.toml
+++ b/runs/a.toml
@@ -1,2 +1,2 @@
 [api]
-base_url  =  'emulator'
+base_url = 'emulator'
"""


def test_diff_shows_and_writes_and_with_check_only_shows(project: Path) -> None:
    path = project / "runs" / "a.toml"
    path.write_text(UGLY)
    done = run(project, "--check", "--diff")
    assert (done.exit_code, done.stdout, path.read_text()) == (1, DIFF, UGLY)
    done = run(project, "--diff")
    assert (done.exit_code, done.stdout, path.read_text()) == (0, DIFF, FINE)


def test_a_diff_of_a_text_without_a_last_new_line(project: Path) -> None:
    (project / "runs" / "a.toml").write_text("a = '\u2028'")
    shown = run(project, "--diff").stdout
    assert shown.split("\n")[3:] == ["-a = '\u2028'", "\\ No newline at end of file", "+a = '\u2028'", ""]
    assert (project / "runs" / "a.toml").read_text() == "a = '\u2028'\n"


def test_what_is_no_toml_is_told_and_left_and_the_others_are_written(project: Path) -> None:
    (project / "runs" / "a.toml").write_text("[run.a]\nspec = \n")
    (project / "runs" / "b.toml").write_bytes(b"a = '\xfc'\n")
    (project / "runs" / "c.toml").write_text(UGLY)
    done = run(project)
    assert (done.exit_code, done.stdout) == (1, "runs/c.toml\n")
    assert "runs/a.toml:2:8: error: This is not valid TOML" in done.stderr
    assert "runs/b.toml:1:6: error: The file is not UTF-8" in done.stderr
    assert (project / "runs" / "a.toml").read_text() == "[run.a]\nspec = \n"
    assert (project / "runs" / "c.toml").read_text() == FINE


@pytest.mark.parametrize(("said", "shown"), [((), "bug in reconciler"), (("Empty key",), "can't read it: Empty key")])
def test_what_would_not_say_the_same_is_left(
    said: tuple[str, ...], shown: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(text: str) -> str:
        raise WouldChange(*said)

    monkeypatch.setattr(module, "canonical", fail)
    (project / "reconciler.toml").write_text(UGLY)
    done = run(project)
    assert done.exit_code == 1
    assert "reconciler.toml:1:1: error: Not formatted" in done.stderr
    assert shown in " ".join(done.stderr.split())
    assert (project / "reconciler.toml").read_text() == UGLY


def test_a_file_that_would_take_too_long_is_left(project: Path) -> None:
    text = UGLY + "# x\n" * (module.MAX_BYTES // 4)
    (project / "reconciler.toml").write_text(text)
    (project / "runs" / "a.toml").write_text(UGLY)
    done = run(project)
    assert (done.exit_code, done.stdout) == (1, "runs/a.toml\n")
    assert "It has more than 4 MiB" in done.stderr
    assert (project / "reconciler.toml").read_text() == text


def test_what_changed_meanwhile_is_left(project: Path) -> None:
    path = project / "reconciler.toml"
    path.write_text(UGLY)
    item = module.file_rewriting(path, "reconciler.toml")
    assert isinstance(item, module.Rewriting)
    path.write_text("# newer\n")
    problem = module.rewrite(item)
    assert problem is not None
    assert "somebody else" in problem.detail
    assert path.read_text() == "# newer\n"


def test_a_file_that_may_not_be_written_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project / "reconciler.toml"
    path.write_text(UGLY)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everything
    done = run(project)
    assert done.exit_code == 1
    assert "Permission denied" in done.stderr
    assert path.read_text() == UGLY


def test_no_project(tmp_path: Path) -> None:
    assert "No project here" in str(run(tmp_path).exception)


def test_named_files(project: Path) -> None:
    inside, outside = project / "runs" / "a.toml", project / "other.toml"
    for path in (inside, outside):
        path.write_text(UGLY)
    done = run(project, str(outside), str(project / "none.toml"))
    assert (done.exit_code, done.stdout) == (1, f"{outside}\n")
    assert "none.toml:1:1: error: The file can't be read" in done.stderr
    assert (inside.read_text(), outside.read_text()) == (UGLY, FINE)


# What is given, options, exit code, what comes out.
STANDARD_INPUT = {
    "formatted": (UGLY.encode(), [], 0, FINE),
    "as it is": (FINE.encode(), [], 0, FINE),
    "tabs and invisible characters": ("a='\t\u200b'".encode(), [], 0, "a = '\t\u200b'\n"),
    "empty": (b"", [], 0, ""),
    "checked": (UGLY.encode(), ["--check"], 1, "<stdin>\n"),
    "checked and fine": (FINE.encode(), ["--check"], 0, ""),
    "no TOML": (b"a =\n", [], 1, ""),
    "beside a file": (b"", ["x.toml"], 2, ""),
    "shown and written": (b"", ["--diff"], 2, ""),
}


@pytest.mark.parametrize(("given", "options", "code", "out"), STANDARD_INPUT.values(), ids=STANDARD_INPUT)
def test_standard_input(project: Path, given: bytes, options: list[str], code: int, out: str) -> None:
    done = run(project, "-", *options, data=given)
    assert (done.exit_code, done.stdout) == (code, out)
    assert (done.stderr != "") == (code != 0 and not out)
