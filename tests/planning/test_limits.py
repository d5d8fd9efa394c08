"""What is said of a plan within, or beyond, a limit."""

from __future__ import annotations

import pytest

from reconciler.model.limits import Limit
from reconciler.planning.limits import check_limits
from tests.planning.plans import action


@pytest.mark.parametrize(
    ("name", "count", "said"),
    [
        ("max_new_runs", 1, "1 new run, 5 are allowed"),
        ("max_new_runs", 2, "2 new runs, 5 are allowed"),
        ("max_cancel", 0, "0 runs to cancel or delete, 5 are allowed"),
    ],
)
def test_one_is_singular(name: str, count: int, said: str) -> None:
    (result,) = check_limits([Limit(name, 5)], [action(name=f"r{number}") for number in range(count)])
    assert (result.passed, result.found) == (True, said)
