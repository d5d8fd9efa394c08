"""A state that may have lost runs: each address in a line, the ways out once, however many there are."""

from __future__ import annotations

from reconciler.model.run import Run, RunStatus
from reconciler.planning.diff import Recorded
from reconciler.planning.untracked import Match, refusals
from tests.planning.test_renames import creates, instances


def matches(count: int) -> list[Match]:
    actions = creates(instances("a", count, {}), Recorded())
    return [
        Match(action, Run(f"r-{number}", RunStatus.SUCCEEDED, "SUCCEEDED")) for number, action in enumerate(actions)
    ]


def test_the_ways_out_are_told_once() -> None:
    *each, last = refusals(matches(3), has_attempts=True)
    assert [found.fix for found in each] == ["", "", ""]
    assert "import --match" in last.fix
    assert "init --fresh" not in last.fix
    assert refusals([], has_attempts=True) == []


def test_a_new_environment_is_told_its_way() -> None:
    assert "init --fresh` (with the same --env)" in refusals(matches(1), has_attempts=False)[-1].fix


def test_thousands_are_counted() -> None:
    found = refusals(matches(3_000), has_attempts=False)
    assert len(found) == 21
    assert "2,980 more" in found[-1].detail
