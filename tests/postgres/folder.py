"""The folder of this process for all its servers; removed when the process ends, however it ends.

It lies in the system's temporary folder and not in pytest's: a server that root starts runs as another user, who may
not enter what pytest makes for root alone.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import itertools
import os
import pwd
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.postgres import keeper

_PREFIX = "reconciler-postgres-"
_YOUNG = 60.0  # seconds for which a folder that nobody has locked may be one that is just being made


@cache
def unprivileged() -> Mapping[str, Any]:
    """What ``subprocess`` needs so that a server doesn't run as root, which PostgreSQL refuses; empty for other users.

    ``nobody`` is there on every system, so no user is made.
    """
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def own(path: Path) -> None:
    """Give ``path`` to the user that servers run as."""
    if who := unprivileged():
        os.chown(path, who["user"], who["group"])


def _reachable(path: Path) -> bool:
    """Whether that user can enter ``path``."""
    return not unprivileged() or all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


class Folder:
    """One temporary folder, with a process beside it that removes it when this one is gone."""

    def __init__(self) -> None:
        roots = [Path(tempfile.gettempdir()).resolve(), Path("/tmp"), Path("/var/tmp")]
        root = next(path for path in roots if path.is_dir() and _reachable(path))
        _sweep(root)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
        self.path.chmod(0o711)
        try:
            self._keeper = self._start_keeper()
        except OSError:
            self.path.rmdir()
            raise
        self._numbers = itertools.count(1)
        atexit.register(self.close)

    def _start_keeper(self) -> subprocess.Popen[bytes]:
        # The lock is handed on: while either of us lives, no sweep takes the folder.
        lock = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return subprocess.Popen(
                [sys.executable, "-P", keeper.__file__, str(self.path)],
                stdin=subprocess.PIPE,
                start_new_session=True,
                pass_fds=[lock],
                cwd="/",
            )
        finally:
            os.close(lock)

    def make(self, name: str) -> Path:
        """A new folder in it, which belongs to the user that servers run as."""
        made = self.path / f"{name}-{next(self._numbers)}"
        made.mkdir(0o700)
        own(made)
        return made

    def close(self) -> None:
        """End what works in the folder, and remove it. Again: nothing."""
        atexit.unregister(self.close)
        assert self._keeper.stdin is not None
        with contextlib.suppress(OSError):
            self._keeper.stdin.write(b".")  # a child of this process may hold the pipe open
            self._keeper.stdin.close()
        if self._keeper.wait():
            keeper.remove(self.path)


def _sweep(root: Path) -> None:
    """Remove the folders of this user whose keeper was killed as well, or that a restart of the machine left."""
    for path in root.glob(_PREFIX + "*"):
        with contextlib.suppress(OSError):
            about = path.stat()
            if about.st_uid != os.geteuid() or time.time() - about.st_mtime < _YOUNG:
                continue
            lock = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                keeper.remove(path)
            finally:
                os.close(lock)


_folder: Folder | None = None


def shared_folder() -> Folder:
    """The folder of this process; made when first asked for."""
    global _folder
    if _folder is None:
        _folder = Folder()
    return _folder


def close_shared_folder() -> None:
    """Removed, if it was ever made; a later ``shared_folder`` makes another."""
    global _folder
    if _folder is not None:
        _folder.close()
        _folder = None
