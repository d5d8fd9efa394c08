"""Poolers: one that gives each transaction another session is refused, one that keeps sessions is not."""

from __future__ import annotations

import psycopg
import pytest

from state.errors import StateLocked, StatePooled
from state.postgres.store import open_postgres
from state.writes import Put
from tests.postgres.pgbouncer import PgBouncer
from tests.postgres.pooler import Pooler
from tests.state.samples import URL, attempt


@pytest.mark.parametrize("read_only", [False, True])
def test_a_pool_of_transactions_is_refused_and_nothing_sticks_to_its_sessions(
    transaction_pooler: Pooler | PgBouncer, database: str, read_only: bool
) -> None:
    open_postgres(database, base_url=URL, create=True).close()
    for _ in range(3):
        with pytest.raises(StatePooled, match="transaction mode") as caught:
            open_postgres(transaction_pooler.url, base_url=URL, read_only=read_only)
    assert "server itself" in caught.value.advice
    with psycopg.connect(transaction_pooler.url, autocommit=True) as client:
        assert client.execute("SHOW default_transaction_read_only").fetchone() == ("off",)
        assert client.execute("SHOW statement_timeout").fetchone() == ("0",)


def test_a_pool_of_transactions_that_others_use_is_refused_too(
    transaction_pooler: Pooler | PgBouncer, database: str
) -> None:
    open_postgres(database, base_url=URL, create=True).close()
    with psycopg.connect(transaction_pooler.url) as busy, psycopg.connect(transaction_pooler.url) as idle:
        busy.execute("SELECT 1")  # its transaction stays open, and keeps a session
        idle.execute("SELECT 1")
        idle.rollback()
        with pytest.raises(StatePooled):
            open_postgres(transaction_pooler.url, base_url=URL)


def test_a_pool_of_sessions_will_do(session_pooler: Pooler | PgBouncer, database: str) -> None:
    pooled = open_postgres(session_pooler.url, base_url=URL, create=True)
    direct = open_postgres(database, base_url=URL)
    with pooled.lock("apply") as mine:
        pooled.commit([Put(attempt())])
        assert direct.holder() == mine
        with pytest.raises(StateLocked), direct.lock("second"):
            pass
    with direct.lock("second"):
        assert [one.attempt_id for one in direct.attempts()] == ["a1"]
    pooled.close()
    direct.close()
