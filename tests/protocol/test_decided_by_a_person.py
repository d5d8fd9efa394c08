"""What only a person may decide: to send again, to give up, to say whose run it is."""

from __future__ import annotations

import pytest

from reconciler.applying.resolve import Abandon, Adopt, Resubmit
from reconciler.model.errors import UsageError
from state.records import Phase
from tests.protocol.scene import DEAD, MODEL, SPEC, Scene


def test_what_is_absent_is_not_sent_again_unasked() -> None:
    scene = Scene(10)
    scene.apply("dropped before")
    for _ in range(4):
        scene.world.pass_time(DEAD)
        scene.apply()
    assert scene.bought == []
    assert scene.attempt().phase is Phase.UNKNOWN
    scene.resolve("run.r0", Resubmit())
    scene.apply()
    assert len(scene.bought) == 1


@pytest.mark.parametrize("seconds", [0.0, 100.0, 800.0])
def test_nothing_is_sent_again_while_it_may_still_be_executed(seconds: float) -> None:
    scene = Scene(10)
    scene.apply("late")
    scene.world.late.clear()  # it is on its way for ever
    scene.world.pass_time(seconds)
    with pytest.raises(UsageError, match="can't be sent again yet"):
        scene.resolve("run.r0", Resubmit())
    assert "left as it is" in scene.resolve("run.*", Resubmit())[0]
    assert scene.attempt().phase is Phase.UNKNOWN


def test_a_glob_leaves_what_is_ambiguous() -> None:
    scene = Scene(10, 11)
    scene.apply("dropped after", "dropped before")
    for run in scene.bought:
        scene.world.execute(dict(run.body), None)
    scene.world.pass_time(DEAD)
    doubtful = scene.bought[0].origin
    assert doubtful is not None
    said = scene.resolve("run.*", Resubmit())
    assert sorted("left as it is" in line for line in said) == [False, True]
    assert scene.attempt(doubtful.address).phase is Phase.UNKNOWN
    scene.resolve(doubtful.address, Adopt(scene.bought[0].id))
    scene.apply()
    assert sorted(run.body["number_of_samples"] for run in scene.bought) == [10, 11]


def test_what_was_given_up_is_not_bought_by_the_next_apply() -> None:
    scene = Scene(10)
    scene.apply("dropped before")
    scene.resolve("run.r0", Abandon())
    assert scene.attempt().phase is Phase.ABANDONED
    for _ in range(2):
        scene.world.pass_time(DEAD)
        scene.apply()
    assert scene.bought == []


def test_a_run_that_another_submission_has_is_not_adopted() -> None:
    scene = Scene(10, 11)
    scene.apply("dropped before")
    (other,) = scene.bought
    lost = next(iter(scene.store.snapshot().open))
    with pytest.raises(UsageError, match="belongs to"):
        scene.resolve(lost, Adopt(other.id))


def test_a_second_run_that_fits_reopens_a_provisional_adoption() -> None:
    scene = Scene(10)
    scene.apply("dropped after")
    scene.world.pass_time(100.0)
    scene.apply()
    assert scene.attempt().provisional
    scene.world.execute({"spec_id": SPEC, "number_of_samples": 10, "generation_model": MODEL}, None)
    for seconds in (1.0, DEAD):
        scene.world.pass_time(seconds)
        assert scene.standing(scene.apply()) == {"run.r0": "ambiguous"}
        assert (scene.attempt().phase, scene.attempt().run_id) == (Phase.UNKNOWN, None)
    assert len(scene.bought) == 1


def test_what_was_given_up_is_not_bought_by_a_plan_of_before() -> None:
    scene = Scene(10)
    plan = scene.plan()
    scene.weather.faults = ["dropped before"]
    scene.process().apply(plan)
    scene.resolve("run.r0", Abandon())
    scene.process().apply(plan)
    assert scene.bought == []


def test_what_is_ambiguous_is_not_sent_again_while_it_may_still_be_executed() -> None:
    scene = Scene(10)
    scene.apply("late")
    for _ in range(2):
        scene.world.execute({"spec_id": SPEC, "number_of_samples": 10, "generation_model": MODEL}, None)
    with pytest.raises(UsageError, match="can't be sent again yet"):
        scene.resolve("run.r0", Resubmit())


def test_what_was_given_up_stays_so_where_a_run_had_been_adopted_provisionally() -> None:
    scene = Scene(10)
    scene.apply("dropped after")
    scene.world.pass_time(100.0)
    scene.resolve("run.r0", Abandon())
    assert scene.store.snapshot().open == {}
    scene.world.pass_time(DEAD)
    scene.settle()
    assert scene.attempt().phase is Phase.ABANDONED
