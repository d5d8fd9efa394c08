"""Only a list that shows the newest run which is known to exist says anything about what it does not show."""

from __future__ import annotations

from tests.protocol.scene import DEAD, SPEC, Scene


def lost(*before: str) -> Scene:
    """A submission that never arrived, long ago; ``before``: whose runs were there, "ours" or a neighbour's."""
    scene = Scene(10, *([11] if "ours" in before else []))
    if "neighbour" in before:
        scene.world.execute({"spec_id": SPEC, "number_of_samples": 99}, None)
        scene.world.pass_time(1.0)
    scene.apply("dropped before")
    scene.world.pass_time(DEAD)
    return scene


def passes(scene: Scene, count: int, lag: float = 0.0) -> str:
    """How the submission stands after so many applies."""
    for _ in range(count):
        (standing,) = scene.standing(scene.apply(lag=lag)).values()
    return standing


def test_one_list_is_not_enough_for_absence() -> None:
    process = lost("ours").process()
    for expected in ("waiting", "absent"):
        (verdict,) = process.examiner.examine(process.store.snapshot(), process.client.list_runs()).values()
        assert verdict.standing.value == expected


def test_a_list_without_our_newest_run_proves_nothing() -> None:
    scene = lost("ours")
    assert passes(scene, 3, lag=10_000.0) == "waiting"
    assert passes(scene, 1) == "absent"


def test_a_list_without_the_newest_run_of_the_baseline_proves_nothing() -> None:
    scene = lost("neighbour")
    assert passes(scene, 3, lag=10_000.0) == "waiting"
    assert passes(scene, 1) == "absent"


def test_of_a_run_that_is_gone_the_next_newest_decides() -> None:
    scene = lost("neighbour", "ours")
    scene.world.runs.remove(scene.bought[0])
    assert passes(scene, 1) == "absent"


def test_where_all_known_runs_are_gone_a_list_proves_nothing() -> None:
    scene = lost("neighbour", "ours")
    scene.world.runs.clear()
    assert passes(scene, 3) == "waiting"


def test_where_no_run_is_known_an_empty_list_is_whole() -> None:
    assert passes(lost(), 1) == "absent"
