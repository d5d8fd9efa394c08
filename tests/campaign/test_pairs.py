"""Ten pairs of concurrent applies; ``python -m tests.campaign.pairs`` makes two hundred."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaign.pairs import campaign


@pytest.mark.timeout(300)
def test_one_works_and_nothing_is_doubled(tmp_path: Path) -> None:
    figures = campaign(10, seed=3, workers=2, folder=tmp_path)
    assert figures.violations == []
    assert figures.counts["runs bought"] == 7 * 3 + 3 * 5
    assert figures.by_point["refused: exit codes 0 and 5"] == 4
