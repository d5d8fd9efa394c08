"""The simulator: nothing is bought twice or lost; it repeats itself; and it notices when a part is taken out."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.campaign.simulation.__main__ import run_chunk, run_many, table
from tests.campaign.simulation.sabotage import SABOTAGES
from tests.campaign.simulation.schedule import run_schedule
from tests.campaign.simulation.world import CREATE_FAULTS

pytestmark = pytest.mark.timeout(300)


def test_nothing_is_bought_twice_or_lost() -> None:
    result = run_many(4000)
    assert result.violations == []
    assert result.bought > 4000
    assert result.ordered > 100
    met = {fault for fault, _ in result.tally}
    assert set(CREATE_FAULTS) - {"none"} <= met
    assert {"stale list", "two appliers", "a plan of before", "killed with another on the wire"} <= met
    assert {"SENDING", "ACCEPTED", "UNKNOWN", "PREPARED", "Baseline"} <= {
        phase for fault, phase in result.tally if fault.startswith("killed")
    }
    assert "dropped after" in table(result)


def test_the_same_seed_gives_the_same_trace() -> None:
    first = [run_schedule(seed, Counter(), traced=True).digest for seed in range(150)]
    again = [run_schedule(seed, Counter(), traced=True).digest for seed in range(150)]
    assert first == again
    assert len(set(first)) == 150


@pytest.mark.parametrize("part", sorted(SABOTAGES))
def test_without_a_part_of_the_protocol_it_finds_violations(part: str) -> None:
    assert run_chunk(range(500), part).violations
