"""Small storms; ``python -m tests.campaign.storm`` makes large ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaign.storm import STORM, Weather, storm


@pytest.mark.timeout(400)  # three unknown outcomes in a row make an apply pause for 30 s
@pytest.mark.parametrize("kills", [0, 4])
def test_it_converges_to_each_run_once(tmp_path: Path, kills: int) -> None:
    figures = storm(24, seed=211, kills=kills, parallelism=3, folder=tmp_path)
    # What is left open is held by a test of its own, in test_kills.py.
    assert figures.violations == []
    assert figures.counts["bought"] == 24
    assert sum(figures.by_point.values()) >= 4


def test_the_same_seed_gives_the_same_weather() -> None:
    def drawn(seed: int, sizes: list[int]) -> dict[int, object]:
        weather = Weather(STORM, seed)
        return {samples: weather({"number_of_samples": samples}) for samples in sizes}

    sizes = list(range(100, 400))
    assert drawn(1, sizes) == drawn(1, sizes[::-1])
    assert drawn(1, sizes) != drawn(2, sizes)
    bad = [answer for answer in drawn(1, sizes).values() if answer is not None]
    assert 0.25 < len(bad) / len(sizes) < 0.45
