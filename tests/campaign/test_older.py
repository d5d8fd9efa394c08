"""The older state that kills fall on is one: it is refused for reading, and upgraded by an apply without a change."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.acceptance.project import Project, run, said
from tests.campaign.older import make_older
from tests.service import FakeService


def test_an_older_state_is_upgraded_with_its_rows(tmp_path: Path) -> None:
    with FakeService() as service:
        project = Project(tmp_path, service.url)
        project.declare(run("a"))
        project.apply()
        database = project.root / ".reconciler" / "state.db"
        before = project.output()
        make_older(database)
        with closing(sqlite3.connect(database)) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (1,)
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert "older version 1" in said(project.expect(1, "plan"))
        assert "No changes." in project.apply().stdout
        assert project.output() == before
        assert len(service.creates) == 1
