"""The threads that perform a wave: all of it is done, a failing commit ends it, and nothing in flight is lost."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence

import pytest

from reconciler.applying.sending import Sender
from reconciler.applying.submission import Commit, Pace, Wave
from reconciler.applying.submit import Submitter
from reconciler.dataframer.client import Client
from reconciler.dataframer.outcomes import NotSent, Outcome, Rejected, Unknown
from reconciler.dataframer.transport import HttpTransport
from state.errors import StateError, StateUnwritable
from state.records import AttemptRecord, Phase
from state.writes import Advance, Write
from tests.applying.recording import WatchedStore, begun, creates, phases
from tests.protocol.driver import accepted

WAIT = 20.0  # seconds that anything here may take


def never() -> str:
    return ""


class Submission:
    """Attempts in a store, and the wave over them."""

    def __init__(self, store: WatchedStore, count: int, pace: Pace) -> None:
        self.store = store
        self.recorder, self.prepared = begun(store, creates(count))
        self.ids = [item.attempt.attempt_id for item in self.prepared]
        self.wave = Wave(self.ids, pace, random.Random(1))


def refusing(*run_ids: str) -> WatchedStore:
    def refuse(writes: Sequence[Write]) -> None:
        for write in writes:
            if isinstance(write, Advance) and write.run_id in run_ids:
                raise StateUnwritable(f"The disk is full ({write.run_id}).", "Make room.")

    return WatchedStore(refuse)


@pytest.mark.parametrize("parallelism", [1, 10, 32])
def test_two_hundred_submissions(parallelism: int) -> None:
    made = Submission(WatchedStore(), 200, Pace(parallelism))
    guard, under_way, most, sends = threading.Lock(), 0, 0, list[str]()

    def send(attempt_id: str) -> Outcome:
        nonlocal under_way, most
        (attempt,) = [a for a in made.store.snapshot().open.values() if a.attempt_id == attempt_id]
        assert attempt.phase is Phase.SENDING
        with guard:
            sends.append(attempt_id)
            under_way += 1
            most = max(most, under_way)
        with guard:
            under_way -= 1
        number = made.ids.index(attempt_id)
        answers: list[Outcome] = [accepted(f"run-{number}"), Rejected(400, "no", False), Unknown("?")]
        return answers[(0, 1, 2, 0)[number % 4]]

    Submitter(made.wave, made.recorder.phase, send).run(never)
    assert sorted(sends) == sorted(made.ids)
    assert most <= parallelism
    assert made.wave.stopped == ""
    last = {key: steps[-1] for key, steps in phases(made.store, made.ids).items()}
    assert last == {key: made.wave.outcomes[key].value for key in made.ids}
    assert sorted(last.values()) == ["ACCEPTED"] * 100 + ["REJECTED"] * 50 + ["UNKNOWN"] * 50
    assert {steps[1] for steps in phases(made.store, made.ids).values()} == {"SENDING"}


def test_what_was_not_sent_is_sent_again_by_the_clock() -> None:
    made = Submission(WatchedStore(), 3, Pace(3))
    answers: Iterator[Outcome] = iter([NotSent("dns"), *[accepted(f"run-{n}") for n in range(3)]])
    Submitter(made.wave, made.recorder.phase, lambda attempt_id: next(answers)).run(never)
    assert set(made.wave.outcomes.values()) == {Phase.ACCEPTED}
    assert sorted(len(steps) for steps in phases(made.store, made.ids).values()) == [3, 3, 5]


def test_a_failing_commit_ends_it_and_raises_while_those_in_flight_are_recorded() -> None:
    made = Submission(refusing("run-0"), 50, Pace(5))
    all_sent, failed, sent = threading.Barrier(5), threading.Event(), set[str]()

    def send(attempt_id: str) -> Outcome:
        sent.add(attempt_id)
        number = made.ids.index(attempt_id)
        all_sent.wait(WAIT)
        if number:
            assert failed.wait(WAIT)
        return accepted(f"run-{number}")

    def commit(*effects: Commit) -> None:
        try:
            made.recorder.phase(*effects)
        except StateError:
            failed.set()
            raise

    with pytest.raises(StateUnwritable, match="run-0"):
        Submitter(made.wave, commit, send).run(never)
    assert "could not be written" in made.wave.stopped
    steps = phases(made.store, made.ids)
    assert [steps[key][-1] for key in made.ids[:5]] == ["SENDING"] + ["ACCEPTED"] * 4
    assert {steps[key][-1] for key in made.ids[5:]} == {"PREPARED"}
    assert sent == set(made.ids[:5])


def told(error: BaseException) -> str:
    """Everything that an error says, with its notes and whatever it holds or stands for."""
    parts = [str(error), *getattr(error, "__notes__", ())]
    inner = [*getattr(error, "exceptions", ()), error.__cause__, error.__context__]
    return "\n".join([*parts, *(told(other) for other in inner if other is not None)])


def test_every_run_that_could_not_be_recorded_is_named() -> None:
    """Two were bought, neither could be written: the ids of both must reach somebody."""
    made = Submission(refusing("run-0", "run-1"), 2, Pace(2))
    both_sent = threading.Barrier(2)

    def send(attempt_id: str) -> Outcome:
        both_sent.wait(WAIT)
        return accepted(f"run-{made.ids.index(attempt_id)}")

    def commit(*effects: Commit) -> None:
        try:
            made.recorder.phase(*effects)
        except StateError as error:  # as the sender does
            if effects[0].run is not None:
                error.add_note(f"Run {effects[0].run.id} was bought, and could not be recorded: keep its id.")
            raise

    with pytest.raises(BaseException, match=r"run-|sub-exceptions") as raised:
        Submitter(made.wave, commit, send).run(never)
    said = told(raised.value)
    assert [name for name in ("Run run-0", "Run run-1") if name not in said] == []


def test_a_store_that_takes_nothing_ends_at_once_and_sends_nothing() -> None:
    made = Submission(WatchedStore(), 40, Pace(10))
    made.store.close()
    sends: list[str] = []

    def send(attempt_id: str) -> Outcome:
        sends.append(attempt_id)
        return accepted()

    with pytest.raises(StateError):
        Submitter(made.wave, made.recorder.phase, send).run(never)
    assert sends == []


def test_a_reason_to_stop_lets_those_in_flight_end_and_starts_nothing_more() -> None:
    made = Submission(WatchedStore(), 100, Pace(4))
    under_way, asked = threading.Barrier(4), threading.Event()

    def send(attempt_id: str) -> Outcome:
        if made.ids.index(attempt_id) < 4:
            under_way.wait(WAIT)  # all four are on their way
            asked.set()
        return accepted(f"run-{made.ids.index(attempt_id)}")

    def stop_reason() -> str:
        return "SIGTERM" if asked.is_set() else ""  # as a signal: any answer may come before the wave hears of it

    Submitter(made.wave, made.recorder.phase, send).run(stop_reason)
    assert made.wave.stopped == "SIGTERM"
    last = [steps[-1] for steps in phases(made.store, made.ids).values()]
    assert last == ["ACCEPTED"] * 4 + ["PREPARED"] * 96


def test_an_error_of_a_send_is_raised_and_leaves_the_attempt_open() -> None:
    made = Submission(WatchedStore(), 1, Pace(1))

    def send(attempt_id: str) -> Outcome:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        Submitter(made.wave, made.recorder.phase, send).run(never)
    assert [attempt.phase for attempt in made.store.snapshot().open.values()] == [Phase.SENDING]


def test_an_empty_wave_is_over() -> None:
    wave = Wave([], Pace(3), random.Random(1))
    Submitter(wave, lambda effect: None, lambda attempt_id: accepted()).run(never)
    assert wave.finished


def test_an_acceptance_and_the_next_intent_are_one_transaction_and_more_is_not_sent_at_once() -> None:
    made = Submission(WatchedStore(), 40, Pace(4))
    begun_with = len(made.store.commits)
    number = made.ids.index
    Submitter(made.wave, made.recorder.phase, lambda attempt_id: accepted(f"run-{number(attempt_id)}")).run(never)
    steps = [
        [(write.attempt_id, write.phase) for write in commit if isinstance(write, Advance)]
        for commit in made.store.commits[begun_with:]
    ]
    assert len(steps) <= 41  # each answer but the last four, and at most four before them
    intents = [key for commit in steps for key, phase in commit if phase is Phase.SENDING]
    assert sorted(intents) == sorted(made.ids)
    open_ones: set[str] = set()
    for commit in steps:  # after none of them are more submissions in doubt than the pace allows
        open_ones.update(key for key, phase in commit if phase is Phase.SENDING)
        open_ones.difference_update(key for key, phase in commit if phase is not Phase.SENDING)
        assert len(open_ones) <= 4
    assert not open_ones


def test_an_acceptance_whose_transaction_fails_for_the_next_intent_is_rescued() -> None:
    def refuse(writes: Sequence[Write]) -> None:
        steps = [(write.attempt_id, write.phase) for write in writes if isinstance(write, Advance)]
        if steps and (made.ids[1], Phase.SENDING) in steps:
            raise StateUnwritable("The disk is full.", "Make room.")

    store = WatchedStore(lambda writes: refuse(writes))
    made = Submission(store, 2, Pace(1))
    rescued: list[str] = []
    sender = sending(made, rescued)
    with pytest.raises(StateUnwritable):
        Submitter(made.wave, sender.commit, lambda attempt_id: accepted("run-0")).run(never)
    assert phases(store, made.ids) == {made.ids[0]: ["PREPARED", "SENDING"], made.ids[1]: ["PREPARED"]}
    assert rescued == ["run-0"]
    assert sender.accepted == {}


def test_an_acceptance_that_cannot_be_written_is_rescued_and_nothing_follows_it() -> None:
    made = Submission(refusing("run-0"), 2, Pace(1))
    rescued: list[str] = []
    sender = sending(made, rescued)
    with pytest.raises(StateUnwritable) as raised:
        Submitter(made.wave, sender.commit, lambda attempt_id: accepted("run-0")).run(never)
    assert phases(made.store, made.ids) == {made.ids[0]: ["PREPARED", "SENDING"], made.ids[1]: ["PREPARED"]}
    assert rescued == ["run-0"]
    assert raised.value.__notes__ == ["Run run-0 was bought for run.r0, and is not recorded yet: kept."]


def sending(made: Submission, rescued: list[str]) -> Sender:
    """The product's sender over these attempts, without a network."""

    def rescue(attempt: AttemptRecord, run_id: str) -> str:
        rescued.append(run_id)
        return "kept"

    client = Client(HttpTransport("http://127.0.0.1:9", lambda: "key"))
    sender = Sender(client, made.recorder, 5.0, lambda ref: "", lambda event: None, rescue)
    sender.take(made.prepared)
    return sender
