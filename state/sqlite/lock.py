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
from pathlib import Path

from msgspec.structs import asdict

from state.errors import StateLocked, translated
from state.holder import describe
from state.records import Holder

_POLL_SECONDS = 0.05
_NAMELESS = Holder(user="unknown", host="unknown", pid=0, command="unknown", since="unknown", lock_id="unknown")


class FileLock:
    """The lock of the database whose lock file is ``path``. Also excludes threads and other handles of this process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handles: dict[str, int] = {}  # by lock id; more than one only after a lock of ours was broken

    @contextmanager
    def acquire(self, command: str, timeout: float = 0.0) -> Iterator[Holder]:
        """Hold the lock; raises StateLocked when somebody else still has it after ``timeout`` seconds."""
        handle = self._take(timeout)
        holder = describe(command)
        try:
            with translated(str(self.path)):
                os.ftruncate(handle, 0)
                os.pwrite(handle, json.dumps(asdict(holder)).encode(), 0)
            self._handles[holder.lock_id] = handle
            yield holder
        finally:
            self._handles.pop(holder.lock_id, None)
            with suppress(OSError):  # an old name does no harm: it means nothing without the flock
                os.ftruncate(handle, 0)
            os.close(handle)  # frees the flock

    def stands(self, holder: Holder) -> bool:
        """Whether a lock that we hold was not broken meanwhile."""
        handle = self._handles.get(holder.lock_id)
        return handle is not None and self._is_at_path(handle)

    def abolish(self, lock_id: str) -> None:
        """Break the lock with this id: whoever comes next locks a new file. Does nothing if it is held no more.

        An flock can't be taken from a process that lives, so its holder goes on believing that it has the lock. The
        caller must raise the state's epoch in the same step.
        """
        with translated(str(self.path)):
            holder = self.holder()
            if holder is not None and holder.lock_id == lock_id:
                self.path.unlink(missing_ok=True)

    def holder(self) -> Holder | None:
        """Who holds the lock now; nobody who merely held it once."""
        with translated(str(self.path)):
            try:
                handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
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
                    if self._is_at_path(handle):
                        return handle
                    os.close(handle)  # it was broken between our open and our flock: ours is a file without a name
                    continue
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

    def _is_at_path(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self.path))
        except FileNotFoundError:
            return False

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
