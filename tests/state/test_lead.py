"""The lead over a state: one at a time, gone with whoever had it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from state.open import open_store
from state.postgres.store import PostgresStore, open_postgres
from state.store import Store
from tests.postgres.server import Server
from tests.state.samples import URL, script


def test_one_leads_at_a_time(store: Store, another: Store) -> None:
    first = store.lead()
    assert first is not None
    assert first.held()
    assert another.lead() is None
    assert store.lead() is None
    first.close()
    assert not first.held()
    second = another.lead()
    assert second is not None
    assert second.held()
    assert not first.held()
    first.close()
    assert second.held()
    second.close()


def test_it_excludes_no_work(store: Store, another: Store) -> None:
    led = store.lead()
    assert led is not None
    with another.lock("apply"):
        assert led.held()
    led.close()


def test_it_outlives_the_handle(store: Store, another: Store) -> None:
    led = store.lead()
    assert led is not None
    store.close()
    assert led.held()
    assert another.lead() is None
    led.close()


_LEAD = """
import time
from pathlib import Path
from state.open import open_store
store = open_store(sys.argv[1], base_url=sys.argv[2], root=Path())
led = store.lead()
print(led is not None, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_killed_leader_leads_no_more(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("database") if kind == "postgres" else f"sqlite:///{tmp_path}/state.db"
    store = open_store(url, base_url=URL, create=True, root=tmp_path)
    with subprocess.Popen(script(_LEAD, url, URL), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert store.lead() is None
        process.kill()
        process.wait()
    led = None
    for _ in range(200):  # the server has to notice
        led = store.lead()
        if led is not None:
            break
    assert led is not None
    assert led.held()
    led.close()
    store.close()


def test_a_restarted_server_knows_of_no_leader(own_server: Server) -> None:
    url = own_server.url(own_server.create_database(), user="team")
    store: PostgresStore = open_postgres(url, base_url=URL, create=True)
    led = store.lead()
    assert led is not None
    own_server.restart()
    assert not led.held()
    again = store.lead()
    assert again is not None
    assert again.held()
    assert not led.held()
    again.close()
    store.close()
