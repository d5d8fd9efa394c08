"""A server with TLS: who may connect, and what a client can find out about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import trustme

from tests.postgres.server import Server
from tests.postgres.tls import Tls


@pytest.fixture(scope="module")
def server(postgres_folder: None) -> Iterator[Server]:
    made = Server()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def tls(server: Server) -> Tls:
    return server.tls()


def test_a_client_that_verifies_everything_gets_in(tls: Tls, server: Server) -> None:
    with psycopg.connect(tls.url(user=server.role("secretive", "pass word"), password="pass word")) as connection:
        assert connection.pgconn.ssl_in_use
        row = connection.execute("SELECT repeat('x', 1000000)").fetchone()
        assert row == ("x" * 1_000_000,)
        row = connection.execute("SELECT length(%s)", ["x" * 1_000_000]).fetchone()
        assert row == (1_000_000,)


def test_a_client_that_wants_no_tls_does_not(tls: Tls) -> None:
    with pytest.raises(psycopg.OperationalError, match=r'no pg_hba.conf entry .*"team".*"some".*no encryption'):
        psycopg.connect(tls.url("some", "team", sslmode="disable"))


def test_another_host_name_is_noticed(tls: Tls) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        psycopg.connect(tls.url(host="127.0.0.1"))
    psycopg.connect(tls.url(host="127.0.0.1", sslmode="verify-ca")).close()


def test_another_authority_is_noticed(tls: Tls, tmp_path: Path) -> None:
    another = tmp_path / "another.pem"
    trustme.CA().cert_pem.write_to_path(another)
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(tls.url(sslrootcert=str(another)))
    psycopg.connect(tls.url(sslmode="require", sslrootcert="")).close()


def test_an_expired_certificate_is_noticed(own_server: Server) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"certificate (has expired|verify failed)"):
        psycopg.connect(own_server.tls(expired=True).url())
