"""What a pooler does to a client that relies on its session: the same with ours as with the real PgBouncer."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.postgres.pgbouncer import PgBouncer, installed
from tests.postgres.pooler import Pooler
from tests.postgres.server import Server

AnyPooler = Pooler | PgBouncer


def connect(url: str, **options: Any) -> Connection[tuple[Any, ...]]:
    return psycopg.connect(url, autocommit=True, **options)


def one(connection: Connection[tuple[Any, ...]], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_the_server_itself_says_the_process_number_that_it_gave_for_cancelling(database: str) -> None:
    with connect(database) as connection:
        assert connection.info.backend_pid == one(connection, "SELECT pg_backend_pid()")


def test_a_pooler_gives_a_number_of_its_own(transaction_pooler: AnyPooler) -> None:
    with connect(transaction_pooler.url) as connection:
        assert connection.info.backend_pid != one(connection, "SELECT pg_backend_pid()")


def test_so_does_one_that_pools_sessions(session_pooler: AnyPooler) -> None:
    with connect(session_pooler.url) as connection:
        assert connection.info.backend_pid != one(connection, "SELECT pg_backend_pid()")


def test_clients_get_the_same_server_connection_and_what_others_left_in_it(transaction_pooler: AnyPooler) -> None:
    with connect(transaction_pooler.url) as first, connect(transaction_pooler.url) as second:
        assert one(first, "SELECT pg_backend_pid()") == one(second, "SELECT pg_backend_pid()")
        first.execute("SET lock_timeout = '7s'")
        assert one(first, "SELECT pg_try_advisory_lock(1)") is True
        assert one(second, "SHOW lock_timeout") == "7s"
        assert one(second, "SELECT pg_try_advisory_lock(1)") is True  # it is the holder
    with connect(transaction_pooler.url) as third:
        assert one(third, "SHOW lock_timeout") == "7s"


def test_a_transaction_has_its_connection_for_itself(transaction_pooler: AnyPooler) -> None:
    with connect(transaction_pooler.url) as first, connect(transaction_pooler.url) as second:
        with first.transaction():
            mine = one(first, "SELECT pg_backend_pid()")
            others = one(second, "SELECT pg_backend_pid()")
            assert others != mine
            assert one(first, "SELECT pg_backend_pid()") == mine
        with first.pipeline(), first.transaction():
            assert one(first, "SELECT 1") == 1


@pytest.mark.parametrize(("order", "same"), [("last used first", True), ("in turn", False)])
def test_which_of_several_connections_is_given_next(database: str, order: Any, same: bool) -> None:
    with Pooler(database, order=order) as pooler, connect(pooler.url) as first, connect(pooler.url) as second:
        with first.transaction():
            one(first, "SELECT 1")
            one(second, "SELECT 1")  # makes a second one
        pids = {one(first, "SELECT pg_backend_pid()") for _ in range(4)}
        assert len(pids) == (1 if same else 2)


@pytest.mark.parametrize("round_robin", ["0", "1"])
def test_that_is_the_order_of_pgbouncer_too(database: str, round_robin: str) -> None:
    if installed() is None:
        pytest.skip("PgBouncer is not installed")
    with (
        PgBouncer(database, server_round_robin=round_robin) as pooler,
        connect(pooler.url) as first,
        connect(pooler.url) as second,
    ):
        with first.transaction():
            one(first, "SELECT 1")
            one(second, "SELECT 1")
        pids = {one(first, "SELECT pg_backend_pid()") for _ in range(4)}
        assert len(pids) == (2 if round_robin == "1" else 1)


def test_a_client_that_leaves_within_a_transaction_costs_the_connection(transaction_pooler: AnyPooler) -> None:
    with connect(transaction_pooler.url) as second:
        first = connect(transaction_pooler.url)
        first.execute("BEGIN")
        first.execute("CREATE TABLE things (name text)")
        first.close()
        assert one(second, "SELECT to_regclass('things')") is None
        assert one(second, "SELECT pg_try_advisory_lock(1)") is True


def test_a_session_is_swept_when_its_client_leaves(session_pooler: AnyPooler) -> None:
    with connect(session_pooler.url) as first:
        pid = one(first, "SELECT pg_backend_pid()")
        first.execute("SET lock_timeout = '7s'")
        assert one(first, "SELECT pg_try_advisory_lock(1)") is True
        with connect(session_pooler.url) as second:
            assert one(second, "SELECT pg_try_advisory_lock(1)") is False
            assert one(first, "SHOW lock_timeout") == "7s"
    with contextlib.ExitStack() as others:  # each holds a connection, so the first client's comes back to one of them
        for _ in range(15):
            third = others.enter_context(connect(session_pooler.url))
            if one(third, "SELECT pg_backend_pid()") == pid:
                assert one(third, "SHOW lock_timeout") == "0"
                assert one(third, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
                return
            time.sleep(0.02)
    raise AssertionError("the connection never came back")


def test_what_can_not_be_carried_over_is_refused(transaction_pooler: AnyPooler) -> None:
    with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter"):
        connect(transaction_pooler.url, options="-c lock_timeout=7s")


def test_the_name_of_an_application_goes_with_its_client(transaction_pooler: AnyPooler) -> None:
    with (
        connect(transaction_pooler.url, application_name="it's me") as first,
        connect(transaction_pooler.url, application_name="another") as second,
    ):
        assert one(first, "SHOW application_name") == "it's me"
        assert one(second, "SHOW application_name") == "another"
        second.execute("SET application_name = 'third'")
        assert one(first, "SHOW application_name") == "it's me"
        assert one(second, "SHOW application_name") == "third"


def test_cancelling_works_through_it(transaction_pooler: AnyPooler) -> None:
    with connect(transaction_pooler.url) as connection:
        cancelling = threading.Timer(0.1, connection.cancel_safe)
        cancelling.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(60)")
        cancelling.join()
        assert one(connection, "SELECT 1") == 1


def test_a_server_that_ends_takes_its_clients_along(own_server: Server) -> None:
    with Pooler(own_server.url()) as pooler, connect(pooler.url) as idle:
        first = connect(pooler.url)
        first.execute("BEGIN")
        first.execute("SELECT 1")
        own_server.kill()
        with pytest.raises(psycopg.OperationalError):
            first.execute("SELECT 1")
        first.close()
        own_server.start()
        assert one(idle, "SELECT 1") == 1  # who had no transaction never notices
