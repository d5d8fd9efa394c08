"""Some SIGKILLs at points of the journal; ``python -m tests.campaign.kills`` does a thousand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.campaign.kills import campaign
from tests.campaign.points import points
from tests.campaign.scenarios import SCENARIOS, Workshop
from tests.campaign.states import KINDS, SqliteStates, States
from tests.campaign.subject import APPLY, Nursery, Wanted
from tests.service import FakeService


@pytest.mark.timeout(300)
def test_nothing_is_bought_twice_or_lost(tmp_path: Path, states: States) -> None:
    count = 50 if states.name == "sqlite" else 8
    figures = campaign(count, seed=7, workers=4, folder=tmp_path, states=states)
    assert figures.violations == []
    assert int(figures.counts["kills"]) >= count


@pytest.mark.timeout(300)
def test_a_session_that_is_lost_costs_nothing(tmp_path: Path, postgres_states: States) -> None:
    figures = campaign(6, seed=8, workers=4, folder=tmp_path, states=postgres_states, cut=True)
    assert figures.violations == []
    assert int(figures.counts["cuts"]) >= 6


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    with FakeService() as service, Nursery() as nursery:
        yield Workshop(tmp_path, service, nursery, SqliteStates())


def test_what_is_certain_by_now_is_recorded_by_the_next_apply(workshop: Workshop) -> None:
    subject = workshop.make("answer lost")
    assert subject.dying(*APPLY, point="before adopted") == "before adopted"
    assert list(subject.converge(rounds=1)) == []


def test_a_cancel_that_an_adoption_owes_is_done_by_the_same_apply(workshop: Workshop) -> None:
    subject = workshop.make("working runs replaced")
    assert subject.dying(*APPLY, point="before ACCEPTED, cancel owed") == "before ACCEPTED, cancel owed"
    assert list(subject.converge()) == []
    assert subject.left_over == 0
    assert len(subject.service.cancels) == 2


def test_a_double_purchase_would_be_found(workshop: Workshop) -> None:
    subject, wanted = workshop.make("answer lost"), SCENARIOS["answer lost"].wanted
    assert list(subject.converge()) == []
    assert list(subject.problems(wanted)) == []
    twin = subject.service.add_run(dict(subject.service.run_of(11).body))
    found = list(subject.problems(wanted))
    assert any("runs by size" in text for text in found)
    assert f"not recorded: ['{twin.id}']" in found
    assert any("current runs" in text for text in subject.problems(Wanted({"run.a": 10})))


@pytest.mark.parametrize("kind", KINDS)
def test_every_point_is_told_apart(kind: str) -> None:
    titles = [point.title for point in points(kind)]
    assert len(titles) == len(set(titles))
    only_of_files = {"older state"} if kind == "postgres" else set()
    assert {point.scenario for point in points(kind)} == set(SCENARIOS) - only_of_files
