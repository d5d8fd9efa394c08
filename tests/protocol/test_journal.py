"""What is durable at each moment of a submission, over the product's own recorder and a store."""

from __future__ import annotations

import pytest

from state.records import Phase
from tests.protocol.scene import Scene

P, S, A, U = Phase.PREPARED, Phase.SENDING, Phase.ACCEPTED, Phase.UNKNOWN


@pytest.mark.parametrize(
    ("faults", "phases"),
    [
        ([], [P, S, A]),
        (["slow down"], [P, S, P, S, A]),
        (["refused", "slow down", "refused"], [P, S, P, S, P, S, P, S, A]),
        (["dropped before"], [P, S, U]),
        (["slow down", "error after"], [P, S, P, S, U]),
        (["garbage"], [P, S, U]),
        (["late"], [P, S, U]),
    ],
    ids=repr,
)
def test_each_phase_is_committed_in_its_turn(faults: list[str], phases: list[Phase]) -> None:
    scene = Scene(10)
    scene.apply(*faults)
    assert scene.journal() == phases


@pytest.mark.parametrize("faults", [[], ["slow down"], ["refused"], ["dropped after"]], ids=repr)
def test_the_state_says_sending_before_the_first_byte(faults: list[str]) -> None:
    scene = Scene(10)
    seen: list[Phase] = []
    scene.world.watch = lambda: seen.append(scene.attempt().phase)
    scene.apply(*faults)
    assert set(seen) == {S}


@pytest.mark.parametrize("fault", ["slow down", "refused"])
def test_while_it_waits_the_state_says_that_it_was_not_executed(fault: str) -> None:
    scene = Scene(10)
    scene.apply(fault)
    entries = scene.store.journal(scene.attempt().attempt_id)
    taken_back, again = entries[2], entries[3]
    assert (taken_back.phase, again.phase) == (P, S)
    assert entries[1].at <= taken_back.at <= again.at
    assert taken_back.note


def test_after_a_sleep_between_the_commit_and_the_first_byte_it_is_decided_anew() -> None:
    scene = Scene(10)
    scene.apply("slept")
    assert scene.journal() == [P, S, P, S, A]
    assert len(scene.bought) == 1


def test_a_kill_at_any_step_never_leads_to_a_second_request() -> None:
    sent: list[int] = []
    for kill in range(1, 25):
        scene = Scene(10)
        scene.apply("none", kill=kill)
        for _ in range(3):
            scene.apply()
        sent.append(len(scene.bought))
        # Found as SENDING, it is unknown; what was never sent is bought by the next apply.
        assert scene.attempt().phase in (A, U)
        scene.world.pass_time(1000.0)
        scene.apply()
        assert len(scene.bought) <= 1
    assert max(sent) == 1
