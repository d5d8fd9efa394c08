"""The lock of a state in memory, and its epoch: what a file and a column are for the SQLite store."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from state.errors import StateLockDiffers, StateLocked, StateLockLost, StateNotLocked
from state.holder import describe
from state.records import Holder


class MemoryLock:
    """One lock for all handles of a state. ``guard`` is held for every step on the state."""

    def __init__(self, guard: threading.RLock) -> None:
        self.holder: Holder | None = None
        self.epoch = 0  # rises whenever the lock is taken or broken
        self._epoch_by = ""
        self._taken = threading.Lock()  # another one once it was broken
        self._guard = guard
        self._leads = threading.Lock()

    def check(self, epoch: int | None) -> None:
        """Raise StateLockLost if a lock of that epoch was broken, or taken by another since."""
        if epoch not in (None, self.epoch):
            raise StateLockLost(self._epoch_by)

    @contextmanager
    def acquire(self, command: str, timeout: float) -> Iterator[Holder]:
        """Hold the lock; raises StateLocked when somebody else still has it after ``timeout`` seconds."""
        lock = self._take(time.monotonic() + timeout)
        holder = describe(command)
        with self._guard:
            self.holder = holder
            self._raise(holder)
        try:
            yield holder
        finally:
            if self.holder is holder:
                self.holder = None
            lock.release()

    def lead(self) -> _Lead | None:
        """The lead, or None while another has it."""
        return _Lead(self._leads) if self._leads.acquire(blocking=False) else None

    def abolish(self, lock_id: str) -> Holder:
        """Break the lock with this id. Raises StateNotLocked and StateLockDiffers."""
        holder = self.holder
        if holder is None:
            raise StateNotLocked("in memory")
        if holder.lock_id != lock_id:
            raise StateLockDiffers(lock_id, holder)
        self._raise(describe("unlock"))
        self.holder, self._taken = None, threading.Lock()
        return holder

    def _take(self, deadline: float) -> threading.Lock:
        while True:
            lock, left = self._taken, deadline - time.monotonic()
            if not (lock.acquire(timeout=left) if left > 0 else lock.acquire(blocking=False)):
                raise StateLocked(self.holder or describe("unknown"))
            if lock is self._taken:
                return lock
            lock.release()  # it was broken while we waited for it

    def _raise(self, by: Holder) -> None:
        self.epoch, self._epoch_by = self.epoch + 1, str(by)


class _Lead:
    """A :class:`state.store.Leadership`."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock: threading.Lock | None = lock

    def held(self) -> bool:
        return self._lock is not None

    def close(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()
