"""What a command says and does when its session with the state's server ends at a chosen point."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.campaign.scenarios import SCENARIOS, Workshop
from tests.campaign.states import PostgresStates
from tests.campaign.subject import APPLY, Nursery
from tests.service import FakeService

pytestmark = pytest.mark.timeout(200)


@pytest.fixture
def workshop(tmp_path: Path, postgres_states: PostgresStates) -> Iterator[Workshop]:
    with FakeService() as service, Nursery() as nursery:
        yield Workshop(tmp_path, service, nursery, postgres_states)


@pytest.mark.parametrize("point", ["inside SENDING", "before ACCEPTED"])
def test_it_is_said_in_words_and_the_next_apply_goes_on(workshop: Workshop, point: str) -> None:
    subject = workshop.make("new runs")
    assert subject.cut(*APPLY, point=point) == point
    (told,) = subject.told
    assert "exited with 1:" in told
    assert "is gone with the connection" in told or "the connection to it was lost" in told
    assert "psycopg" not in told
    if "ACCEPTED" in point:
        assert all(run_id in told for run_id in subject.service.run_ids)
    assert list(subject.converge()) == []
    assert list(subject.problems(SCENARIOS["new runs"].wanted)) == []


def test_progress_is_recorded_over_a_new_session(workshop: Workshop) -> None:
    subject = workshop.make("new runs")
    assert subject.cut(*APPLY, point="before observed", armed_by="after ACCEPTED") == "before observed"
    assert "exited with 0:" in subject.told[0]
    assert list(subject.problems(SCENARIOS["new runs"].wanted)) == []
