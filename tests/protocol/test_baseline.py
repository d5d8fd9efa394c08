"""Runs that were there before a wave of submissions belong to none of them."""

from __future__ import annotations

import pytest

from state.records import Phase
from tests.protocol.scene import DEAD, MODEL, SPEC, Scene


@pytest.mark.parametrize("ago", [1.0, 200.0, 400.0])
def test_a_run_that_was_there_a_moment_before_is_never_adopted(ago: float) -> None:
    scene = Scene(10)
    scene.world.execute({"spec_id": SPEC, "number_of_samples": 10, "generation_model": MODEL}, None)
    scene.world.pass_time(ago)
    scene.apply("dropped before")
    for seconds in (100.0, DEAD):
        scene.world.pass_time(seconds)
        report = scene.apply()
        assert (scene.attempt().phase, scene.attempt().run_id) == (Phase.UNKNOWN, None)
    assert scene.standing(report) == {"run.r0": "absent"}


@pytest.mark.parametrize("fault", ["dropped after", "late"])
def test_a_run_that_came_since_is_adopted(fault: str) -> None:
    scene = Scene(10)
    scene.world.execute({"spec_id": SPEC, "number_of_samples": 10, "generation_model": MODEL}, None)
    scene.world.pass_time(1.0)
    scene.apply(fault)
    scene.world.pass_time(DEAD)
    scene.settle()
    assert scene.attempt().run_id == scene.bought[0].id
    assert not scene.attempt().provisional
