"""Some cases; ``python -m tests.campaign.setback`` makes more, of more kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaign.setback import campaign
from tests.campaign.states import PostgresStates
from tests.postgres.server import Server

pytestmark = pytest.mark.timeout(200)


@pytest.mark.parametrize("kind", ["fresh machine", "in the middle", "between two waves"])
def test_nothing_is_bought_again(tmp_path: Path, own_server: Server, kind: str) -> None:
    assert campaign(1, seed=1, folder=tmp_path, states=PostgresStates(own_server), kinds=[kind]).violations == []
