"""Each contract test runs against every store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from state.memory.store import MemoryStore
from state.postgres.store import PostgresStore, open_postgres
from state.sqlite.store import SqliteStore, open_sqlite
from state.store import Store
from tests.state.samples import URL


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store
    if request.param == "sqlite":
        made = open_sqlite(tmp_path / "state.db", base_url=URL, create=True)
    elif request.param == "postgres":
        made = open_postgres(request.getfixturevalue("database"), base_url=URL, create=True)
    else:
        made = MemoryStore(URL)
    yield made
    made.close()


@pytest.fixture
def another(store: Store, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A second handle on the same state, as another process has one."""
    made: Store
    if isinstance(store, SqliteStore):
        made = open_sqlite(store.path, base_url=URL)
    elif isinstance(store, PostgresStore):
        made = open_postgres(request.getfixturevalue("database"), base_url=URL)
    else:
        assert isinstance(store, MemoryStore)
        made = store.another()
    yield made
    made.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "project" / "state.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[..., SqliteStore]]:
    """Opens the SQLite state in ``path``; closed after the test."""
    stores: list[SqliteStore] = []

    def open_it(*, base_url: str = URL, create: bool = True, read_only: bool = False) -> SqliteStore:
        stores.append(open_sqlite(path, base_url=base_url, create=create, read_only=read_only))
        return stores[-1]

    yield open_it
    for one in stores:
        one.close()
