"""The lock file: between real processes, and between handles of one process."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from state.errors import StateLocked
from state.sqlite.lock import FileLock
from tests.state.samples import script

HOLD = """
import time
from pathlib import Path
from state.sqlite.lock import FileLock
with FileLock(Path(sys.argv[1])).acquire("apply in a process") as holder:
    print(holder.lock_id, flush=True)
    time.sleep(60)
"""


@contextmanager
def holding(path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that holds the lock, and the id of its lock."""
    process = subprocess.Popen(script(HOLD, path), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def lock(tmp_path: Path) -> FileLock:
    return FileLock(tmp_path / "state.db.lock")


def test_another_process_is_named_and_its_death_frees_the_lock(lock: FileLock) -> None:
    with holding(lock.path) as (process, lock_id):
        holder = lock.holder()
        assert holder is not None
        assert (holder.pid, holder.lock_id, holder.command) == (process.pid, lock_id, "apply in a process")
        with pytest.raises(StateLocked) as caught, lock.acquire("mine"):
            pass
        assert caught.value.holder == holder
        process.kill()
        process.wait()
        assert lock_id in lock.path.read_text()  # the name outlives it, and must not be believed
        assert lock.holder() is None
        with lock.acquire("mine") as mine:
            assert lock.holder() == mine


def test_waiting_ends_when_the_holder_is_killed(lock: FileLock) -> None:
    with holding(lock.path) as (process, _):
        timer = threading.Timer(0.3, process.kill)
        timer.start()
        with lock.acquire("mine", timeout=20) as mine:
            assert lock.holder() == mine
        timer.join()


def test_the_name_of_a_killed_holder_is_not_given_to_the_next(lock: FileLock) -> None:
    with holding(lock.path) as (process, _):
        process.kill()
        process.wait()
    stale = lock.path.read_bytes()
    with lock.acquire("mine") as mine:
        lock.path.write_bytes(stale)  # the moment before the new holder has written its name
        threading.Timer(0.03, lambda: lock.path.write_text(json.dumps({**_fields(stale), "pid": mine.pid}))).start()
        found = lock.holder()
    assert found is not None
    assert found.pid == mine.pid


def _fields(content: bytes) -> dict[str, object]:
    fields: dict[str, object] = json.loads(content)
    return fields


def test_two_handles_of_one_process_exclude_each_other(lock: FileLock) -> None:
    other = FileLock(lock.path)
    with lock.acquire("first"), pytest.raises(StateLocked), other.acquire("second"):
        pass
    with other.acquire("second"):
        assert lock.holder() == other.holder()


def test_the_file_is_private_and_stays(lock: FileLock) -> None:
    assert lock.holder() is None
    assert not lock.path.exists()  # to ask makes no file
    with lock.acquire("first"):
        assert lock.path.stat().st_mode & 0o777 == 0o600
        inode = lock.path.stat().st_ino
    assert lock.path.stat().st_ino == inode


@pytest.mark.parametrize("content", [b"", b"{", b'"text"', b'{"user": "x"}', b"\xff"])
def test_a_holder_without_a_readable_name_is_still_a_holder(lock: FileLock, content: bytes) -> None:
    with lock.acquire("first"):
        lock.path.write_bytes(content)
        holder = lock.holder()
        assert holder is not None
        assert holder.command == "unknown"


def test_asking_never_makes_a_taker_fail(lock: FileLock) -> None:
    stop = threading.Event()
    with lock.acquire("once"):
        pass

    def ask() -> None:
        while not stop.is_set():
            lock.holder()

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    taken = 0
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        with lock.acquire("mine", timeout=0):
            taken += 1
    stop.set()
    for asker in askers:
        asker.join()
    assert taken > 0


def test_processes_exclude_each_other(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    code = """
from pathlib import Path
from state.sqlite.lock import FileLock
counter = Path(sys.argv[2])
for _ in range(20):
    with FileLock(Path(sys.argv[1])).acquire("count", timeout=60):
        counter.write_text(str(int(counter.read_text()) + 1))
"""
    processes = [subprocess.Popen(script(code, tmp_path / "lock", counter)) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    assert counter.read_text() == "80"
