"""New files that are whole, private and durable when they appear."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from state.errors import StateUnwritable, translated
from state.machine import make_folder

_LEFTOVER_SECONDS = 3600.0  # a temporary file of that age belongs to a process that was killed


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """An empty file of mode 0600, which gets the name ``target`` when the block is done without an error.

    Raises StateUnwritable if there is a file of that name by then: none is ever replaced.
    """
    folder = target.absolute().parent
    if not folder.is_dir():
        raise StateUnwritable(f"There is no folder {folder}.", "Make it, or name another file.")
    with translated(str(target)), temporary(folder, private=False) as path:
        if os.path.lexists(target):
            raise _taken(target)
        yield path
        sync(path)
        try:
            os.link(path, target)  # unlike a rename it never replaces
        except FileExistsError:
            raise _taken(target) from None
        except OSError:  # a file system without links
            path.rename(target)
        sync(folder)


@contextmanager
def temporary(folder: Path, *, private: bool = True) -> Iterator[Path]:
    """An empty file of mode 0600 in a folder, which is made if it is to be ``private``; gone afterwards."""
    if private:
        make_folder(folder)
        for old in folder.glob(".*.tmp*"):
            if time.time() - old.stat().st_mtime > _LEFTOVER_SECONDS:
                old.unlink(missing_ok=True)
    path = folder.absolute() / f".{secrets.token_hex(8)}.tmp"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    try:
        yield path
    finally:
        for end in ("", "-wal", "-shm", "-journal", ".lock"):
            Path(f"{path}{end}").unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Make a file, or the entries of a folder, durable."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _taken(target: Path) -> StateUnwritable:
    return StateUnwritable(f"There is a file already ({target}).", "Name another one.")
