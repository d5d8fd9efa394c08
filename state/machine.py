"""What this machine remembers of a state: the highest serial that it saw, and where its database was.

A small JSON file beside the backups of the lineage, ``FOLDER/<lineage>/machine.json``. It helps to notice that a state
was put back or lost, and to find the backups of a database that is gone. Nothing here may stop a command: what goes
wrong is returned as a warning for people.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

_FILE, _LOCK, _KEPT_PATHS = "machine.json", "machine.lock", 20
_LOCK_SECONDS = 2.0
LINEAGE = re.compile(r"[0-9A-Za-z-]{1,64}")  # it names a folder


class Memory(Struct, frozen=True):
    """``paths``: the database files that the lineage had, the latest last."""

    highest_serial: int = 0
    paths: tuple[str, ...] = ()


def recall(folder: Path, lineage: str) -> tuple[Memory, str | None]:
    """What is remembered of a lineage (of one that was never seen: nothing), and a warning if that can't be read."""
    path = folder / lineage / _FILE
    try:
        return _parse(path.read_bytes()), None
    except FileNotFoundError:
        return Memory(), None
    except (OSError, ValueError, TypeError, KeyError) as error:
        return Memory(), f"What this machine remembers of the state can't be read ({path}: {error})."


def remember(folder: Path, lineage: str, serial: int, database: Path | None) -> str | None:
    """Raise the highest serial, never lower it, and note the database's path. Returns a warning, or None.

    A file that is damaged is written anew.
    """
    try:
        make_folder(folder / lineage)
        with _alone(folder / lineage / _LOCK):
            before, warning = recall(folder, lineage)
            paths = before.paths
            if database is not None:
                here = str(database.resolve())
                paths = (*(path for path in paths if path != here), here)[-_KEPT_PATHS:]
            after = Memory(max(before.highest_serial, serial), paths)
            if after != before or warning:
                _write(folder / lineage / _FILE, after)
            return warning
    except OSError as error:
        return f"This machine can't remember the state's serial ({folder / lineage}: {error.strerror or error})."


def lineages_at(folder: Path, database: Path) -> list[str]:
    """The lineages that a database at this path ever had, as far as this machine remembers."""
    here = str(database.resolve())
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return []
    return [name for name in names if here in recall(folder, name)[0].paths]


def make_folder(path: Path) -> None:
    """Make missing folders with mode 0700, and take the rights of others away from this one."""
    for folder in reversed([folder for folder in (path, *path.parents) if not folder.exists()]):
        folder.mkdir(mode=0o700, exist_ok=True)
    found = path.stat()
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    if found.st_mode & 0o077 and found.st_uid == os.geteuid():
        path.chmod(0o700)


def _parse(content: bytes) -> Memory:
    found = json.loads(content)
    serial, paths = found["highest_serial"], found["paths"]
    if type(serial) is not int or serial < 0 or not all(isinstance(path, str) for path in paths):
        raise ValueError("it holds something else")
    return Memory(serial, tuple(paths))


def _write(path: Path, memory: Memory) -> None:
    """Replace the file in one step: never half of it is there."""
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"highest_serial": memory.highest_serial, "paths": memory.paths}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time reads and writes the memory. Raises TimeoutError (an OSError) after two seconds."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise TimeoutError(f"{path} stays locked by another process") from None
                time.sleep(0.01)
        yield
    finally:
        os.close(handle)
