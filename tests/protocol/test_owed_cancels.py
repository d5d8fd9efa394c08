"""A displaced run's cancel is promised with its successor's acceptance, not before it, and kept until it rests."""

from __future__ import annotations

import pytest

from reconciler.model.changes import Kind
from state.records import Phase
from tests.protocol.scene import DEAD, Scene


def replaced() -> tuple[Scene, str]:
    """A working run whose declaration has changed; and its id."""
    scene = Scene(10)
    scene.apply()
    scene.keep_working()
    scene.declare(20)
    return scene, scene.bought[0].id


@pytest.mark.parametrize("fault", ["none", "dropped after", "dropped before", "slow down"])
def test_nothing_is_owed_while_the_successor_is_not_accepted(fault: str) -> None:
    scene, _ = replaced()
    owed: list[list[str]] = []
    scene.world.watch = lambda: owed.append(scene.owed())
    scene.apply(fault)
    assert owed
    assert not any(owed)
    if scene.attempt().phase is Phase.UNKNOWN:
        assert scene.owed() == []
        assert not scene.bought[0].canceled


def test_whenever_the_successor_is_accepted_the_cancel_is_owed_or_done() -> None:
    accepted = 0
    for kill in range(1, 40):
        scene, old = replaced()
        scene.apply(kill=kill)
        if scene.attempt().phase is Phase.ACCEPTED and scene.attempt().number == 2:
            accepted += 1
            assert old in scene.owed() or scene.bought[0].canceled
    assert accepted > 3


def test_it_is_owed_until_the_run_rests_and_every_plan_shows_it() -> None:
    scene, old = replaced()
    scene.world.deaf = True
    scene.apply()
    for _ in range(2):
        assert scene.owed() == [old]
        (action,) = scene.plan().actions
        assert (action.kind, action.deposed, action.address) == (Kind.CANCEL, True, "run.r0")
        scene.apply()
    scene.world.deaf = False
    scene.apply()
    assert scene.owed() == []
    assert scene.bought[0].canceled
    assert scene.plan().actions == ()


def test_an_adopted_successor_displaces_the_run_as_well() -> None:
    scene, old = replaced()
    scene.apply("dropped after")
    scene.world.pass_time(100.0)
    scene.apply()
    assert scene.attempt().provisional
    assert scene.owed() == []
    assert not scene.bought[0].canceled
    scene.world.pass_time(DEAD)
    scene.settle()
    assert not scene.attempt().provisional
    assert scene.owed() == [old]


def test_an_apply_after_the_dead_time_stops_what_an_adopted_successor_displaced() -> None:
    scene, _ = replaced()
    scene.apply("dropped after")
    scene.world.pass_time(DEAD)
    scene.apply()
    scene.apply()
    assert scene.bought[0].canceled
