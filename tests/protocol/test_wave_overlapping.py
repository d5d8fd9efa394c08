"""A wave whose submissions overlap in time: what each outcome leads to, and the rules that nothing may break."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.applying.submission import LATER_TRIES, NOT_SENT_TRIES, PAUSE_SECONDS, UNKNOWN_STREAK, Pace
from reconciler.dataframer.outcomes import MAX_WAIT_SECONDS, Later, NotSent, Outcome, Rejected, Unknown
from state.records import Phase
from tests.protocol.driver import accepted, drive, scripted


@pytest.mark.parametrize(
    ("outcome", "phase", "tries"),
    [
        (accepted(), Phase.ACCEPTED, 1),
        (Rejected(400, "no", stop=False), Phase.REJECTED, 1),
        (Rejected(401, "who", stop=True), Phase.REJECTED, 1),
        (Unknown("?"), Phase.UNKNOWN, 1),
        (NotSent("dns"), Phase.PREPARED, NOT_SENT_TRIES),
        (Later(429, "slow", None), Phase.PREPARED, LATER_TRIES),
        (Later(503, "slow", 2.0), Phase.PREPARED, LATER_TRIES),
    ],
    ids=repr,
)
def test_where_each_outcome_ends(outcome: Outcome, phase: Phase, tries: int) -> None:
    done = drive(lambda *_: outcome, 1)
    assert done.wave.outcomes == {"a0": phase}
    assert done.durable == {"a0": phase}
    assert done.tries("a0") == tries


@pytest.mark.parametrize("passing", [NotSent("dns"), Later(429, "slow", None), Later(425, "early", 1.0)], ids=repr)
def test_what_was_certainly_not_executed_is_sent_again_and_bought_once(passing: Outcome) -> None:
    done = drive(lambda attempt_id, tries, now: passing if tries < 3 else accepted(attempt_id), 20)
    assert set(done.wave.outcomes.values()) == {Phase.ACCEPTED}


@pytest.mark.parametrize("seed", range(5))
def test_back_off_grows_within_its_bounds_and_comes_from_the_seed(seed: int) -> None:
    done = drive(lambda *_: NotSent("dns"), 1, seed=seed)
    moments = [moment for moment, _ in done.sent_at]
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    slack = 0.4  # commits and the answer take their time as well
    for number, pause in enumerate(pauses, start=1):
        longest = 0.5 * 2.0**number
        assert longest * 0.5 <= pause <= longest + slack
    assert drive(lambda *_: NotSent("dns"), 1, seed=seed).trace == done.trace
    assert drive(lambda *_: NotSent("dns"), 1, seed=seed + 100).trace != done.trace


@pytest.mark.parametrize(("asked", "waited"), [(7.0, 7.0), (10_000.0, MAX_WAIT_SECONDS)])
def test_retry_after_holds_everybody_back(asked: float, waited: float) -> None:
    def answers(attempt_id: str, tries: int, now: float) -> Outcome:
        return Later(503, "slow", asked) if attempt_id == "a0" and tries == 1 else accepted(attempt_id)

    done = drive(answers, 30, Pace(parallelism=3))
    assert set(done.wave.outcomes.values()) == {Phase.ACCEPTED}
    gaps = [later - earlier for earlier, later in itertools.pairwise(done.begun_at)]
    assert waited <= max(gaps) <= waited + 0.5  # the answer took its time; the driver holds the rest


def test_the_longer_of_two_waits_holds() -> None:
    waits = {"a0": 20.0, "a1": 5.0}

    def answers(attempt_id: str, tries: int, now: float) -> Outcome:
        return Later(429, "slow", waits[attempt_id]) if tries == 1 and attempt_id in waits else accepted(attempt_id)

    done = drive(answers, 12, Pace(parallelism=2))
    assert [moment for moment in done.begun_at if 1.0 < moment < 19.0] == []


def test_a_wrong_key_starts_nothing_more_while_those_in_flight_end() -> None:
    done = drive(lambda *_: Rejected(401, "who", stop=True), 100, Pace(parallelism=4))
    assert done.wave.stopped == "who"
    assert len(done.sent_at) <= 8
    assert set(done.durable.values()) <= {Phase.REJECTED, Phase.PREPARED}


def test_unreachable_gives_up_resumably() -> None:
    done = drive(lambda *_: NotSent("refused"), 10, Pace(parallelism=2))
    assert done.wave.unreachable
    assert set(done.durable.values()) == {Phase.PREPARED}
    assert "can't be reached" in done.wave.stopped


@pytest.mark.parametrize("down", [NotSent("refused"), Later(429, "slow", None)], ids=repr)
def test_a_service_that_is_down_is_found_out_with_a_few(down: Outcome) -> None:
    """Nobody hurries ahead of the back-off, and those that failed are tried again before others are tried at all."""
    done = drive(lambda *_: down, 500, Pace(parallelism=10))
    assert len({attempt_id for _, attempt_id in done.sent_at}) <= 20
    assert done.wave.stopped
    assert done.now < 200.0
    assert set(done.durable.values()) == {Phase.PREPARED}


@pytest.mark.parametrize("parallelism", [1, 2, 3, 10])
def test_three_unknowns_in_a_row_pause_everybody_then_one_probe_lets_them_go_on(parallelism: int) -> None:
    """Those that were under way when the third came back are no probes."""

    def answers(attempt_id: str, tries: int, now: float) -> Outcome:
        return Unknown("?") if now < 1.0 else accepted(attempt_id)

    done = drive(answers, 40, Pace(parallelism))
    early = [moment for moment in done.begun_at if moment < 5.0]
    late = [moment for moment in done.begun_at if moment >= 5.0]
    assert len(early) < UNKNOWN_STREAK + parallelism
    assert done.wave.stopped == ""
    assert late[0] >= PAUSE_SECONDS
    assert late[1] - late[0] >= 0.1, "the probe is alone until its answer has come"
    assert sum(phase is Phase.ACCEPTED for phase in done.wave.outcomes.values()) == 40 - len(early)


@pytest.mark.parametrize("parallelism", [1, 2, 3, 10])
def test_a_failed_probe_ends_submitting(parallelism: int) -> None:
    done = drive(lambda *_: Unknown("?"), 40, Pace(parallelism))
    late = [moment for moment in done.begun_at if moment >= PAUSE_SECONDS]
    assert len(late) == 1
    assert "in a row" in done.wave.stopped
    assert set(done.durable.values()) == {Phase.UNKNOWN}


def test_an_answer_in_between_ends_the_row() -> None:
    row: list[Outcome] = [
        Unknown("?"),
        Unknown("?"),
        accepted(),
        Unknown("?"),
        Unknown("?"),
        Rejected(400, "no", False),
    ]
    done = drive(scripted(row * 3), 30, Pace(parallelism=1))
    assert done.wave.stopped == ""
    assert done.now < PAUSE_SECONDS


@pytest.mark.parametrize("rate", [2.0, 50.0])
@pytest.mark.parametrize("parallelism", [1, 4, 32])
def test_the_rate_is_never_exceeded(rate: float, parallelism: int) -> None:
    done = drive(lambda attempt_id, *_: accepted(attempt_id), 25, Pace(parallelism, rate))
    gaps = [later - earlier for earlier, later in itertools.pairwise(done.begun_at)]
    assert min(gaps) >= 1.0 / rate - 1e-9
    assert len(done.wave.outcomes) == 25


@pytest.mark.parametrize("parallelism", [1, 2, 7, 32])
def test_as_many_as_allowed_and_never_more(parallelism: int) -> None:
    assert drive(lambda *_: accepted(), 64, Pace(parallelism)).most_in_flight == parallelism


@pytest.mark.parametrize("moment", [0.0, 0.005, 0.012, 0.1, 0.25, 0.5])
def test_a_stop_leaves_nothing_in_doubt(moment: float) -> None:
    done = drive(lambda attempt_id, *_: accepted(attempt_id), 50, Pace(parallelism=4), stop_at=moment)
    assert done.wave.stopped == "SIGINT"
    assert set(done.durable.values()) <= {Phase.ACCEPTED, Phase.PREPARED}
    accepted_ones = {name for name, phase in done.durable.items() if phase is Phase.ACCEPTED}
    assert accepted_ones == {name for _, name in done.sent_at}
    assert len(done.durable) < 50


def test_a_stop_takes_back_a_sending_that_was_not_sent() -> None:
    done = drive(lambda attempt_id, *_: accepted(attempt_id), 4, Pace(parallelism=4), stop_at=0.001)
    assert done.sent_at == []
    assert set(done.durable.values()) == {Phase.PREPARED}
    assert [line.split()[2] for line in done.trace].count("SENDING") == 4


def test_nothing_to_do_is_finished_at_once() -> None:
    assert drive(lambda *_: accepted(), 0).trace == []


OUTCOMES = st.sampled_from(
    [
        accepted(),
        accepted(),
        Rejected(400, "no", stop=False),
        Rejected(402, "pay", stop=True),
        Later(429, "slow", None),
        Later(503, "slow", 4.0),
        NotSent("dns"),
        Unknown("?"),
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(OUTCOMES, max_size=40),
    st.integers(0, 15),
    st.builds(Pace, st.integers(1, 6), st.sampled_from([0.0, 0.0, 5.0])),
    st.integers(0, 2**32),
    st.none() | st.floats(0.0, 40.0),
)
def test_no_sequence_of_answers_breaks_the_rules(
    outcomes: list[Outcome], count: int, pace: Pace, seed: int, stop_at: float | None
) -> None:
    done = drive(scripted(outcomes), count, pace, seed, stop_at)  # the driver asserts the rules
    rests = {Phase.ACCEPTED, Phase.REJECTED, Phase.UNKNOWN, Phase.PREPARED}
    assert set(done.durable.values()) <= rests
    for name, phase in done.wave.outcomes.items():
        assert done.durable[name] is phase
    assert done.wave.stopped or len(done.wave.outcomes) == count
    assert drive(scripted(outcomes), count, pace, seed, stop_at).trace == done.trace
