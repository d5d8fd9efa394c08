"""Clients that are slow, or many, keep nobody else from an answer."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator

import pytest

from reconciler.watching import connections
from reconciler.watching.connections import MOST_WAITING
from tests.watching.test_http import _Served

GET = b"GET /healthz HTTP/1.1\r\nhost: here\r\n"
WAYS = {
    "in the head": b"GET /healthz HTT",
    "after nothing": b"",
    "in a header": GET + b"x-slow: ",
    "in a body that nobody reads": GET + b"content-length: 100000\r\n\r\n",
    "in a second request": GET + b"\r\n" + GET,
}


@pytest.fixture
def clients() -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        made = list[socket.socket]()
        stack.callback(lambda: [client.close() for client in made])
        yield made


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Served]:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.6)
    found = _Served("s3cret")
    with found.server:
        yield found


def opens(clients: list[socket.socket], served: _Served, count: int, begin: bytes) -> None:
    port = int(served.server.url.rpartition(":")[2])
    for _ in range(count):
        clients.append(socket.create_connection(("127.0.0.1", port), 10))
        with contextlib.suppress(ConnectionError):
            clients[-1].sendall(begin)


def ended(client: socket.socket) -> bool:
    """Whether the server has closed it; what it sent before is read."""
    with contextlib.suppress(ConnectionError):
        while select.select([client], [], [], 0)[0]:
            if not client.recv(65_536):
                return True
        return False
    return True


def drips(clients: list[socket.socket]) -> None:
    for client in clients:
        with contextlib.suppress(ConnectionError):
            client.sendall(b"a")


@pytest.mark.parametrize("way", WAYS)
def test_fifty_that_send_a_byte_now_and_then(served: _Served, clients: list[socket.socket], way: str) -> None:
    opens(clients, served, 50, WAYS[way])
    end = time.monotonic() + 20
    open_ones = list(clients)
    while open_ones:
        begun = time.monotonic()
        assert served.ask("GET", "/healthz", timeout=5).status_code == 200
        assert time.monotonic() - begun < 2
        drips(open_ones)
        open_ones = [client for client in open_ones if not ended(client)]
        assert begun < end, f"{len(open_ones)} are still open"


def test_of_very_many_the_oldest_give_way(
    served: _Served, clients: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 60.0)
    opens(clients, served, 5 * MOST_WAITING, b"GET /")
    for _ in range(3):
        assert served.ask("GET", "/healthz", timeout=5).status_code == 200
    left = [number for number, client in enumerate(clients) if not ended(client)]
    assert 0 < len(left) <= MOST_WAITING
    assert min(left) >= 4 * MOST_WAITING


def test_who_is_answered_slowly_is_not_cut_off(served: _Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly() -> dict[str, str]:
        time.sleep(3 * connections.HEAD_SECONDS)
        return {"reconcile": "soon"}

    monkeypatch.setattr(served.commands, "reconcile", slowly)
    assert served.ask("POST", "/reconcile", headers={"authorization": "Bearer s3cret"}).status_code == 200


def test_an_answer_that_nobody_waits_for_ends(
    served: _Served, clients: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(served.commands, "reconcile", lambda: time.sleep(2.0))
    opens(clients, served, 1, b"POST /reconcile HTTP/1.1\r\nhost: h\r\nauthorization: Bearer s3cret\r\n\r\n")
    clients[0].settimeout(1.5)
    with contextlib.suppress(ConnectionError):
        assert clients[0].recv(10) == b""
