"""Threads that perform a wave's effects: each takes one, performs it, and hands the result back as an event."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from reconciler.applying.interruption import Interruption
from reconciler.applying.sending import Sender
from reconciler.applying.submission import Commit, Committed, Event, Replied, Send, Stop, Tick, Wave, together
from reconciler.dataframer import wirelog
from reconciler.dataframer.outcomes import Outcome

_STOP_POLL_SECONDS = 0.2
_WORTH_TELLING_SECONDS = 1.0


def drive(wave: Wave, sender: Sender, interruption: Interruption) -> None:
    """Drive a wave to its end with as many threads as its pace allows."""
    Submitter(wave, sender.commit, sender.send).run(interruption)


class Submitter:
    """Drives one wave to its end. ``commit`` returns once the phases that it is given are durable, in one transaction;
    ``send`` makes one create call.
    """

    def __init__(self, wave: Wave, commit: Callable[..., None], send: Callable[[str], Outcome]) -> None:
        self._wave = wave
        self._commit = commit
        self._send = send
        self._changed = threading.Condition()
        self._effects: deque[tuple[Commit, ...] | Send] = deque()
        self._failed = False
        self._done = False
        self._stop_reason: Callable[[], str] = str  # none

    def run(self, stop_reason: Callable[[], str]) -> None:
        """Perform everything. ``stop_reason`` is asked regularly; a text ends new submissions. Raises what a commit
        raises, after everything in flight came to its end; the notes of further failures are added to the first one's.
        """
        workers = self._wave.pace.parallelism
        self._stop_reason = stop_reason
        with ThreadPoolExecutor(workers, thread_name_prefix="submit") as pool:
            working = [pool.submit(self._work) for _ in range(workers)]
            try:
                self._feed(Tick())
                self._supervise(stop_reason)
            finally:
                with self._changed:
                    self._done = True
                    self._changed.notify_all()
        failures = [error for future in working if (error := future.exception()) is not None]
        for other in failures[1:]:
            for note in getattr(other, "__notes__", ()):
                failures[0].add_note(note)
        if failures:
            raise failures[0]

    def _supervise(self, stop_reason: Callable[[], str]) -> None:
        told: float | None = None
        while True:
            with self._changed:
                if self._wave.finished or (self._failed and not self._effects):
                    return
                wake_at = self._wave.wake_at()
                left = _STOP_POLL_SECONDS if wake_at is None else max(wake_at - time.monotonic(), 0.0)
                if left > _WORTH_TELLING_SECONDS and wake_at != told:
                    told = wake_at
                    wirelog.pausing(left)
                self._changed.wait(min(left, _STOP_POLL_SECONDS))
            reason = stop_reason()
            if reason:
                self._feed(Stop(reason))
            elif wake_at is not None and wake_at <= time.monotonic():
                self._feed(Tick())

    def _feed(self, event: Event) -> None:
        with self._changed:
            self._handle(event)
            self._changed.notify_all()

    def _handle(self, event: Event) -> None:
        self._effects.extend(together(self._wave.handle(event, time.monotonic())))

    def _work(self) -> None:
        events: Sequence[Event] = ()
        while (effect := self._next(events)) is not None:
            performed = False
            try:
                events = self._perform(effect)
                performed = True
            finally:
                if not performed:
                    self._fail()

    def _next(self, events: Sequence[Event]) -> tuple[Commit, ...] | Send | None:
        """Hand in what came of an effect, and take the next one; None: nothing is left. Whoever hands in an event goes
        on with what follows from it, and wakes others only for more than that: an answer leads to one transaction, and
        that to one send.
        """
        with self._changed:
            if events:
                if reason := self._stop_reason():  # before anything follows from the events: it may be a purchase
                    self._handle(Stop(reason))
                for event in events:
                    self._handle(event)
                if len(self._effects) != 1 or self._failed:  # none: the supervisor looks when to go on
                    self._changed.notify_all()
            while not self._effects and not self._done:
                self._changed.wait()
            return self._effects.popleft() if self._effects else None

    def _fail(self) -> None:
        """An effect could not be performed (the disk is full, say): start nothing more; the others finish theirs."""
        with self._changed:
            self._failed = True
            self._wave.handle(Stop("the state could not be written"), time.monotonic())
            self._changed.notify_all()

    def _perform(self, effect: tuple[Commit, ...] | Send) -> Sequence[Event]:
        if isinstance(effect, Send):
            return [Replied(effect.attempt_id, self._send(effect.attempt_id))]
        self._commit(*effect)
        return [Committed(commit.attempt_id, commit.phase) for commit in effect]
