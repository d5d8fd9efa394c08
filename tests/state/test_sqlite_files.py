"""Who may read the files, and what lies in them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from state.sqlite.store import SqliteStore
from state.writes import Put
from tests.state.samples import instance

Opened = Callable[..., SqliteStore]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_folders_and_files_are_private(tmp_path: Path, path: Path, opened: Opened, umask: int) -> None:
    previous = os.umask(umask)
    try:
        store = opened()
        store.commit([Put(instance())])
        with store.lock("apply"):
            files = {file.name: mode(file) for file in path.parent.iterdir()}
    finally:
        os.umask(previous)
    assert files == dict.fromkeys(["state.db", "state.db-wal", "state.db-shm", "state.db.lock"], 0o600)
    assert mode(path.parent) == 0o700


def test_every_missing_folder_is_private(tmp_path: Path) -> None:
    from state.sqlite.store import open_sqlite

    os.chmod(tmp_path, 0o755)
    open_sqlite(tmp_path / "a" / "b" / "state.db", base_url="u", create=True).close()
    assert [mode(tmp_path), mode(tmp_path / "a"), mode(tmp_path / "a" / "b")] == [0o755, 0o700, 0o700]


def test_a_log_that_a_copy_opened_up_is_made_private_again(path: Path, opened: Opened) -> None:
    store = opened()
    store.commit([Put(instance())])
    beside = [Path(f"{path}{end}") for end in ("-wal", "-shm", ".lock", ".leader")]
    led = store.lead()
    assert led is not None
    led.close()
    with store.lock("apply"):
        pass
    for file in beside:
        file.chmod(0o666)
    opened()
    assert list(map(mode, beside)) == [0o600] * 4


def test_durable_settings(path: Path, opened: Opened) -> None:
    store = opened()
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "fullfsync")
    values = [store._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
    assert values == ["wal", 2, 1, 1]


def test_a_clean_end_leaves_one_file(path: Path, opened: Opened) -> None:
    store = opened()
    store.commit([Put(instance())])
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["state.db"]
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
