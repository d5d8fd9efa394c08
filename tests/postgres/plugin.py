"""Fixtures for tests that need a PostgreSQL. No server is started until a test asks; each worker has its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.postgres.pgbouncer import PgBouncer
    from tests.postgres.pooler import Mode, Pooler
    from tests.postgres.server import Server


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[None]:
    """Where the servers of this worker live; gone afterwards."""
    from tests.postgres import folder

    yield
    folder.close_shared_folder()


@pytest.fixture(scope="session")
def postgres(postgres_folder: None) -> Iterator[Server]:
    """The server that the tests of this worker share: use ``database`` of it, and leave it running."""
    yield from _running_server()


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """The URL of a fresh database of the shared server, as its owner, an ordinary role."""
    name = postgres.create_database()
    yield postgres.url(name, user="team")
    postgres.drop_database(name)


@pytest.fixture
def own_server(postgres_folder: None) -> Iterator[Server]:
    """A running server of this test alone, which it may stop, kill and freeze."""
    yield from _running_server()


@pytest.fixture(params=["last used first", "in turn", "pgbouncer"])
def transaction_pooler(request: pytest.FixtureRequest, database: str) -> Iterator[Pooler | PgBouncer]:
    """A pooler before ``database`` that pools transactions; its ``url`` leads through it."""
    yield from _pooler(request.param, database, "transaction")


@pytest.fixture(params=["ours", "pgbouncer"])
def session_pooler(request: pytest.FixtureRequest, database: str) -> Iterator[Pooler | PgBouncer]:
    """A pooler before ``database`` that keeps a client's server connection until the client leaves."""
    yield from _pooler(request.param, database, "session")


def _pooler(kind: str, database: str, mode: Mode) -> Iterator[Pooler | PgBouncer]:
    from tests.postgres.pgbouncer import PgBouncer, installed
    from tests.postgres.pooler import Pooler

    if kind == "pgbouncer":
        if installed() is None:
            pytest.skip("PgBouncer is not installed")
        with PgBouncer(database, mode=mode) as real:
            yield real
    else:
        with Pooler(database, mode=mode, order="in turn" if kind == "in turn" else "last used first") as ours:
            yield ours


def _running_server() -> Iterator[Server]:
    from tests.postgres.server import Server

    server = Server()
    try:
        server.start()
        yield server
    finally:
        server.close()
