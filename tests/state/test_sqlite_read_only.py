"""Opened for reading, a state is not changed, and shows what others commit."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from state.errors import StateReadOnly
from state.sqlite.store import SqliteStore, open_sqlite
from state.writes import Put
from tests.state.samples import URL, attempt, instance, run, traces

Opened = Callable[..., SqliteStore]


def test_no_byte_and_no_file_changes(path: Path, opened: Opened) -> None:
    store = opened()
    store.commit([Put(instance(attempt_id="a1")), Put(attempt())])
    store.close()
    before = traces(path.parent)
    reading = opened(read_only=True)
    assert set(reading.snapshot().current) == {"run.x"}
    assert len(reading.attempts()) == len(reading.journal()) == 1
    assert reading.events() == []
    assert reading.holder() is None
    reading.close()
    assert traces(path.parent) == before
    assert [file.name for file in path.parent.iterdir()] == ["state.db"]


def test_the_log_of_a_killed_writer_is_read_and_left(path: Path) -> None:
    code = """
import os, signal
from pathlib import Path
from state.sqlite.store import open_sqlite
from state.writes import Put
from tests.state.samples import URL, instance
store = open_sqlite(Path(sys.argv[1]), base_url=URL, create=True)
store.commit([Put(instance())])
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert run(code, path).returncode == -9
    before = traces(path.parent)
    assert set(before) == {"state.db", "state.db-wal"}
    reading = open_sqlite(path, base_url=URL, read_only=True)
    assert set(reading.snapshot().instances) == {"run.x"}
    reading.close()
    assert traces(path.parent) == before


@pytest.mark.parametrize("writer_first", [True, False])
def test_commits_of_others_are_seen(opened: Opened, writer_first: bool) -> None:
    opened().close()
    if writer_first:
        writer, reading = opened(), opened(read_only=True)
    else:
        reading, writer = opened(read_only=True), opened()
    for number in range(3):
        writer.commit([Put(instance(f"run.{number}"))])
        assert set(reading.snapshot().instances) == {f"run.{n}" for n in range(number + 1)}
    writer.close()
    assert len(reading.snapshot().instances) == 3


@pytest.mark.parametrize("log", [False, True])
def test_writing_and_locking_are_refused(opened: Opened, log: bool) -> None:
    writer = opened()
    writer.commit([Put(instance())])
    if not log:
        writer.close()
    reading = opened(read_only=True)
    with pytest.raises(StateReadOnly):
        reading.commit([Put(instance("run.y"))])
    with pytest.raises(StateReadOnly):
        reading.lock("plan")
    assert set(reading.snapshot().instances) == {"run.x"}


def test_it_sees_who_holds_the_lock(opened: Opened) -> None:
    writer, reading = opened(), opened(read_only=True)
    with writer.lock("apply") as holder:
        assert reading.holder() == holder
    assert reading.holder() is None


# -- a folder in which we may not write ---------------------------------------------------------------------------


@pytest.fixture
def foreign() -> Iterator[Path]:
    """A folder that a user without rights can reach (pytest's own folders can't be reached by others)."""
    folder = Path(tempfile.mkdtemp())
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@contextmanager
def closed_to_us(folder: Path) -> Iterator[None]:
    """Files and folder may be read, not written, also when the tests run as root."""
    user = os.geteuid()
    for file in folder.iterdir():
        if user == 0:
            os.chown(file, 65534, -1)
        file.chmod(0o400)
    folder.chmod(0o555)
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        for file in folder.iterdir():
            os.chown(file, user, -1)


def test_a_folder_without_rights_can_be_planned_from(foreign: Path) -> None:
    path = foreign / "state.db"
    writer = open_sqlite(path, base_url=URL, create=True)
    writer.commit([Put(instance())])
    writer.close()
    with closed_to_us(foreign):
        reading = open_sqlite(path, base_url=URL, read_only=True)
        assert set(reading.snapshot().instances) == {"run.x"}
        assert reading.journal() == []
        assert [file.name for file in foreign.iterdir()] == ["state.db"]
    foreign.chmod(0o755)
    path.chmod(0o600)
    writer = open_sqlite(path, base_url=URL)
    writer.commit([Put(instance("run.y"))])
    writer.close()
    with closed_to_us(foreign):
        assert set(reading.snapshot().instances) == {"run.x", "run.y"}
        assert reading.events() == []
        reading.close()


def test_a_folder_without_rights_whose_writer_is_at_work(foreign: Path) -> None:
    path = foreign / "state.db"
    writer = open_sqlite(path, base_url=URL, create=True)
    writer.commit([Put(instance())])
    with closed_to_us(foreign):
        reading = open_sqlite(path, base_url=URL, read_only=True)
        assert set(reading.snapshot().instances) == {"run.x"}
        with pytest.raises(StateReadOnly):
            open_sqlite(path, base_url=URL)
    writer.commit([Put(instance("run.y"))])
    assert set(reading.snapshot().instances) == {"run.x", "run.y"}
    reading.close()
    writer.close()
