"""Submitting as a state machine without I/O: events in, effects out.

One :class:`Wave` moves a set of submissions through their phases. Its caller performs the effects (commits, sends) and
hands the results back as events; clock and randomness are handed in. Threads drive it in production, a simulator may
drive the same code with a clock of its own. What it guarantees:

- SENDING is committed, and nothing else with it, before the request may leave.
- An outcome that is not certain is UNKNOWN, and is never sent again.
- Whatever is certain not to have been executed is committed as PREPARED before anyone waits.
- So many requests are on the wire at once as the pace allows. Who has an answer that names its run makes room for the
  next, whose SENDING may be committed together with that ACCEPTED: one sync for both.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct, field

from reconciler.dataframer.outcomes import MAX_WAIT_SECONDS, Accepted, Later, NotSent, Outcome, Rejected, Unknown
from reconciler.model.run import Run
from state.records import Phase

NOT_SENT_TRIES: Final = 5
LATER_TRIES: Final = 8
UNKNOWN_STREAK: Final = 3  # so many in a row, and submitting pauses
PAUSE_SECONDS: Final = 30.0
_BACKOFF_SECONDS: Final = 0.5


class Pace(Struct, frozen=True):
    """How fast. ``rate`` in submissions a second; 0 = no limit."""

    parallelism: int = 10
    rate: float = 0.0


# -- events ---------------------------------------------------------------------------------------------------------


class Committed(Struct, frozen=True):
    """The phase is durable."""

    attempt_id: str
    phase: Phase


class Replied(Struct, frozen=True):
    """What the reply to a send proves."""

    attempt_id: str
    outcome: Outcome


class Tick(Struct, frozen=True):
    """Time has passed."""


class Stop(Struct, frozen=True):
    """Start nothing more; what is in flight comes to its end."""

    reason: str


Event = Committed | Replied | Tick | Stop


# -- effects --------------------------------------------------------------------------------------------------------


class Commit(Struct, frozen=True):
    """Make the phase durable, then answer with Committed."""

    attempt_id: str
    phase: Phase
    note: str | None = None
    run: Run | None = None


class Send(Struct, frozen=True):
    """Send the create call once, then answer with Replied."""

    attempt_id: str


Effect = Commit | Send


def together(effects: Sequence[Effect]) -> list[tuple[Commit, ...] | Send]:
    """What followed from one event, as it is performed: its commits in one transaction, in their order."""
    commits = tuple(effect for effect in effects if isinstance(effect, Commit))
    sends = [effect for effect in effects if isinstance(effect, Send)]
    return [commits, *sends] if commits else [*sends]


class _State(Struct):
    not_sent: int = 0
    later: int = 0
    giving_up: bool = False
    note: str = ""


class Wave(Struct):
    """A set of submissions under one pace. Not thread-safe: its driver calls it under a lock of its own."""

    attempt_ids: Iterable[str]
    pace: Pace
    random: random.Random
    stopped: str = ""  # why nothing more is started
    unreachable: bool = False  # stopped, for nothing could be sent
    outcomes: dict[str, Phase] = field(default_factory=dict)  # by attempt id, once it has come to rest
    notes: dict[str, str] = field(default_factory=dict)
    _waiting: deque[str] = field(default_factory=deque)
    _states: dict[str, _State] = field(default_factory=dict)
    _in_flight: int = 0  # begun, and not at rest
    _under_way: int = 0  # of these, what takes up a place of the pace: no run is known of it
    _paused_until: float = 0.0
    _next_send: float = 0.0
    _streak: int = 0
    _probe: str = ""  # sent alone after a pause; those that were in flight already prove nothing of its kind

    def __post_init__(self) -> None:
        self._states = {attempt_id: _State() for attempt_id in self.attempt_ids}
        self._waiting.extend(self._states)

    @property
    def finished(self) -> bool:
        """Nothing is in flight, and nothing will be started."""
        return self._in_flight == 0 and (not self._waiting or bool(self.stopped))

    def wake_at(self) -> float | None:
        """When a Tick may start something that waits now; None if only an answer can."""
        if self.stopped or not self._waiting or self._under_way >= self._limit():
            return None
        return max(self._paused_until, self._next_send)

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event; ``now`` in seconds of a monotonic clock."""
        match event:
            case Committed():
                return [*self._committed(event), *self._start(now)]
            case Replied():
                return [self._replied(event.attempt_id, event.outcome, now), *self._next(event.outcome, now)]
            case Stop():
                self.stopped = self.stopped or event.reason
                return []
            case Tick():
                return self._start(now)

    def _limit(self) -> int:
        return 1 if self._streak >= UNKNOWN_STREAK else self.pace.parallelism  # one probe after a pause

    def _start(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        while self._waiting and not self.stopped and self._under_way < self._limit():
            if now < self._paused_until or now < self._next_send:
                break
            attempt_id = self._waiting.popleft()
            self._in_flight += 1
            self._under_way += 1
            self._probe = attempt_id if self._streak >= UNKNOWN_STREAK else ""
            if self.pace.rate:
                self._next_send = max(now, self._next_send) + 1.0 / self.pace.rate
            effects.append(Commit(attempt_id, Phase.SENDING))
        return effects

    def _next(self, outcome: Outcome, now: float) -> list[Effect]:
        """A run that is known makes room at once; what else an answer may mean, only when it is durable."""
        if not isinstance(outcome, Accepted):
            return []
        self._under_way -= 1
        return self._start(now)

    def _committed(self, event: Committed) -> list[Effect]:
        attempt_id, state = event.attempt_id, self._states[event.attempt_id]
        if event.phase is Phase.SENDING:
            if self.stopped:  # not sent yet: back, so that nobody has to wonder
                return [Commit(attempt_id, Phase.PREPARED, self.stopped)]
            return [Send(attempt_id)]
        self._in_flight -= 1
        if event.phase is not Phase.ACCEPTED:
            self._under_way -= 1
        if event.phase is Phase.PREPARED and not state.giving_up and not self.stopped:
            self._waiting.appendleft(attempt_id)  # first again: a service that is down is found out with a few
        else:
            self.outcomes[attempt_id] = event.phase
            self.notes[attempt_id] = state.note
        return []

    def _replied(self, attempt_id: str, outcome: Outcome, now: float) -> Effect:
        state = self._states[attempt_id]
        match outcome:
            case Accepted(run=run):
                self._streak = 0
                return Commit(attempt_id, Phase.ACCEPTED, run=run)
            case Rejected(why=why, stop=stop):
                self._streak = 0
                state.note = why
                if stop:
                    self.stopped = self.stopped or why
                return Commit(attempt_id, Phase.REJECTED, why)
            case Later(why=why, wait=wait):
                return self._later(attempt_id, state, why, wait, now)
            case NotSent(why=why):
                return self._not_sent(attempt_id, state, why, now)
            case Unknown(why=why):
                return self._unknown(attempt_id, state, why, now)

    def _later(self, attempt_id: str, state: _State, why: str, wait: float | None, now: float) -> Effect:
        state.note = why
        state.later += 1
        seconds = self._backoff(state.later) if wait is None else wait
        # The service asks all of us to slow down, not this one submission.
        self._paused_until = max(self._paused_until, now + min(seconds, MAX_WAIT_SECONDS))
        if state.later >= LATER_TRIES:
            state.giving_up = True
            self.stopped = self.stopped or f"the service kept refusing for now ({why})"
        return Commit(attempt_id, Phase.PREPARED, why)

    def _not_sent(self, attempt_id: str, state: _State, why: str, now: float) -> Effect:
        state.note = why
        state.not_sent += 1
        # The others would not get through either.
        self._paused_until = max(self._paused_until, now + self._backoff(state.not_sent))
        if state.not_sent >= NOT_SENT_TRIES:
            state.giving_up = True
            self.stopped = self.stopped or f"the service can't be reached ({why})"
            self.unreachable = True
        return Commit(attempt_id, Phase.PREPARED, why)

    def _unknown(self, attempt_id: str, state: _State, why: str, now: float) -> Effect:
        state.note = why
        self._streak += 1
        if attempt_id == self._probe:
            self.stopped = (
                self.stopped or f"{self._streak} submissions in a row have an unknown outcome (the last: {why})"
            )
        elif self._streak == UNKNOWN_STREAK:
            self._paused_until = max(self._paused_until, now + PAUSE_SECONDS)
        return Commit(attempt_id, Phase.UNKNOWN, why)

    def _backoff(self, tries: int) -> float:
        return min(_BACKOFF_SECONDS * 2.0**tries, 60.0) * self.random.uniform(0.5, 1.0)
