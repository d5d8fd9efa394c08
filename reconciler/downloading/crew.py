"""Threads that carry out jobs, the urgent ones first. They end with the process: whatever they do may be cut short."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable
from typing import Final

from reconciler.downloading.fetch import Stopped

Job = Callable[[], None]
_LOOK_SECONDS: Final = 0.2
_LEAVING_SECONDS: Final = 1.0  # for what is under way and notices


class Crew:
    """``add`` jobs, also from within jobs; ``work`` returns when all are done."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._jobs: queue.PriorityQueue[tuple[int, int, Job | None]] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._idle = threading.Condition()
        self._open = 0
        self._failure: BaseException | None = None
        self._stopped = threading.Event()

    def add(self, job: Job, *, urgent: bool = False) -> None:
        """One more. A job that raises ends the work of all."""
        with self._idle:
            self._open += 1
        self._jobs.put((0 if urgent else 1, next(self._numbers), job))

    def stopped(self) -> bool:
        """Whether jobs had better end."""
        return self._stopped.is_set()

    def pause(self, seconds: float) -> None:
        """Wait. Raises Stopped when the work is stopped."""
        if self._stopped.wait(seconds):
            raise Stopped

    def work(self) -> None:
        """Carry out everything. Raises what a job raised, and KeyboardInterrupt, without waiting long for the others:
        they notice, or end with the process.
        """
        threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(self._size)]
        try:
            for thread in threads:
                thread.start()
            with self._idle:
                while self._open and self._failure is None:
                    self._idle.wait(_LOOK_SECONDS)
        finally:
            for _ in threads:
                self._jobs.put((-1, next(self._numbers), None))
            if self._open:  # a job has failed for all, or somebody wants to leave
                self._stopped.set()
                until = time.monotonic() + _LEAVING_SECONDS
                for thread in threads:
                    thread.join(max(0.0, until - time.monotonic()))
        if self._failure is not None:
            raise self._failure

    def _serve(self) -> None:
        while (job := self._jobs.get()[2]) is not None:
            try:
                if not self.stopped():
                    job()
            except Stopped:
                pass
            except BaseException as problem:  # noqa: BLE001 raised where everybody sees it
                self._failure = self._failure or problem
            finally:
                with self._idle:
                    self._open -= 1
                    self._idle.notify_all()
