"""Some pairs of concurrent applies; ``python -m tests.campaign.pairs`` makes two hundred."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaign.pairs import campaign
from tests.campaign.states import States


@pytest.mark.timeout(300)
def test_one_works_and_nothing_is_doubled(tmp_path: Path, states: States) -> None:
    count = 10 if states.name == "sqlite" else 3
    figures = campaign(count, seed=3, workers=2, folder=tmp_path, states=states)
    assert figures.violations == []
    following = count // 3
    assert figures.counts["runs bought"] == (count - following) * 3 + following * 5
    assert figures.by_point["refused: exit codes 0 and 5"] == count - 2 * following
