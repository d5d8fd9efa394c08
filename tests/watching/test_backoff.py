"""When a part that failed is tried again."""

from __future__ import annotations

import pytest

from reconciler.watching.backoff import Backoff, Pace
from reconciler.watching.status import Part

PACE = Pace(interval=60.0, jitter=0.1, first=5.0, longest=600.0)


def test_each_failure_waits_twice_as_long_up_to_a_bound() -> None:
    backoff = Backoff(PACE, lambda: 0.5)
    waits = [backoff.failed(Part.GIT, 0.0) for _ in range(9)]
    assert waits == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 600.0, 600.0]


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 4.5), (1.0, 5.5)])
def test_waits_are_spread(chance: float, wait: float) -> None:
    assert Backoff(PACE, lambda: chance).failed(Part.STATE, 0.0) == pytest.approx(wait)


def test_a_thousand_failures_still_wait_the_longest() -> None:
    backoff = Backoff(PACE, lambda: 0.5)
    assert [backoff.failed(Part.GIT, 0.0) for _ in range(1_000)][-1] == 600.0


def test_parts_wait_on_their_own() -> None:
    backoff = Backoff(PACE, lambda: 0.5)
    backoff.failed(Part.SERVICE, 100.0)
    assert not backoff.may(Part.SERVICE, 104.9)
    assert backoff.may(Part.SERVICE, 105.0)
    assert backoff.may(Part.GIT, 100.0)
    assert backoff.due(100.0) == 105.0


def test_a_part_that_waits_for_another_hurries_nobody() -> None:
    backoff = Backoff(PACE, lambda: 0.5)
    backoff.failed(Part.SERVICE, 100.0)
    for _ in range(3):
        backoff.failed(Part.STATE, 104.0)
    assert backoff.due(104.0) == 105.0
    assert backoff.due(105.0) == 124.0  # the service was not asked then: without the state there is nothing to ask


def test_success_and_a_new_revision_begin_anew() -> None:
    backoff = Backoff(PACE, lambda: 0.5)
    for part in (Part.GIT, Part.STATE):
        for _ in range(5):
            backoff.failed(part, 0.0)
    assert backoff.worked(Part.GIT)
    assert not backoff.worked(Part.GIT)
    assert backoff.failed(Part.GIT, 0.0) == 5.0
    backoff.reset()
    assert backoff.due(0.0) is None
    assert backoff.failed(Part.STATE, 0.0) == 5.0
