"""Small storms; ``python -m tests.campaign.storm`` makes large ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaign.states import PostgresStates, SqliteStates
from tests.campaign.storm import STORM, Weather, storm
from tests.postgres.server import Server


@pytest.mark.timeout(400)  # three unknown outcomes in a row make an apply pause for 30 s
@pytest.mark.parametrize("kills", [0, 4])
def test_it_converges_to_each_run_once(tmp_path: Path, kills: int) -> None:
    figures = storm(24, seed=211, kills=kills, parallelism=3, folder=tmp_path, states=SqliteStates())
    assert figures.violations == []
    assert figures.counts["bought"] == 24
    assert sum(figures.by_point.values()) >= 4


@pytest.mark.timeout(400)
def test_a_storm_over_the_server_of_the_state_costs_nothing(tmp_path: Path, own_server: Server) -> None:
    states = PostgresStates(own_server)
    figures = storm(12, seed=2, kills=0, parallelism=3, folder=tmp_path, states=states, faults=4)
    assert figures.violations == []
    assert figures.counts["bought"] == 12


def test_the_same_seed_gives_the_same_weather() -> None:
    def drawn(seed: int, sizes: list[int]) -> dict[int, object]:
        weather = Weather(STORM, seed)
        return {samples: weather({"number_of_samples": samples}) for samples in sizes}

    sizes = list(range(100, 400))
    assert drawn(1, sizes) == drawn(1, sizes[::-1])
    assert drawn(1, sizes) != drawn(2, sizes)
    bad = [answer for answer in drawn(1, sizes).values() if answer is not None]
    assert 0.25 < len(bad) / len(sizes) < 0.45
