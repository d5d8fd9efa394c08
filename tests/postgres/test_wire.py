"""What a wire does to a connection, and where the transaction then stands."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.postgres.server import Server
from tests.postgres.wire import Wire


@pytest.fixture
def wire(database: str) -> Iterator[Wire]:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE things (name text)")
    with Wire(database) as made:
        yield made


def things(database: str) -> int:
    with psycopg.connect(database) as connection:
        # Waits for whoever still writes.
        connection.execute("LOCK TABLE things")
        row = connection.execute("SELECT count(*) FROM things").fetchone()
        assert row is not None
        return int(row[0])


def insert(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO things VALUES ('x')")


def until_nobody_else_is_connected(postgres: Server, database: str) -> None:
    name = database.rpartition("/")[2]
    for _ in range(500):
        if postgres.execute(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'") == [(0,)]:
            return
        time.sleep(0.01)
    raise AssertionError("somebody is still connected")


@pytest.mark.parametrize(
    ("answers", "passed_on", "kept"), [(False, False, 0), (False, True, 1), (True, False, 1), (True, True, 1)]
)
def test_a_cut_at_the_commit(
    wire: Wire, postgres: Server, database: str, answers: bool, passed_on: bool, kept: int
) -> None:
    cut = wire.cut_at(b"COMMIT", answers=answers, passed_on=passed_on)
    assert not cut.done
    connection = psycopg.connect(wire.url)
    connection.execute("INSERT INTO things VALUES ('x')")
    if answers and passed_on:
        connection.commit()
        assert cut.wait()
    else:
        with pytest.raises(psycopg.OperationalError):
            connection.commit()
        assert cut.done
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()
    until_nobody_else_is_connected(postgres, database)
    assert things(database) == kept
    insert(wire.url)  # once only
    assert things(database) == kept + 1


def test_the_nth_message_in_a_pipeline_too(wire: Wire, database: str) -> None:
    cut = wire.cut_at(b"INSERT", nth=3)
    with psycopg.connect(wire.url, autocommit=True) as connection:
        connection.execute("INSERT INTO things VALUES ('1')")
        connection.execute("INSERT INTO things VALUES ('2')")
        with pytest.raises(psycopg.OperationalError), connection.pipeline():
            connection.execute("INSERT INTO things VALUES ('3')")
    assert cut.done
    assert things(database) == 2


def test_a_cut_after_some_bytes(wire: Wire, database: str) -> None:
    with psycopg.connect(wire.url) as connection:
        wire.cut_after_bytes(10)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("INSERT INTO things VALUES ('x')")
    assert things(database) == 0


def test_a_cut_of_everything_resets_both_sides(wire: Wire, postgres: Server, database: str) -> None:
    first, second = psycopg.connect(wire.url), psycopg.connect(wire.url)
    assert wire.connections == 2
    wire.cut()
    for connection in (first, second):
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
        connection.close()
    until_nobody_else_is_connected(postgres, database)
    insert(wire.url)
    assert things(database) == 1


def test_a_stall_holds_everything_until_it_is_over(wire: Wire, database: str) -> None:
    with psycopg.connect(wire.url, autocommit=True) as connection, ThreadPoolExecutor() as threads:
        wire.stall(requests=False)
        inserting = threads.submit(connection.execute, "INSERT INTO things VALUES ('x') RETURNING name")
        while not things(database):
            time.sleep(0.005)
        assert not inserting.done()
        wire.resume()
        assert inserting.result(10).fetchone() == ("x",)

        wire.stall()
        inserting = threads.submit(connection.execute, "INSERT INTO things VALUES ('x')")
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            psycopg.connect(wire.url, connect_timeout=2)
        assert things(database) == 1
        wire.resume()
        inserting.result(10)
        assert things(database) == 2


def test_a_refusing_wire_can_accept_again(wire: Wire, database: str) -> None:
    with psycopg.connect(wire.url) as connection:
        wire.refuse()
        with pytest.raises(psycopg.OperationalError, match="refused"):
            psycopg.connect(wire.url)
        connection.execute("INSERT INTO things VALUES ('x')")
    wire.accept()
    insert(wire.url)
    assert things(database) == 2


def test_a_delay_is_paid_in_each_direction(wire: Wire) -> None:
    with psycopg.connect(wire.url, autocommit=True) as connection:
        wire.delay(0.1)
        started = time.monotonic()
        connection.execute("SELECT 1")
        assert time.monotonic() - started >= 0.2
        wire.delay(0)


def test_something_else_can_be_done_at_a_message(own_server: Server) -> None:
    own_server.execute("CREATE TABLE things (name text)")
    with Wire(own_server.url()) as wire:
        killed = wire.at(b"COMMIT", own_server.kill)
        with pytest.raises(psycopg.OperationalError):
            insert(wire.url)
        assert killed.done
    own_server.start()
    assert own_server.execute("SELECT * FROM things") == []
