"""Some minutes of the controller; ``python -m tests.campaign.controller`` makes an hour of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.watching.backoff import Pace
from tests.campaign.controller import Counted, Weight, allowed, grown, hour, tries
from tests.campaign.faults import FAULTS
from tests.campaign.states import PostgresStates
from tests.postgres.server import Server

pytestmark = pytest.mark.timeout(200)
BY_NAME = {fault.name: fault for fault in FAULTS}


def test_it_recovers_without_a_hand_and_never_hurries(tmp_path: Path, own_server: Server) -> None:
    names = ("service: 500", "remote: silent", "state: killed", "service, then the state: killed")
    figures = hour(tmp_path, PostgresStates(own_server), [BY_NAME[name] for name in names], speed=75)
    assert figures.violations == []
    assert (figures.counts["faults"], figures.counts["runs"]) == (4, 5)


def test_without_its_back_off_it_would_be_found(tmp_path: Path, own_server: Server) -> None:
    fault = BY_NAME["remote: no such repository"]
    figures = hour(tmp_path, PostgresStates(own_server), [fault], speed=20, eager=True)
    assert any(" passes, of at most " in text for text in figures.violations)


def test_what_a_back_off_allows() -> None:
    pace = Pace(60.0)
    assert [tries(pace, seconds) for seconds in (1, 4, 5, 13, 14, 600)] == [1, 1, 2, 2, 3, 9]
    assert allowed(pace, 216, parts=1, replicas=1) == Counted(16, 128, 30, 96)


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (Weight(60_000_000, 3, 9, 0), []),
        (Weight(70_000_000, 3, 9, 0), ["memory grew"]),
        (Weight(60_000_000, 4, 10, 1), ["threads grew", "files grew", "children grew"]),
    ],
)
def test_what_has_grown_is_told(last: Weight, said: list[str]) -> None:
    found = list(grown([Weight(60_000_000, 3, 9, 0)] * 6 + [last] * 3))
    assert [text.partition(" from")[0].partition(" by")[0] for text in found] == said
