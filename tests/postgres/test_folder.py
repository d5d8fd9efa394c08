"""Nothing of a server stays behind, however the test run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import folder, keeper

_RUN = """
import sys
from tests.postgres.folder import shared_folder
from tests.postgres.server import Server
server = Server()
server.start()
server.freeze()
print(shared_folder().path, shared_folder()._keeper.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def a_run() -> Iterator[tuple[subprocess.Popen[str], Path, int]]:
    """Another test run with a frozen server: its process, its folder, and the number of its keeper."""
    command = [sys.executable, "-c", _RUN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        path, number = process.stdout.readline().rsplit(maxsplit=1)
        yield process, Path(path), int(number)
        process.kill()
    keeper.remove(Path(path))


def until_gone(path: Path) -> None:
    for _ in range(1000):
        if not path.exists():
            return
        time.sleep(0.01)
    raise AssertionError(f"{path} is still there: {list(keeper.processes_in(path))}")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_killed_leaves_nothing(
    a_run: tuple[subprocess.Popen[str], Path, int], number: signal.Signals
) -> None:
    process, path, _ = a_run
    assert list(keeper.processes_in(path))
    process.send_signal(number)
    until_gone(path)
    assert not list(keeper.processes_in(path))


def test_if_the_keeper_is_killed_too_the_next_run_sweeps(a_run: tuple[subprocess.Popen[str], Path, int]) -> None:
    process, path, number = a_run
    os.utime(path, (0, 0))
    folder.Folder().close()
    assert path.exists(), "a folder in use was taken"
    os.kill(number, signal.SIGKILL)
    process.kill()
    process.wait()
    assert list(keeper.processes_in(path))
    for _ in range(50):  # the lock goes when the keeper has gone
        folder.Folder().close()
        if not path.exists():
            break
    assert not path.exists()
    assert not list(keeper.processes_in(path))
