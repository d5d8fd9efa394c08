"""One writer at a time: an ``flock`` on a file beside the database. It is gone with the process that held it.

The file's content names the holder. It is only worth something while somebody holds the flock, so whoever asks tries
the flock first. A try is a *shared* flock for a moment; a taker tells it from a real holder by being able to share.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from state.errors import StateLocked, translated
from state.records import Holder

_POLL_SECONDS = 0.05
_NAMELESS = Holder(user="unknown", host="unknown", pid=0, command="unknown", since="unknown", lock_id="unknown")


class FileLock:
    """The lock of the database whose lock file is ``path``. Also excludes threads and other handles of this process."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def acquire(self, command: str, timeout: float = 0.0) -> Iterator[Holder]:
        """Hold the lock; raises StateLocked when somebody else still has it after ``timeout`` seconds."""
        handle = self._take(timeout)
        try:
            holder = describe(command)
            with translated(str(self.path)):
                os.ftruncate(handle, 0)
                os.pwrite(handle, json.dumps(asdict(holder)).encode(), 0)
            yield holder
        finally:
            with suppress(OSError):  # an old name does no harm: it means nothing without the flock
                os.ftruncate(handle, 0)
            os.close(handle)  # frees the flock

    def holder(self) -> Holder | None:
        """Who holds the lock now; nobody who merely held it once."""
        with translated(str(self.path)):
            if not self.path.exists():
                return None
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return self._holder(handle)
            finally:
                os.close(handle)

    def _take(self, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while True:
            with translated(str(self.path)):
                handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                if _flock(handle, fcntl.LOCK_EX):
                    return handle
                try:
                    holder = self._holder(handle)
                finally:
                    os.close(handle)
            if holder is None:  # somebody only looked, or has just let go
                time.sleep(os.urandom(1)[0] / 100_000)  # two takers must not keep step
                continue
            if time.monotonic() >= deadline:
                raise StateLocked(holder)
            time.sleep(_POLL_SECONDS)

    def _holder(self, handle: int) -> Holder | None:
        found = None
        for _ in range(20):
            if _flock(handle, fcntl.LOCK_SH):
                fcntl.flock(handle, fcntl.LOCK_UN)
                return None
            found = _parse(os.pread(handle, 65536, 0))
            if found is not None and not _is_dead(found):
                return found
            time.sleep(0.005)  # its new holder has not written its name yet
        return found or _NAMELESS


def describe(command: str) -> Holder:
    """Ourselves, as the holder of a lock."""
    user, host = _user_and_host()
    return Holder(
        user=user,
        host=host,
        pid=os.getpid(),
        command=command,
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        lock_id=os.urandom(6).hex(),
    )


@cache
def _user_and_host() -> tuple[str, str]:
    import getpass  # rarely needed: most commands take no lock

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container without a name for this user
        user = str(os.getuid())
    return user, os.uname().nodename


def _flock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _parse(content: bytes) -> Holder | None:
    try:
        return Holder(**json.loads(content))
    except (ValueError, TypeError):
        return None


def _is_dead(holder: Holder) -> bool:
    """Whether the name is that of an earlier holder which was killed."""
    if holder.host != os.uname().nodename:
        return False
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
