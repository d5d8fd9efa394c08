"""The process that tidies up after a test run, however that one ends.

Run as ``python keeper.py FOLDER``, with a pipe as standard input: when the pipe ends (the test run said so, or is gone,
killed or not), every process that works inside FOLDER is killed and FOLDER removed. It inherits a descriptor that holds
an flock for as long as it lives: a folder whose lock is free has nobody left to remove it.

A server's processes are found by their working folder, which is the data folder for a postmaster and all its backends:
that also finds the backends of a postmaster that is gone, and no process that merely got a number of before.
"""

from __future__ import annotations

import contextlib
import ctypes
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

_GONE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, OSError)


def processes_in(folder: Path) -> Iterator[psutil.Process]:
    """The living processes whose working folder is ``folder`` or lies in it; it may have been removed meanwhile."""
    inside = str(folder.resolve())
    for process in psutil.process_iter():
        try:
            where = process.cwd()
            zombie = process.status() == psutil.STATUS_ZOMBIE
        except _GONE:
            continue
        if not zombie and (where == inside or where.startswith(inside + "/")):
            yield process


def kill_all(folder: Path) -> None:
    """SIGKILL for every process in ``folder``, until there is none."""
    while found := list(processes_in(folder)):
        for process in found:
            with contextlib.suppress(*_GONE):
                process.kill()
        time.sleep(0.002)  # until they are gone; not until their parents have noticed


def free_shared_memory(data: Path) -> None:
    """Remove the System V segment that a killed server leaves (56 bytes, but macOS has 32 segments in all)."""
    try:
        _, segment = (data / "postmaster.pid").read_text().splitlines()[6].split()
    except (OSError, IndexError, ValueError):
        return
    remove = 0  # IPC_RMID, on Linux as on macOS
    ctypes.CDLL(None).shmctl(int(segment), remove, None)


def remove(folder: Path) -> None:
    """End all that works in ``folder``, then remove it and what it holds outside."""
    kill_all(folder)
    for pid_file in folder.glob("**/postmaster.pid"):
        free_shared_memory(pid_file.parent)
    shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # they are meant for the tests; the pipe ends this
        signal.signal(number, signal.SIG_IGN)
    folder = Path(sys.argv[1])
    sys.stdin.buffer.read(1)
    remove(folder)


if __name__ == "__main__":
    main()
