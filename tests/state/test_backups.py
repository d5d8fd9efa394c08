"""Backups of a SQLite state: consistent while others write, checked, private, and not kept without end."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from state.errors import StateCorrupt, StateError, StateMissing, StateNewer, StateUnwritable
from state.records import Phase
from state.sqlite.backups import KEPT, Why, back_up, back_up_to, checked_copy, highest_serial, list_backups, move_aside
from state.sqlite.store import SqliteStore, open_sqlite
from state.writes import Advance, Put
from tests.state.samples import T1, URL, attempt, instance, script, traces

Opened = Callable[..., SqliteStore]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "states"


def filled(opened: Opened, count: int = 3) -> SqliteStore:
    store = opened()
    store.commit(
        [write for n in range(count) for write in (Put(attempt(f"a{n}", f"run.{n}")), Put(instance(f"run.{n}")))]
    )
    return store


def test_an_open_state(opened: Opened, folder: Path) -> None:
    store = filled(opened)
    made, meta = back_up(store.path, folder, Why.BEFORE_APPLY)
    assert meta == store.meta()
    assert made.parent == folder / meta.lineage
    assert [path.stat().st_mode & 0o777 for path in (made, made.parent, folder, folder.parent)] == [0o600] + [0o700] * 3
    assert [path.name for path in made.parent.iterdir()] == [made.name]
    with closing(sqlite3.connect(made)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    again = open_sqlite(made, base_url=URL)
    assert again.snapshot() == store.snapshot()
    assert again.journal() == store.journal()
    again.close()


def test_a_closed_state_is_read_without_a_trace(path: Path, opened: Opened, folder: Path) -> None:
    filled(opened).close()
    before = traces(path.parent)
    back_up(path, folder, Why.BY_HAND)
    assert traces(path.parent) == before


def test_they_are_listed_newest_first(opened: Opened, folder: Path) -> None:
    store = filled(opened)
    back_up(store.path, folder, Why.BEFORE_APPLY)
    store.commit([Put(attempt("new", "run.new"))])
    newest, meta = back_up(store.path, folder, Why.BY_HAND)
    listed = list_backups(folder, [meta.lineage, "unknown"])
    assert [(one.serial, one.why, one.attempts) for one in listed] == [(2, Why.BY_HAND, 4), (1, Why.BEFORE_APPLY, 3)]
    assert listed[0].path == newest
    assert listed[0].at.endswith("+00:00")
    assert highest_serial(folder, meta.lineage) == 2
    newest.write_bytes(b"damaged " * 1000)
    assert [one.attempts for one in list_backups(folder, [meta.lineage])] == [None, 3]
    assert list_backups(folder, ["unknown"]) == []


def test_ten_are_kept_and_those_made_by_hand(opened: Opened, folder: Path) -> None:
    store = filled(opened)
    spared, _ = back_up(store.path, folder, Why.BEFORE_APPLY)
    by_hand, _ = back_up(store.path, folder, Why.BY_HAND)
    dropped, _ = back_up(store.path, folder, Why.BEFORE_APPLY)
    last = [back_up(store.path, folder, why, [spared])[0] for why in [Why.BEFORE_RESTORE] + [Why.BEFORE_APPLY] * 9]
    kept = {one.path for one in list_backups(folder, [store.meta().lineage])}
    assert len(last) == KEPT == 10
    assert kept == {spared, by_hand, *last}
    assert dropped not in kept


def test_what_a_killed_process_left_is_cleared_away_later(opened: Opened, folder: Path) -> None:
    folder.mkdir(parents=True)
    old, young = folder / ".0123.tmp", folder / ".4567.tmp"
    old.touch()
    young.touch()
    os.utime(old, (time.time() - 7200,) * 2)
    back_up(filled(opened).path, folder, Why.BEFORE_APPLY)
    assert not old.exists()
    assert young.exists()


def test_a_damaged_state_makes_no_backup(path: Path, opened: Opened, folder: Path) -> None:
    filled(opened, 500).close()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = os.urandom(4096)
    path.write_bytes(content)
    with pytest.raises(StateCorrupt, match=str(path)):
        back_up(path, folder, Why.BEFORE_APPLY)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_error_for_people(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError) as caught:
        back_up(filled(opened).path, tmp_path / "file" / "states", Why.BEFORE_APPLY)
    assert str(tmp_path / "file") in str(caught.value)


def test_a_file_of_ones_own_is_never_replaced(opened: Opened, tmp_path: Path) -> None:
    store, target = filled(opened), tmp_path / "out" / "kept.db"
    with pytest.raises(StateError):
        back_up_to(store.path, target)
    target.parent.mkdir(mode=0o755)
    back_up_to(store.path, target)
    before = target.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.parent.stat().st_mode & 0o777 == 0o755
    store.commit([Put(attempt("new", "run.new"))])
    with pytest.raises(StateUnwritable, match="already"):
        back_up_to(store.path, target)
    assert target.read_bytes() == before
    assert list(target.parent.iterdir()) == [target]


WRITE = """
from pathlib import Path
from state.records import Phase
from state.sqlite.store import open_sqlite
from state.writes import Advance, Put
from tests.state.samples import T1, URL, attempt, instance
store, name = open_sqlite(Path(sys.argv[1]), base_url=URL), sys.argv[2]
print("ready", flush=True)
for n in range(100_000):
    key = f"{name}-{n}"
    store.commit([Put(attempt(key, f"run.{key}")), Put(instance(f"run.{key}"))])
    store.commit([Advance(key, Phase.ACCEPTED, T1, run_id=f"r-{key}")])
"""


def test_backups_are_consistent_while_two_processes_write(path: Path, opened: Opened, folder: Path) -> None:
    opened().close()
    writers = [subprocess.Popen(script(WRITE, path, name), stdout=subprocess.PIPE, text=True) for name in ("x", "y")]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        serials = []
        for _ in range(15):
            made, meta = back_up(path, folder, Why.BY_HAND)
            serials.append(meta.serial)
            with checked_copy(made, folder) as (copy, _):
                held = open_sqlite(copy, base_url=URL)
                seen, attempts, journal = held.snapshot(), held.attempts(), held.journal()
                held.close()
            accepted = [one for one in attempts if one.phase is Phase.ACCEPTED]
            assert meta.serial == seen.meta.serial == len(attempts) + len(accepted)
            assert len(journal) == meta.serial
            assert len(seen.instances) == len(attempts)
            assert {one.address for one in accepted} == set(seen.current)
        assert serials == sorted(serials)
        assert serials[-1] > serials[0]
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


def test_a_backup_is_checked_before_it_is_used(opened: Opened, folder: Path, tmp_path: Path) -> None:
    store = filled(opened, 500)
    made, _ = back_up(store.path, folder, Why.BY_HAND)
    with checked_copy(made, folder) as (copy, meta):
        assert meta == store.meta()
        assert copy.stat().st_mode & 0o777 == 0o600
    assert not copy.exists()
    whole = made.read_bytes()
    with closing(sqlite3.connect(made)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StateNewer, match="99"), checked_copy(made, folder):
        pass
    cut = tmp_path / "cut.db"
    for content in (b"", b"x", whole[: len(whole) // 2], b"no database " * 1000):
        cut.write_bytes(content)
        with pytest.raises(StateCorrupt, match=str(cut)), checked_copy(cut, folder):
            pass
        assert cut.read_bytes() == content
    with pytest.raises(StateMissing), checked_copy(tmp_path / "nothing.db", folder):
        pass
    assert [path.name for path in folder.iterdir()] == [store.meta().lineage]


def test_a_lineage_that_is_a_path_leads_nowhere(opened: Opened, folder: Path) -> None:
    store = filled(opened)
    store._connection.execute("UPDATE meta SET lineage = '../../elsewhere'")
    with pytest.raises(StateCorrupt, match="elsewhere"):
        back_up(store.path, folder, Why.BY_HAND)
    assert not (folder.parent.parent / "elsewhere").exists()


def test_moving_aside_takes_the_log_along(path: Path, opened: Opened) -> None:
    store = filled(opened)
    store.commit([Advance("a0", Phase.SENDING, T1)])
    aside = move_aside(path)
    assert aside.name.startswith("state.db.corrupt-")
    assert sorted(file.name for file in path.parent.iterdir()) == [aside.name, f"{aside.name}-shm", f"{aside.name}-wal"]
