"""A database takes the content of another one in one step; who has it open goes on with the new content."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from state.errors import StateBusy, StateLockLost
from state.records import MarkRecord
from state.sqlite import connection
from state.sqlite.backups import Why, back_up, checked_copy, stamp
from state.sqlite.store import SqliteStore, open_sqlite
from state.writes import Observe, Put
from tests.state.samples import T0, URL, attempt, instance, script

Opened = Callable[..., SqliteStore]
MARK = MarkRecord("untracked", "due", T0)


@pytest.fixture
def earlier(opened: Opened, tmp_path: Path) -> Path:
    """A backup from when there was only ``run.old``; the state has ``run.new`` since."""
    store = opened()
    store.commit([Put(instance("run.old"))])
    made, _ = back_up(store.path, tmp_path / "backups", Why.BY_HAND)
    store.commit([Put(instance("run.new"))])
    store.close()
    return made


def restore(store: SqliteStore, made: Path, serial: int = 9) -> None:
    with store.lock("restore"), checked_copy(made, made.parent) as (copy, _):
        stamp(copy, serial=serial, epoch=store.epoch(), by="me", mark=MARK)
        store.overwrite(copy)


def test_whoever_has_it_open_sees_the_new_content(opened: Opened, earlier: Path) -> None:
    writing, reading = opened(create=False), opened(read_only=True)
    inode = writing.path.stat().st_ino
    assert set(reading.snapshot().instances) == {"run.old", "run.new"}
    restore(opened(create=False), earlier)
    for store in (writing, reading):
        seen = store.snapshot()
        assert set(seen.instances) == {"run.old"}
        assert (seen.meta.serial, seen.marks) == (9, {"untracked": MARK})
    assert writing.commit([Put(instance("run.more"))]) == 10
    assert writing.path.stat().st_ino == inode


def test_a_holder_of_before_can_decide_nothing(opened: Opened, earlier: Path) -> None:
    before = opened(create=False)
    with before.lock("apply"):
        pass
    restorer = opened(create=False)
    restore(restorer, earlier)
    for store in (before, restorer):
        with pytest.raises(StateLockLost):
            store.commit([Put(instance("run.late"))])
        store.commit([Observe("run-1", T0, status="SUCCEEDED")])
    for _ in range(3):  # nor does a later lock bring its epoch back
        with opened(create=False).lock("apply"):
            pass
        with pytest.raises(StateLockLost):
            before.commit([Put(instance("run.late"))])


def test_who_lost_the_lock_overwrites_nothing(opened: Opened, earlier: Path) -> None:
    store, other = opened(create=False), opened(create=False)
    with store.lock("restore") as holder, checked_copy(earlier, earlier.parent) as (copy, _):
        other.unlock(holder.lock_id)
        with pytest.raises(StateLockLost):
            store.overwrite(copy)
    assert set(other.snapshot().instances) == {"run.old", "run.new"}


def test_a_writer_that_never_ends_is_not_waited_for_for_ever(opened: Opened, earlier: Path) -> None:
    store = opened(create=False)
    with store.lock("restore"), closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        store._connection.execute("PRAGMA busy_timeout = 50")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateBusy):
            store.overwrite(earlier)
        # The writer may also begin after the check of the lock: Python would then try for ever.
        with closing(connection.reader(earlier)[0]) as source, pytest.raises(StateBusy):
            source.backup(store._connection, progress=connection.give_up_when_busy)
        other.execute("ROLLBACK")
    assert set(store.snapshot().instances) == {"run.old", "run.new"}


SWAP = """
from pathlib import Path
from state.sqlite.store import open_sqlite
from tests.state.samples import URL
store = open_sqlite(Path(sys.argv[1]), base_url=URL)
print("ready", flush=True)
while True:
    for other in sys.argv[2:]:
        store.overwrite(Path(other))
"""


@pytest.mark.timeout(200)
def test_a_kill_leaves_the_one_or_the_other(path: Path, opened: Opened, tmp_path: Path) -> None:
    """The two contents differ in every row, and in size."""
    store, sources = opened(), []
    for letter, count in [("x", 300), ("y", 1500)]:
        store.close()
        for file in path.parent.iterdir():
            file.unlink()
        store = opened()
        store.commit([Put(attempt(f"a{n}", f"run.{letter}", n + 1)) for n in range(count)])
        sources.append(back_up(path, tmp_path / "backups", Why.BY_HAND)[0])
    seen = set()
    for turn in range(12):
        process = subprocess.Popen(script(SWAP, path, *sources), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.02 + turn * 0.007)
        process.kill()
        process.communicate()
        after = open_sqlite(path, base_url=URL)
        attempts = after.attempts()
        after.close()
        assert {one.address for one in attempts} in ({"run.x"}, {"run.y"})
        assert len(attempts) == (300 if attempts[0].address == "run.x" else 1500)
        seen.add(len(attempts))
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert seen <= {300, 1500}
