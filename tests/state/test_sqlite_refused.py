"""A database that can't be used is refused, and its bytes stay as they are."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from state.errors import StateBusy, StateCorrupt, StateForeign, StateMissing, StateNewer, StateOutdated, StateUnwritable
from state.sqlite.connection import SCHEMA_VERSION
from state.sqlite.store import SqliteStore
from state.writes import Put
from tests.state.samples import attempt, event, instance, run, traces

Opened = Callable[..., SqliteStore]
READ_ONLY = pytest.mark.parametrize("read_only", [False, True])


def filled(opened: Opened) -> None:
    store = opened()
    store.commit([Put(attempt(f"a{n}", f"run.{n}")) for n in range(500)])
    store.close()


def set_version(path: Path, number: int) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {number}")


@READ_ONLY
def test_a_newer_one(path: Path, opened: Opened, read_only: bool) -> None:
    filled(opened)
    set_version(path, 99)
    before = traces(path.parent)
    with pytest.raises(StateNewer, match="99"):
        opened(read_only=read_only)
    assert traces(path.parent) == before


def test_a_newer_one_whose_writer_was_killed(path: Path) -> None:
    code = """
import os, signal
from pathlib import Path
from state.sqlite.store import open_sqlite
store = open_sqlite(Path(sys.argv[1]), base_url="https://service.example", create=True)
store._connection.execute("PRAGMA user_version = 99")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run(code, path).returncode == -9
    before = traces(path.parent)
    assert before["state.db-wal"]
    from state.sqlite.store import open_sqlite

    for read_only in (False, True):
        with pytest.raises(StateNewer):
            open_sqlite(path, base_url="https://service.example", read_only=read_only)
    assert traces(path.parent) == before


def test_an_older_one_is_not_upgraded_by_reading(path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(opened)
    before = traces(path.parent)
    monkeypatch.setattr("state.sqlite.connection.SCHEMA_VERSION", SCHEMA_VERSION + 1)
    with pytest.raises(StateOutdated):
        opened(read_only=True)
    assert traces(path.parent) == before


@READ_ONLY
@pytest.mark.parametrize(
    "content", [b"this is no database " * 500, b"SQLite format 3\0" + b"\xff" * 8000, b"x", b"\0" * 511]
)
def test_no_database(path: Path, opened: Opened, content: bytes, read_only: bool) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)
    before = traces(path.parent)
    with pytest.raises(StateCorrupt):
        opened(read_only=read_only)
    assert traces(path.parent) == before


@READ_ONLY
def test_somebody_elses_database(path: Path, opened: Opened, read_only: bool) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE customers (name)")
    path.chmod(0o600)
    before = traces(path.parent)
    with pytest.raises(StateForeign, match="no state"):
        opened(read_only=read_only)
    assert traces(path.parent) == before


def test_a_damaged_page(path: Path, opened: Opened) -> None:
    filled(opened)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = os.urandom(4096)
    path.write_bytes(content)
    before = traces(path.parent)
    with pytest.raises(StateCorrupt):
        opened()
    assert traces(path.parent) == before


def test_a_file_that_was_cut_off(path: Path, opened: Opened) -> None:
    filled(opened)
    os.truncate(path, path.stat().st_size // 2)
    before = traces(path.parent)
    with pytest.raises(StateCorrupt):
        opened()
    assert traces(path.parent) == before


def test_an_empty_file_is_no_state(path: Path, opened: Opened) -> None:
    path.parent.mkdir()
    path.touch(0o600)
    with pytest.raises(StateMissing):
        opened(create=False)
    assert path.stat().st_size == 0


def test_a_full_disk_records_nothing_and_can_be_used_again(opened: Opened) -> None:
    store = opened()
    store.commit([Put(instance())])
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StateUnwritable):
        store.commit([Put(instance("run.y")), *(Put(event(f"e{n}")) for n in range(5000))])
    assert set(store.snapshot().instances) == {"run.x"}
    assert store.meta().serial == 1
    store._connection.execute("PRAGMA max_page_count = 1000000")
    assert store.commit([Put(instance("run.y"))]) == 2


def test_a_writer_that_never_ends(path: Path, opened: Opened) -> None:
    store = opened()
    store._connection.execute("PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateBusy):
            store.commit([Put(instance())])
        other.execute("ROLLBACK")
    assert store.commit([Put(instance())]) == 1
