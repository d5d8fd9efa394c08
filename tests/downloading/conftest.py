"""A depot, and a client of it that never waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconciler.dataframer.client import Client
from reconciler.dataframer.storage import Storage
from reconciler.dataframer.transport import HttpTransport
from tests.downloading.depot import KEY, Depot, depot


@pytest.fixture
def service() -> Iterator[Depot]:
    with depot() as made:
        yield made


@pytest.fixture
def client(service: Depot) -> Iterator[Client]:
    made = Client(HttpTransport(service.url, lambda: KEY), lambda seconds: None, storage=Storage(plain=True))
    yield made
    made.close()
