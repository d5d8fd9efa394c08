"""What commit returned for survives a kill; processes may write at once."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from state.sqlite.store import SqliteStore
from tests.state.samples import run, script

Opened = Callable[..., SqliteStore]

COMMIT = """
import os, signal, threading
from pathlib import Path
from state.group import GroupCommit
from state.records import Phase
from state.writes import Advance, Put
from state.sqlite.store import open_sqlite
from tests.state.samples import T1, URL, attempt, event, instance
store = open_sqlite(Path(sys.argv[1]), base_url=URL, create=True)
name = sys.argv[2]
"""


def intact(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as db:
        return bool(db.execute("PRAGMA integrity_check").fetchall() == [("ok",)])


@pytest.mark.parametrize("steps", [1, 7, 60])
def test_a_kill_right_after_commit(path: Path, opened: Opened, steps: int) -> None:
    code = f"""{COMMIT}
for n in range({steps}):
    store.commit([Put(attempt(f"a{{n}}", f"run.{{n}}")), Put(instance(f"run.{{n}}"))])
    serial = store.commit([Advance(f"a{{n}}", Phase.ACCEPTED, T1, run_id=f"r{{n}}")])
print(serial, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = run(code, path, "x")
    assert (done.returncode, done.stdout.strip()) == (-9, str(2 * steps))
    store = opened(create=False)
    assert store.meta().serial == 2 * steps
    assert {address: one.run_id for address, one in store.snapshot().current.items()} == {
        f"run.{n}": f"r{n}" for n in range(steps)
    }
    assert len(store.journal()) == 2 * steps
    assert intact(path)


def test_a_kill_in_the_middle_of_group_commits(path: Path, opened: Opened) -> None:
    code = f"""{COMMIT}
group = GroupCommit(store)
def work(thread):
    for n in range(100_000):
        group.commit([Put(attempt(f"{{thread}}-{{n}}", f"run.{{thread}}", n + 1)), Put(event(f"{{thread}}-{{n}}"))])
        os.write(1, f"{{thread}}-{{n}}\\n".encode())
for thread in range(8):
    threading.Thread(target=work, args=(thread,)).start()
"""
    for _ in range(3):
        process = subprocess.Popen(script(code, path, "x"), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(30)]
        time.sleep(0.05)
        process.kill()
        lines += process.communicate(timeout=30)[0].splitlines(keepends=True)
        told = {line.strip() for line in lines if line.endswith("\n")}
        store = opened(create=False)
        kept = {one.attempt_id for one in store.attempts()}
        assert len(told) >= 30
        assert told <= kept
        assert {one.event_id for one in store.events()} == kept  # all of a transaction, or nothing
        store.close()
        assert intact(path)
        path.unlink()


def test_processes_write_at_once(path: Path, opened: Opened) -> None:
    code = f"""{COMMIT}
for n in range(100):
    store.commit([Put(attempt(f"{{name}}-{{n}}", f"run.{{name}}", n + 1))])
    assert len(store.attempts([f"run.{{name}}"])) == n + 1
store.close()
"""
    processes = [subprocess.Popen(script(code, path, name)) for name in ("one", "two", "three")]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    store = opened(create=False)
    assert store.meta().serial == 300
    assert len(store.attempts()) == 300
    assert [step.seq for step in store.journal()] == list(range(1, 301))
    assert intact(path)


def test_threads_share_a_connection(opened: Opened) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from state.writes import Put
    from tests.state.samples import attempt

    store = opened()

    def work(name: int) -> int:
        for n in range(20):
            store.commit([Put(attempt(f"{name}-{n}", f"run.{name}", n + 1))])
            assert len(store.attempts([f"run.{name}"])) == n + 1
            store.snapshot()
        return name

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == list(range(8))
    assert store.meta().serial == 160
