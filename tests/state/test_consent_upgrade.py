"""States that were made before there were approvals and suspensions: as the older migrations made and filled them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Migrations

from state.errors import StateOutdated
from state.postgres import migrations as postgres_migrations
from state.postgres.store import open_postgres
from state.records import (
    ApplyRecord,
    ApprovalRecord,
    BaselineRecord,
    MarkRecord,
    OwedRecord,
    Phase,
    PlanActionRecord,
    SpecRecord,
    SuspensionRecord,
)
from state.sqlite import connection, migrations
from state.sqlite.store import open_sqlite
from state.store import Store
from state.writes import Put, Write
from tests.state.samples import T0, T1, T2, URL, attempt, event, instance

FILLED: list[Write] = [
    Put(ApplyRecord("p1", "apply", T0, "ada", "laptop", "plan", "sha256:1", "abc", True, "main")),
    Put(attempt("a1", "run.x", phase=Phase.ACCEPTED, run_id="r1", status="SUCCEEDED", total_cost=1.5, prepared_at=T1)),
    Put(instance("run.x", "a1")),
    Put(attempt("a2", "run.y", phase=Phase.UNKNOWN, prepared_at=T2, baseline_id="b1")),
    Put(BaselineRecord("b1", T1, T1, "[]", "[]", None)),
    Put(OwedRecord("r0", "run.x", "replaced", T0)),
    Put(PlanActionRecord("plan:1", "plan", "1", "run.x", "a1", T1)),
    Put(SpecRecord("s", "name", False, 3, "c", T0)),
    Put(MarkRecord("untracked", "passed", T0)),
    Put(event("e1", "run.x")),
]


def everything(store: Store) -> list[object]:
    return [
        store.snapshot(), store.attempts(), store.events(), store.journal(), store.applies(["p1"]),
        store.baseline("b1"), store.plan_actions("plan"), store.newest_runs(9), store.history(),
    ]  # fmt: skip


def fill(store: Store) -> list[object]:
    store.commit(FILLED)
    found = everything(store)
    store.close()
    return found


def check(store: Store, before: list[object]) -> None:
    """All is there as it was, and consent can be recorded."""
    with closing(store):
        now_is, was = everything(store), list(before)
        for seen in (now_is, was):
            seen[0] = seen[0].instances, seen[0].current, seen[0].open, seen[0].owed, seen[0].marks, seen[0].meta.serial  # type: ignore[attr-defined]
        assert now_is == was
        assert (store.approvals(), store.suspensions()) == ([], [])
        assert [one.attempt_id for one in store.bought_since(T1)] == ["a1", "a2"]
        approval, suspension = (
            ApprovalRecord("sha256:1", T0, "ada", "desk"),
            SuspensionRecord("", T0, "ada", "desk", "r"),
        )
        store.commit([Put(approval), Put(suspension)])
        assert (store.approvals(), store.suspensions()) == ([approval], [suspension])


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Only the migrations of before, until what is returned is called."""
    with monkeypatch.context() as before:
        three = Migrations("reconciler.state")
        three(name="0001_tables")(migrations.tables)
        three(name="0002_marks_and_epoch")(migrations.marks_and_epoch)
        three(name="0003_branch")(migrations.branch)
        before.setattr(migrations, "MIGRATIONS", three)
        for module in (connection, migrations):
            before.setattr(module, "SCHEMA_VERSION", 3)
        before.setattr(postgres_migrations, "MIGRATIONS", postgres_migrations.MIGRATIONS[:2])
        for module_name in ("access", "store"):
            before.setattr(f"state.postgres.{module_name}.SCHEMA_VERSION", 2)
        yield before.undo


def test_in_sqlite(tmp_path: Path, older: Callable[[], None]) -> None:
    path = tmp_path / "state.db"
    before = fill(open_sqlite(path, base_url=URL, create=True))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (3,)
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'approvals'").fetchone() == (0,)
    older()
    with pytest.raises(StateOutdated, match="older version 3"):
        open_sqlite(path, base_url=URL, read_only=True)
    check(open_sqlite(path, base_url=URL), before)
    open_sqlite(path, base_url=URL, read_only=True).close()


def test_in_postgresql_for_every_workspace_at_once(database: str, older: Callable[[], None]) -> None:
    before = [fill(open_postgres(database, base_url=URL, workspace=name, create=True)) for name in ("one", "two")]
    older()
    with pytest.raises(StateOutdated, match="version 2"):
        open_postgres(database, base_url=URL, workspace="one", read_only=True)
    for name, was in zip(("one", "two"), before, strict=True):
        check(open_postgres(database, base_url=URL, workspace=name), was)
