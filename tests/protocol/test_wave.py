"""The state machine of submissions, driven with a clock of its own: no threads, no network, no disk."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.applying.submission import (
    LATER_TRIES,
    NOT_SENT_TRIES,
    PAUSE_SECONDS,
    Commit,
    Committed,
    Effect,
    Event,
    Pace,
    Replied,
    Send,
    Stop,
    Tick,
    Wave,
    together,
)
from reconciler.dataframer.outcomes import Accepted, Later, NotSent, Outcome, Rejected, Unknown
from reconciler.model.run import Run, RunStatus
from state.records import Phase

Answers = Callable[[str, int, float], Outcome]


def accepted(run_id: str) -> Accepted:
    return Accepted(Run(run_id, RunStatus.PENDING, "PENDING"))


@dataclass
class World:
    """Performs effects at once and lets time jump to the next wake-up. Holds the protocol's rules as it goes."""

    wave: Wave
    answers: Answers
    stop_after_commits: int = 10**9
    now: float = 0.0
    trace: list[tuple[float, str]] = field(default_factory=list)
    phases: dict[str, Phase] = field(default_factory=dict)
    sends: dict[str, int] = field(default_factory=dict)
    sent_at: list[float] = field(default_factory=list)
    in_flight: set[str] = field(default_factory=set)
    most_in_flight: int = 0
    commits: int = 0

    def run(self) -> World:
        queue: list[Effect] = []
        event: Event | None = Tick()
        for _ in range(100_000):
            if event is not None:
                queue += self.wave.handle(event, self.now)
            if queue:
                event = self.perform(queue.pop(0))
                continue
            if self.wave.finished:
                return self
            wake = self.wave.wake_at()
            assert wake is not None, "waits for nothing"
            self.now = max(self.now, wake)
            event = Tick()
        raise AssertionError("never ends")

    def perform(self, effect: Effect) -> Event:
        match effect:
            case Commit():
                return self.commit(effect)
            case Send(attempt_id=attempt_id):
                assert self.phases[attempt_id] is Phase.SENDING, "sent without a durable SENDING"
                self.phases[attempt_id] = Phase.UNKNOWN  # until an answer is durable, nobody knows
                self.sends[attempt_id] = self.sends.get(attempt_id, 0) + 1
                self.sent_at.append(self.now)
                outcome = self.answers(attempt_id, self.sends[attempt_id], self.now)
                self.trace.append((self.now, f"send {attempt_id}: {outcome}"))
                return Replied(attempt_id, outcome)

    def commit(self, effect: Commit) -> Event:
        attempt_id, phase = effect.attempt_id, effect.phase
        if phase is Phase.SENDING:
            assert self.phases.get(attempt_id, Phase.PREPARED) is Phase.PREPARED, "sent again without certainty"
            self.in_flight.add(attempt_id)
            self.most_in_flight = max(self.most_in_flight, len(self.in_flight))
        else:
            self.in_flight.discard(attempt_id)
        self.phases[attempt_id] = phase
        self.trace.append((self.now, f"commit {attempt_id} {phase}"))
        self.commits += 1
        if self.commits == self.stop_after_commits:
            self.wave.handle(Stop("SIGINT"), self.now)
        return Committed(attempt_id, phase)


def world(answers: Answers, count: int = 1, pace: Pace | None = None, seed: int = 1, stop: int = 10**9) -> World:
    wave = Wave([f"a{n}" for n in range(count)], pace or Pace(), random.Random(seed))
    return World(wave, answers, stop).run()


def always(outcome: Outcome) -> Answers:
    return lambda attempt_id, tries, now: outcome


def test_accepted_at_once() -> None:
    done = world(lambda attempt_id, tries, now: accepted(attempt_id), count=25)
    assert set(done.wave.outcomes.values()) == {Phase.ACCEPTED}
    assert set(done.sends.values()) == {1}
    assert done.now == 0.0


@pytest.mark.parametrize(
    ("outcome", "follows"),
    [
        (accepted("r"), [Phase.ACCEPTED, Phase.SENDING]),
        (Rejected(400, "no", stop=False), [Phase.REJECTED]),
        (Unknown("?"), [Phase.UNKNOWN]),
        (Later(429, "slow", None), [Phase.PREPARED]),
        (NotSent("dns"), [Phase.PREPARED]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("stopped", [False, True])
def test_only_a_run_that_is_known_makes_room_before_its_answer_is_durable(
    outcome: Outcome, follows: list[Phase], stopped: bool
) -> None:
    wave = Wave(["a0", "a1", "a2"], Pace(1), random.Random(1))
    assert wave.handle(Tick(), 0.0) == [Commit("a0", Phase.SENDING)]
    assert wave.handle(Committed("a0", Phase.SENDING), 0.0) == [Send("a0")]
    if stopped:
        wave.handle(Stop("SIGINT"), 0.0)
    (commits,) = together(wave.handle(Replied("a0", outcome), 0.0))
    assert isinstance(commits, tuple)
    assert [commit.phase for commit in commits] == follows[: 1 if stopped else 2]
    assert [commit.attempt_id for commit in commits] == ["a0", "a1"][: len(commits)]
    assert not wave.finished
    if len(commits) == 2:  # the acceptance gives its place back once, not again when it is durable
        assert wave.handle(Committed("a0", Phase.ACCEPTED), 0.0) == []
        assert wave.wake_at() is None


def test_a_refusal_is_final_and_the_others_go_on() -> None:
    refused = Rejected(400, "no", stop=False)
    done = world(lambda attempt_id, tries, now: refused if attempt_id == "a1" else accepted(attempt_id), count=5)
    assert done.wave.outcomes["a1"] is Phase.REJECTED
    assert done.wave.notes["a1"] == "no"
    assert sum(phase is Phase.ACCEPTED for phase in done.wave.outcomes.values()) == 4
    assert done.sends["a1"] == 1


def test_a_wrong_key_stops_submitting_at_once() -> None:
    done = world(always(Rejected(401, "who?", stop=True)), count=50, pace=Pace(parallelism=1))
    assert sum(done.sends.values()) == 1
    assert done.wave.stopped == "who?"


def test_unknown_is_never_sent_again() -> None:
    done = world(lambda attempt_id, tries, now: Unknown("?") if attempt_id == "a0" else accepted(attempt_id), count=3)
    assert done.wave.outcomes["a0"] is Phase.UNKNOWN
    assert done.sends["a0"] == 1


def test_not_sent_is_tried_again_with_growing_jittered_pauses() -> None:
    done = world(always(NotSent("refused")))
    assert done.sends == {"a0": NOT_SENT_TRIES}
    assert done.wave.unreachable
    assert done.phases["a0"] is Phase.PREPARED
    pauses = [later - earlier for earlier, later in zip(done.sent_at, done.sent_at[1:], strict=False)]
    assert all(0.5 * 2.0**n * 0.5 <= pause <= 0.5 * 2.0**n for n, pause in enumerate(pauses, start=1))
    assert pauses == sorted(pauses)
    assert world(always(NotSent("refused")), seed=2).sent_at != done.sent_at


def test_what_was_not_sent_at_first_is_bought_once() -> None:
    done = world(lambda attempt_id, tries, now: accepted("r") if tries == 3 else NotSent("dns"))
    assert done.wave.outcomes == {"a0": Phase.ACCEPTED}


def test_retry_after_slows_everybody_down() -> None:
    def answers(attempt_id: str, tries: int, now: float) -> Outcome:
        return Later(429, "slow", 20.0) if now == 0.0 and attempt_id == "a0" else accepted(attempt_id)

    done = world(answers, count=10, pace=Pace(parallelism=1))
    assert set(done.wave.outcomes.values()) == {Phase.ACCEPTED}
    assert done.sent_at[0] == 0.0
    assert all(moment >= 20.0 for moment in done.sent_at[1:])


def test_refused_for_now_too_often_gives_up_resumably() -> None:
    done = world(always(Later(429, "slow", None)))
    assert done.sends["a0"] == LATER_TRIES
    assert done.wave.outcomes == {"a0": Phase.PREPARED}
    assert "slow" in done.wave.stopped
    assert not done.wave.unreachable


def test_three_unknowns_in_a_row_pause_then_one_probe_decides() -> None:
    done = world(always(Unknown("?")), count=40, pace=Pace(parallelism=1))
    assert sum(done.sends.values()) == 4
    assert done.sent_at[3] - done.sent_at[2] >= PAUSE_SECONDS
    assert "4 submissions in a row" in done.wave.stopped


def test_a_probe_that_succeeds_lets_the_others_go_on() -> None:
    def answers(attempt_id: str, tries: int, now: float) -> Outcome:
        return Unknown("?") if now < PAUSE_SECONDS else accepted(attempt_id)

    done = world(answers, count=20, pace=Pace(parallelism=1))
    assert sum(phase is Phase.UNKNOWN for phase in done.wave.outcomes.values()) == 3
    assert sum(phase is Phase.ACCEPTED for phase in done.wave.outcomes.values()) == 17
    assert done.wave.stopped == ""


@pytest.mark.parametrize("parallelism", [1, 3, 10])
def test_never_more_in_flight_than_allowed(parallelism: int) -> None:
    done = world(lambda attempt_id, tries, now: accepted(attempt_id), count=50, pace=Pace(parallelism))
    assert done.most_in_flight == parallelism


def test_the_rate_holds() -> None:
    done = world(lambda attempt_id, tries, now: accepted(attempt_id), count=20, pace=Pace(parallelism=10, rate=4.0))
    assert done.now == pytest.approx(19 / 4)


def test_a_stop_takes_back_what_was_not_sent() -> None:
    done = world(lambda attempt_id, tries, now: accepted(attempt_id), count=10, pace=Pace(parallelism=1), stop=5)
    # The third SENDING was durable when the stop came: it goes back to PREPARED, unsent.
    assert sum(done.sends.values()) == 2
    assert done.phases["a2"] is Phase.PREPARED
    assert "a3" not in done.phases


OUTCOMES = st.sampled_from(
    [
        accepted("r"),
        Rejected(400, "no", stop=False),
        Rejected(403, "no", stop=True),
        Later(429, "slow", None),
        Later(503, "slow", 3.0),
        NotSent("dns"),
        Unknown("?"),
    ]
)


def replay(outcomes: list[Outcome], count: int, parallelism: int, seed: int, stop: int) -> World:
    script: Iterator[Outcome] = iter(outcomes)
    return world(lambda *_: next(script, accepted("r")), count, Pace(parallelism), seed, stop)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(OUTCOMES, max_size=60),
    st.integers(1, 12),
    st.integers(1, 5),
    st.integers(0, 10**6),
    st.integers(1, 80),
)
def test_any_answers_in_any_order_keep_the_rules(
    outcomes: list[Outcome], count: int, parallelism: int, seed: int, stop: int
) -> None:
    done = replay(outcomes, count, parallelism, seed, stop)  # World asserts the rules as it goes
    assert done.most_in_flight <= parallelism
    assert set(done.phases.values()) <= {Phase.ACCEPTED, Phase.REJECTED, Phase.UNKNOWN, Phase.PREPARED}
    assert replay(outcomes, count, parallelism, seed, stop).trace == done.trace
