"""Drives a wave in virtual time. Commits and answers take their time, so submissions really overlap; no threads."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reconciler.applying.submission import Commit, Committed, Effect, Event, Pace, Replied, Send, Stop, Tick, Wave
from reconciler.dataframer.outcomes import MAX_WAIT_SECONDS, Accepted, Later, Outcome
from reconciler.model.run import Run, RunStatus
from state.records import Phase

Answers = Callable[[str, int, float], Outcome]  # of an attempt, its how manyth try, and the time


def accepted(run_id: str = "r") -> Accepted:
    return Accepted(Run(run_id, RunStatus.PENDING, "PENDING"))


def scripted(outcomes: Sequence[Outcome]) -> Answers:
    """These in the order in which requests leave, then success."""
    left = list(outcomes)
    return lambda attempt_id, tries, now: left.pop(0) if left else accepted(attempt_id)


@dataclass
class Driver:
    """``stop_at``: when a stop is asked for, in seconds of virtual time. Asserts the protocol's rules as it goes."""

    wave: Wave
    answers: Answers
    seed: int = 1
    stop_at: float | None = None
    commit_seconds: float = 0.01
    answer_seconds: float = 0.2
    now: float = 0.0
    trace: list[str] = field(default_factory=list)
    durable: dict[str, Phase] = field(default_factory=dict)
    sent_at: list[tuple[float, str]] = field(default_factory=list)
    begun_at: list[float] = field(default_factory=list)  # when a SENDING was decided
    most_in_flight: int = 0
    _in_flight: set[str] = field(default_factory=set)
    _due: list[tuple[float, int, Event]] = field(default_factory=list)
    _count: int = 0
    _held_until: float = 0.0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def run(self) -> Driver:
        if self.stop_at is not None:
            self._later(self.stop_at, Stop("SIGINT"))
        self._handle(Tick())
        for _ in range(200_000):
            wake = self.wave.wake_at()
            if self.wave.finished and all(isinstance(event, Stop) for _, _, event in self._due):
                return self
            if wake is not None and (not self._due or wake <= self._due[0][0]):
                before = len(self.begun_at)
                self.now = max(self.now, wake)
                self._handle(Tick())
                assert len(self.begun_at) > before or self.wave.wake_at() != wake, "woken for nothing"
            else:
                assert self._due, "waits for nothing"
                self.now, _, event = heapq.heappop(self._due)
                self._handle(event)
        raise AssertionError("never ends")

    def tries(self, attempt_id: str) -> int:
        return sum(1 for _, sent in self.sent_at if sent == attempt_id)

    def _later(self, at: float, event: Event) -> None:
        self._count += 1
        heapq.heappush(self._due, (at, self._count, event))

    def _handle(self, event: Event) -> None:
        if isinstance(event, Committed):
            self._make_durable(event)
        if isinstance(event, Replied) and isinstance(event.outcome, Accepted):
            self._in_flight.discard(event.attempt_id)  # it is known what came of it
        if isinstance(event, Replied) and isinstance(event.outcome, Later):
            seconds = event.outcome.wait if event.outcome.wait is not None else 0.0
            self._held_until = max(self._held_until, self.now + min(seconds, MAX_WAIT_SECONDS))
        for effect in self.wave.handle(event, self.now):
            self._perform(effect)

    def _make_durable(self, event: Committed) -> None:
        self.trace.append(f"{self.now:.6f} {event.attempt_id} {event.phase}")
        self.durable[event.attempt_id] = event.phase
        if event.phase is not Phase.SENDING:
            self._in_flight.discard(event.attempt_id)

    def _perform(self, effect: Effect) -> None:
        attempt_id = effect.attempt_id
        match effect:
            case Commit(phase=phase):
                if phase is Phase.SENDING:
                    was = self.durable.get(attempt_id, Phase.PREPARED)
                    assert was is Phase.PREPARED, f"{attempt_id} is sent again after {was}"
                    assert not self.wave.stopped, "started after a stop"
                    assert self.now >= self._held_until, "started although the service asked everybody to wait"
                    self._in_flight.add(attempt_id)
                    self.begun_at.append(self.now)
                    self.most_in_flight = max(self.most_in_flight, len(self._in_flight))
                    assert len(self._in_flight) <= self.wave.pace.parallelism
                seconds = self.commit_seconds * self._random.uniform(0.5, 1.5)
                self._later(self.now + seconds, Committed(attempt_id, phase))
            case Send():
                assert self.durable[attempt_id] is Phase.SENDING, "sent without a durable SENDING"
                self.durable[attempt_id] = Phase.UNKNOWN  # till the answer is durable, nobody can know
                self.sent_at.append((self.now, attempt_id))
                outcome = self.answers(attempt_id, self.tries(attempt_id), self.now)
                self.trace.append(f"{self.now:.6f} {attempt_id} sent: {outcome}")
                seconds = self.answer_seconds * self._random.uniform(0.5, 1.5)
                self._later(self.now + seconds, Replied(attempt_id, outcome))


def drive(
    answers: Answers, count: int, pace: Pace | None = None, seed: int = 1, stop_at: float | None = None
) -> Driver:
    wave = Wave([f"a{number}" for number in range(count)], pace or Pace(), random.Random(seed))
    return Driver(wave, answers, seed, stop_at).run()
