"""States of each kind, those in PostgreSQL on the server that the tests of a worker share."""

from __future__ import annotations

import pytest

from tests.campaign.states import KINDS, PostgresStates, SqliteStates, States


@pytest.fixture(params=KINDS)
def states(request: pytest.FixtureRequest) -> States:
    """The means for states of a kind."""
    return SqliteStates() if request.param == "sqlite" else PostgresStates(request.getfixturevalue("postgres"))


@pytest.fixture
def postgres_states(request: pytest.FixtureRequest) -> PostgresStates:
    """The means for states in PostgreSQL."""
    return PostgresStates(request.getfixturevalue("postgres"))
