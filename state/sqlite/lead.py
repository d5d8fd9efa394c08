"""The lead over a SQLite state: an ``flock`` on a file of its own beside the database, gone with the process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from state.errors import translated


class FileLead:
    """A :class:`state.store.Leadership`. Made by :func:`lead`."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path = path
        self._handle: int | None = handle

    def held(self) -> bool:
        """Nobody can take an flock away; but its file may have been removed, and another one locked since."""
        try:
            return self._handle is not None and os.path.samestat(os.fstat(self._handle), os.stat(self._path))
        except OSError:
            return False

    def close(self) -> None:
        """Frees the flock."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


def lead(path: Path) -> FileLead | None:
    """Take the lead whose file this is; None while another has it. Raises StateError."""
    with translated(str(path)):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except BaseException:
            os.close(handle)
            raise
        return FileLead(path, handle)
