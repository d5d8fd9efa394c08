"""One round of the search for secrets; ``python -m tests.campaign.canary`` makes several."""

from __future__ import annotations

import base64
import urllib.parse
from pathlib import Path

import pytest

from tests.campaign.canary import NAMES, PARTS, Search, campaign
from tests.campaign.states import PostgresStates, SqliteStates
from tests.postgres.server import Server

ECHO = "echo"


@pytest.mark.timeout(300)
def test_no_secret_is_written(tmp_path: Path) -> None:
    parts = [part for part in PARTS if part != ECHO]
    figures = campaign(1, seed=1, folder=tmp_path, states=SqliteStates(), parts=parts)
    assert figures.violations == []
    assert figures.counts["tracebacks forced"] >= 5
    assert int(figures.counts["bytes searched"]) > 100_000


def test_what_the_service_repeats_is_not_written_either(tmp_path: Path) -> None:
    assert campaign(1, seed=1, folder=tmp_path, states=SqliteStates(), parts=[ECHO]).violations == []


@pytest.mark.timeout(300)
def test_the_password_of_a_database_is_not_written(tmp_path: Path, own_server: Server) -> None:
    figures = campaign(1, seed=2, folder=tmp_path, states=PostgresStates(own_server), parts=["server", "bad URLs"])
    assert figures.violations == []
    assert int(figures.counts["commands"]) > 60


SECRET = 'sk_live_canary_5f2/+ab=c&d"e%f0123456789'


@pytest.mark.parametrize(
    "leak",
    [
        SECRET,
        f"…{SECRET[:14]}…",
        SECRET[-14:],
        SECRET.encode().hex(),
        urllib.parse.quote(SECRET, safe=""),
        SECRET.replace('"', '\\"'),
        *(base64.b64encode(f"{'Bearer'[:length]}{SECRET} and more".encode()).decode() for length in range(1, 6)),
        base64.urlsafe_b64encode(f"x{SECRET}".encode()).decode(),
    ],
)
def test_a_leak_is_found_in_whatever_form(tmp_path: Path, leak: str) -> None:
    (tmp_path / "log").write_text(f"before {leak} after")
    (tmp_path / "spared").mkdir()
    (tmp_path / "spared" / "key").write_text(SECRET)
    search = Search(dict.fromkeys(NAMES[:1], SECRET))
    search.below(tmp_path, tmp_path / "spared", "a test")
    assert len(search.hits) == 1
    assert "in log after a test" in search.hits[0]
