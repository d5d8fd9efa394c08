"""Which state a controller works with, and that it keeps to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.project import Project, read_project
from reconciler.watching.election import Memory, lead
from state.errors import StateMissing, StateOutdated
from state.sqlite import connection


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "reconciler.toml").write_text('[api]\nbase_url = "emulator"\n')
    return read_project(tmp_path, {})


def test_a_report_upgrades_no_state(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.open_state(create=True).close()
    monkeypatch.setattr(connection, "SCHEMA_VERSION", connection.SCHEMA_VERSION + 1)
    with pytest.raises(StateOutdated):
        lead(project, create=False)
    with closing(sqlite3.connect(project.root / ".reconciler" / "emulator" / "state.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (connection.SCHEMA_VERSION - 1,)


def test_a_report_without_a_state_makes_none(project: Project) -> None:
    found = lead(project, create=False)
    assert found is not None
    assert found.holds(project)
    assert not (project.root / ".reconciler").exists()
    project.open_state(create=True).close()
    assert not found.holds(project)


def test_another_state_in_the_same_place_is_not_worked_with(project: Project, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory")
    first = lead(project, create=True, memory=memory)
    assert first is not None
    for left in (project.root / ".reconciler" / "emulator").glob("state.db*"):
        if left.suffix != ".leader":
            left.unlink()
    with pytest.raises(StateMissing, match="is gone"):
        first.holds(project)
    project.open_state(create=True).close()
    with pytest.raises(StateMissing, match="another one is in its place"):
        first.holds(project)
    first.close()
    with pytest.raises(StateMissing, match="another one is in its place") as raised:
        lead(project, create=True, memory=memory)
    assert str(memory.file) in str(raised.value)
    memory.file.unlink()
    second = lead(project, create=True, memory=memory)
    assert second is not None
    assert second.holds(project)
    second.close()
