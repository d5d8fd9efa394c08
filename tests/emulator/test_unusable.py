"""What the emulator can't use is told in one line, whoever opens it; no traceback, and the file stays as it was."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVE = ("emulator", "serve", "--port", "0")
OPENING = [SERVE, ("plan",), ("apply", "--auto-approve")]


def reconciler(project: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RECONCILER_")}
    return subprocess.run(
        [sys.executable, "-m", "reconciler", "-C", str(project), *words],
        cwd=ROOT,
        env={**inherited, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def the_line(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    assert reconciler(made, "init", "--example").returncode == 0
    return made


@pytest.mark.parametrize("words", OPENING, ids=" ".join)
def test_faults_with_a_slip(project: Path, words: tuple[str, ...]) -> None:
    line = the_line(reconciler(project, *words, RECONCILER_EMULATOR_FAULTS="drop_after@2,drop_afetr@3"))
    assert line.startswith("error: RECONCILER_EMULATOR_FAULTS: 'drop_afetr@3' is not understood: the known names are ")
    assert not (project / ".reconciler" / "emulator.db").exists()


@pytest.mark.parametrize("words", OPENING, ids=" ".join)
def test_a_file_that_is_no_database(project: Path, words: tuple[str, ...]) -> None:
    database = project / ".reconciler" / "emulator.db"
    database.parent.mkdir()
    database.write_text("shopping list " * 100)
    line = the_line(reconciler(project, *words))
    assert line.startswith(f"error: {database} can't be used by the emulator: file is not a database. ")
    assert database.read_text().startswith("shopping list")


def test_the_database_of_somebody_else_is_left_as_it_was(project: Path, tmp_path: Path) -> None:
    database = tmp_path / "accounts.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE accounts (name)")
    connection.close()
    line = the_line(reconciler(project, *SERVE, "--database", str(database)))
    assert "it holds other tables. It was left as it is" in line
    assert "remove" not in line.lower()


def test_a_folder_instead_of_a_file(project: Path, tmp_path: Path) -> None:
    line = the_line(reconciler(project, *SERVE, "--database", str(tmp_path)))
    assert line == f"error: The emulator can't keep its runs in {tmp_path}: Is a directory."


@pytest.mark.parametrize("words", OPENING, ids=" ".join)
def test_a_file_where_a_folder_has_to_be(project: Path, words: tuple[str, ...]) -> None:
    (project / ".reconciler").write_text("")
    line = the_line(reconciler(project, *words))
    assert line.startswith("error: ")
    assert ".reconciler" in line


def test_a_project_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    assert the_line(reconciler(absent, *SERVE)) == f"error: There is no folder {absent}."
    assert not absent.exists()
