"""The transport over real sockets: a total deadline, and the evidence whether bytes left."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from reconciler.dataframer.outcomes import Answer, NoAnswer, Reply
from reconciler.dataframer.transport import HttpTransport, NotNow

Serve = Callable[[socket.socket], None]


@contextmanager
def server(serve: Serve) -> Iterator[tuple[str, list[bytes]]]:
    """A server that does what ``serve`` says with each connection; yields its URL and the requests' first bytes."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.05)
    heard: list[bytes] = []
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            connection.settimeout(5)
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    def handle(connection: socket.socket) -> None:
        with connection:
            try:
                heard.append(connection.recv(65536))
                serve(connection)
            except OSError:
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", heard
    finally:
        stop.set()
        thread.join()
        listening.close()


def post(url: str, seconds: float = 5.0, before_first_byte: Callable[[], None] | None = None) -> Reply:
    transport = HttpTransport(url, lambda: "canary-key")
    try:
        return transport.send("POST", "/runs/", json={"a": 1}, seconds=seconds, before_first_byte=before_first_byte)
    finally:
        transport.close()


def drip(head: bytes, drop: bytes, pause: float = 0.1) -> Serve:
    def serve(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(200):
            connection.sendall(drop)
            time.sleep(pause)

    return serve


@pytest.mark.parametrize(
    "serve",
    [
        drip(b"", b"H"),
        drip(b"HTTP/1.1 201 Created\r\n", b"x-a: b\r\n"),
        drip(b"HTTP/1.1 201 Created\r\ncontent-length: 1000\r\n\r\n", b"1"),
        lambda connection: time.sleep(3),
    ],
    ids=["status line", "headers", "body", "silence"],
)
def test_the_deadline_is_for_the_whole_exchange(serve: Serve) -> None:
    with server(serve) as (url, _):
        started = time.monotonic()
        reply = post(url, seconds=0.6)
        elapsed = time.monotonic() - started
    assert isinstance(reply, NoAnswer)
    assert reply.sent
    assert 0.5 < elapsed < 2.5


def answer(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 201 Created\r\nX-Thing: v\r\ncontent-length: 11\r\n\r\n{"id": "r"}')


def test_an_answer_is_whole() -> None:
    with server(answer) as (url, heard):
        reply = post(url)
    assert isinstance(reply, Answer)
    assert (reply.status, reply.headers["x-thing"], reply.body) == (201, "v", b'{"id": "r"}')
    assert b"authorization: bearer canary-key" in heard[0].lower()


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("url", ["", "http://no.such.host.invalid", "http://127.0.0.1:99999", "http://[::1"])
def test_nothing_left_when_there_is_no_connection(url: str) -> None:
    reply = post(url or closed_port())
    assert isinstance(reply, NoAnswer)
    assert not reply.sent


def test_tls_to_a_plain_port_sends_nothing() -> None:
    with server(answer) as (url, _):
        reply = post(url.replace("http://", "https://"))
    assert isinstance(reply, NoAnswer)
    assert not reply.sent


@pytest.mark.parametrize(
    "serve",
    [
        lambda connection: None,
        lambda connection: connection.sendall(b"HTTP/1.1 201 Cre"),
        lambda connection: connection.sendall(b'HTTP/1.1 201 Created\r\ncontent-length: 99\r\n\r\n{"id"'),
        lambda connection: connection.sendall(b"\x00\x01garbage\r\n\r\n"),
        lambda connection: connection.sendall(b"HTTP/1.1 201 Created\r\ncontent-encoding: gzip\r\n\r\nnot gzip"),
    ],
    ids=["closed", "half a status line", "half a body", "garbage", "broken encoding"],
)
def test_a_broken_answer_means_that_it_was_sent(serve: Serve) -> None:
    with server(serve) as (url, _):
        reply = post(url)
    assert isinstance(reply, NoAnswer)
    assert reply.sent


def test_a_redirect_is_an_answer_and_the_key_goes_nowhere_else() -> None:
    with server(answer) as (elsewhere, heard_elsewhere):
        location = elsewhere.encode()

        def redirect(connection: socket.socket) -> None:
            connection.sendall(b"HTTP/1.1 307 Moved\r\nlocation: %s/\r\ncontent-length: 0\r\n\r\n" % location)

        with server(redirect) as (url, heard):
            reply = post(url)
    assert isinstance(reply, Answer)
    assert reply.status == 307
    assert len(heard) == 1
    assert heard_elsewhere == []


def test_a_send_can_be_called_off_before_the_first_byte() -> None:
    def call_off() -> None:
        raise NotNow("slept")

    with server(answer) as (url, heard):
        reply = post(url, before_first_byte=call_off)
        time.sleep(0.2)
    assert isinstance(reply, NoAnswer)
    assert not reply.sent
    assert heard in ([], [b""])


def test_one_connection_serves_many_requests_of_a_thread() -> None:
    def keep_alive(connection: socket.socket) -> None:
        answer(connection)
        while connection.recv(65536):
            answer(connection)

    with server(keep_alive) as (url, heard):
        transport = HttpTransport(url, lambda: "key")
        statuses = [transport.send("GET", "/runs/", seconds=5) for _ in range(20)]
        transport.close()
    assert {reply.status for reply in statuses if isinstance(reply, Answer)} == {201}
    assert len(heard) == 1


def test_a_proxy_of_the_environment_is_never_used_for_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(answer) as (proxy, heard_by_proxy), server(answer) as (url, heard):
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("HTTP_PROXY", proxy)
        reply = post(url)
    assert isinstance(reply, Answer)
    assert len(heard) == 1
    assert heard_by_proxy == []
