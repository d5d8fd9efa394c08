"""The server of the tests does what tests of the product rely on."""

from __future__ import annotations

import select
import socket

import psycopg
import pytest

from tests.postgres import messages
from tests.postgres.server import Server


def test_each_test_has_a_fresh_database_that_it_owns(database: str, postgres: Server) -> None:
    other = postgres.create_database()
    for url in (database, postgres.url(other, user="team")):
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE things (name text)")
            assert connection.execute("SELECT count(*) FROM things").fetchone() == (0,)
            row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
            assert row == (False,)
    postgres.drop_database(other)


def test_it_keeps_what_was_committed_through_a_kill(own_server: Server) -> None:
    own_server.execute("CREATE TABLE things (name text); INSERT INTO things VALUES ('kept')")
    with psycopg.connect(own_server.url()) as connection:
        connection.execute("INSERT INTO things VALUES ('not committed')")
        own_server.kill()
        assert not own_server.running
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    own_server.start()
    assert own_server.execute("SELECT name FROM things") == [("kept",)]
    assert own_server.execute("SHOW fsync") == [("on",)]


def test_a_frozen_server_answers_nobody_until_it_thaws(own_server: Server) -> None:
    address = ("127.0.0.1", own_server.port)
    with psycopg.connect(own_server.url(), autocommit=True) as connection, socket.create_connection(address) as new:
        own_server.freeze()
        assert own_server.running
        connection.pgconn.send_query(b"SELECT 1")
        new.sendall(messages.ssl_request())
        assert select.select([connection.fileno(), new.fileno()], [], [], 0.2)[0] == []
        own_server.thaw()
        new.settimeout(10)
        assert new.recv(1) == b"N"
        result = connection.pgconn.get_result()
        assert result is not None
        assert result.get_value(0, 0) == b"1"
        assert connection.pgconn.get_result() is None


def test_a_frozen_server_can_be_killed(own_server: Server) -> None:
    with psycopg.connect(own_server.url()):
        own_server.freeze()
        own_server.kill()
    own_server.start()
    assert own_server.execute("SELECT 1") == [(1,)]


def test_a_copy_lacks_what_was_committed_after_it(own_server: Server) -> None:
    own_server.execute("CREATE TABLE things (name text)")
    kept = own_server.copy()
    own_server.execute("INSERT INTO things VALUES ('newer')")
    port = own_server.port
    own_server.restore(kept)
    assert own_server.port == port
    assert own_server.execute("SELECT name FROM things") == []


def test_settings_hold_from_the_next_start(own_server: Server) -> None:
    own_server.settings["synchronous_commit"] = "off"
    own_server.restart()
    assert own_server.execute("SHOW synchronous_commit") == [("off",)]


def test_a_server_that_can_not_start_shows_its_log(own_server: Server) -> None:
    own_server.stop()
    own_server.settings["shared_buffers"] = "nonsense"
    with pytest.raises(RuntimeError, match="nonsense"):
        own_server.start()


def test_a_role_with_a_password_needs_it(postgres: Server) -> None:
    role = postgres.role("odd role", "pass/word@'")
    with psycopg.connect(postgres.url(user=role, password="pass/word@'")) as connection:
        assert connection.info.user == "odd role"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url(user=role, password="wrong"))
    postgres.execute('DROP ROLE "odd role"')
