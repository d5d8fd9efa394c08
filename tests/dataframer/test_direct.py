"""The connection of our own asks and reads as httpx does; and it is used again only after a whole answer."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import trustme

from reconciler.dataframer.direct import Direct, suits
from reconciler.dataframer.outcomes import Answer, NoAnswer, Reply
from reconciler.dataframer.transport import MOST_BYTES, HttpTransport, NotNow
from reconciler.deadline import DeadlineTransport
from tests.dataframer.wire import raw_server

OK = b"HTTP/1.1 201 Created\r\n"
BODY = b'{"id": "r"}'
SIZED = b"content-length: 11\r\n\r\n" + BODY

SAME = {
    "sized": OK + SIZED,
    "until closed": OK + b"\r\n" + BODY,
    "an old version": b"HTTP/1.0 201 Created\r\n\r\n" + BODY,
    "no reason": b"HTTP/1.1 201\r\n" + SIZED,
    "an empty reason": b"HTTP/1.1 201 \r\n" + SIZED,
    "bare line feeds": b"HTTP/1.1 201 Created\ncontent-length: 11\n\n" + BODY,
    "chunks": OK + b"transfer-encoding: chunked\r\n\r\n4\r\n{\"id\r\n7;a=b\r\n\": \"r\"}\r\n0\r\n\r\n",
    "chunks and a trailer": OK + b"Transfer-Encoding: CHUNKED\r\n\r\nB\r\n" + BODY + b"\r\n000\r\nx-late: 1\r\n\r\n",
    "chunks and a length": OK + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "the same length twice": OK + b"content-length: 11\r\ncontent-length: 11\r\n\r\n" + BODY,
    "two lengths": OK + b"content-length: 11\r\ncontent-length: 5\r\n\r\n" + BODY,
    "a negative length": OK + b"content-length: -1\r\n\r\n" + BODY,
    "an endless length": OK + b"content-length: 99999999999999999999999\r\n\r\n" + BODY,
    "another coding": OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "no hex": OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    "a chunk that is too long": OK + b"transfer-encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
    "no last chunk": OK + b"transfer-encoding: chunked\r\n\r\nb\r\n" + BODY + b"\r\n",
    "a chunk without its end": OK + b"transfer-encoding: chunked\r\n\r\nb\r\n" + BODY,
    "no body": b"HTTP/1.1 204 No Content\r\n\r\n",
    "no body though it has a length": b"HTTP/1.1 304 Not Modified\r\ncontent-length: 11\r\n\r\n",
    "only a hint": b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nfoo",
    "repeated headers": OK + b"X-A: 1\r\nx-a:2 \r\nx-B:\t b c\t\r\n" + SIZED,
    "an empty header": OK + b"x-a:\r\n" + SIZED,
    "latin letters": OK + b"x-a: caf\xe9\r\n" + SIZED,
    "no colon": OK + b"x-a\r\n" + SIZED,
    "a space before the colon": OK + b"x-a : 1\r\n" + SIZED,
    "a zero byte": OK + b"x-a: \0\r\n" + SIZED,
    "an escape": OK + b"x-a: \x1b[2J\r\n" + SIZED,
    "a return in a header": OK + b"x-a: 1\rx-b: 2\r\n" + SIZED,
    "going on without a header": OK + b" x-a: 1\r\n" + SIZED,
    "nothing": b"",
    "an empty line": b"\r\n" + OK + SIZED,
    "half a head": OK + b"content-len",
    "half a body": OK + b"content-length: 12\r\n\r\n" + BODY,
    "no version": b"201 Created\r\n" + SIZED,
    "a short status": b"HTTP/1.1 20 Created\r\n" + SIZED,
    "a long status": b"HTTP/1.1 2011 Created\r\n" + SIZED,
    "a long header": OK + b"x-a: " + b"b" * 300_000 + b"\r\n" + SIZED,
    "packed": OK + b"content-encoding: gzip\r\n\r\n" + gzip.compress(BODY),
    "a refusal": b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
    "a chunk with another end": OK + b"transfer-encoding: chunked\r\n\r\n2\r\n{}xy0\r\n\r\n",
    "a signed chunk": OK + b"transfer-encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n",
    "no end after the last chunk": OK + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
    "two codings": OK + b"transfer-encoding: chunked\r\ntransfer-encoding: gzip\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a signed length": OK + b"content-length: +11\r\n\r\n" + BODY,
    "a length behind a return": OK + b"x-a: 1\rcontent-length: 2\r\n" + SIZED,
    "a second status": OK + b"HTTP/1.1 200 OK\r\n" + SIZED,
    "a line of a mailbox": OK + b"From me\r\n" + SIZED,
    "headers cut short": OK + b"content-length: 2",
    "a status of odd digits": b"HTTP/1.1 2_01 Created\r\n" + SIZED,
    "a space before the status": b" HTTP/1.1 201 Created\r\n" + SIZED,
    "no body though it is chunked": b"HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n",
    "first a hint": b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK + SIZED,
    "a header that goes on": OK + b"x-a: 1\r\n  more\r\n\tand more\r\n" + SIZED,
    "another version": b"HTTP/2.0 201 Created\r\n" + SIZED,
    "a length twice in one": OK + b"content-length: 11, 11\r\n\r\n" + BODY,
    "a space behind the length": OK + b"content-length: 11 \r\n\r\n" + BODY,
    "a space behind the coding": OK + b"transfer-encoding: chunked \r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "more than 100 headers": OK + b"x-a: 1\r\n" * 101 + SIZED,
    "parts that no parser takes": OK + b"content-type: multipart/x; boundary*=a; boundary*0=b\r\n" + SIZED,
    "unicode": OK + "x-a: café\r\n".encode() + SIZED,
}  # fmt: skip


def ask(answer: bytes, engine: Callable[[], httpx.BaseTransport] | None, pieces: int) -> Reply:
    def serve(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        step = max(len(answer) // pieces, 1)
        for start in range(0, len(answer), step):
            connection.sendall(answer[start : start + step])

    with raw_server(serve) as server:
        transport = HttpTransport(server.url, lambda: "key", engine)
        try:
            return transport.send("POST", "/runs/", json={"a": "é"}, seconds=5)
        finally:
            transport.close()


def plain() -> httpx.BaseTransport:
    return DeadlineTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


@pytest.mark.parametrize("pieces", [1, 40])
@pytest.mark.parametrize("answer", SAME.values(), ids=SAME)
def test_an_answer_is_read_as_httpx_reads_it(answer: bytes, pieces: int) -> None:
    ours, theirs = ask(answer, None, pieces), ask(answer, plain, pieces)
    if isinstance(theirs, Answer):
        assert isinstance(ours, Answer), ours
        assert (ours.status, ours.headers, ours.body) == (theirs.status, theirs.headers, theirs.body)
    else:
        assert isinstance(ours, NoAnswer)
        assert (ours.sent, ours.error) == (theirs.sent, theirs.error)


@pytest.mark.parametrize("line", [b"1\r\n", b"HTTP/1.1 200 OK\r\n"])
def test_what_is_no_header_may_stand_behind_the_last_chunk(line: bytes) -> None:
    """Nothing is read there: the answer is whole. httpx takes it for none."""
    answer = OK + b"transfer-encoding: chunked\r\n\r\nb\r\n" + BODY + b"\r\n0\r\n" + line + b"\r\n"
    ours = ask(answer, None, 1)
    assert isinstance(ours, Answer)
    assert (ours.status, ours.body) == (201, BODY)
    assert isinstance(ask(answer, plain, 1), NoAnswer)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("body", [None, {"a": "é"}])
def test_a_request_says_what_httpx_would_say(method: str, body: object) -> None:
    heard: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        while body is not None and not heard[-1].endswith(b"}"):  # httpx sends the body by itself
            heard[-1] += connection.recv(65536)
        connection.sendall(OK + SIZED)

    said = []
    for engine in (None, plain):
        with raw_server(serve) as server:
            heard = server.heard
            transport = HttpTransport(f"{server.url}/base", lambda: "key", engine)
            transport.send(method, "/a%20b/", json=body, seconds=5, query={"q": "x y&é"}, headers={"if-match": "a"})
            transport.close()
        head, _, sent = heard[-1].partition(b"\r\n\r\n")
        first, *lines = head.replace(server.url.removeprefix("http://").encode(), b"HOST").split(b"\r\n")
        names = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
        if sent:
            assert int(names[b"content-length"]) == len(sent)
        said.append((first.replace(b"%20b/", b"_").replace(b"+", b"%20"), names, sent))
    assert said[0] == said[1]


KEPT = {
    "sized": (OK + SIZED, 1),
    "chunks": (OK + b"transfer-encoding: chunked\r\n\r\nb\r\n" + BODY + b"\r\n0\r\n\r\n", 1),
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n", 1),
    "more than was asked for": (OK + SIZED + OK + b"content-length: 13\r\n\r\n" + b'{"id": "bad"}', 3),
    "framed in two ways": (OK + b"content-length: 11\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 3),
    "closing": (OK + b"Connection: x, Close\r\n" + SIZED, 3),
    "closing in a second header": (OK + b"Connection: x\r\nConnection: close\r\n" + SIZED, 3),
    "an old version": (b"HTTP/1.0 201 Created\r\n" + SIZED, 3),
    "an old version that would be kept": (b"HTTP/1.0 201 Created\r\nConnection: keep-alive\r\n" + SIZED, 3),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "connections"), KEPT.values(), ids=KEPT)
def test_a_connection_is_kept_only_after_a_whole_answer_and_nothing_else(answer: bytes, connections: int) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(answer)
        while connection.recv(65536):
            connection.sendall(answer)

    with raw_server(serve) as server:
        transport = HttpTransport(server.url, lambda: "key")
        replies = [transport.send("POST", "/", json={}, seconds=5) for _ in range(3)]
        transport.close()
    assert [isinstance(reply, Answer) and b"bad" not in reply.body for reply in replies] == [True] * 3
    assert server.connections == connections


def test_what_is_said_unasked_on_an_idle_connection_is_no_answer() -> None:
    said = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.sendall(OK + SIZED)
        connection.sendall(OK + b"content-length: 13\r\n\r\n" + b'{"id": "bad"}')
        said.set()
        while connection.recv(65536):
            pass

    with raw_server(serve) as server:
        transport = HttpTransport(server.url, lambda: "key")
        replies = []
        for _ in range(2):
            replies.append(transport.send("POST", "/", json={}, seconds=5))
            assert said.wait(5)
        transport.close()
    assert [isinstance(reply, Answer) and reply.body for reply in replies] == [BODY] * 2
    assert server.connections == 2


def test_an_answer_that_was_given_up_leaves_nothing_to_the_next_one() -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(OK + b"content-length: 3000000\r\n\r\n" + b"x" * (MOST_BYTES + 1))
        while connection.recv(65536):  # the rest comes with the next request
            connection.sendall(
                b"x" * (3_000_000 - MOST_BYTES - 1) + OK + b"content-length: 13\r\n\r\n" + b'{"id": "bad"}'
            )

    with raw_server(serve) as server:
        transport = HttpTransport(server.url, lambda: "key")
        replies = [transport.send("POST", "/", json={}, seconds=5) for _ in range(2)]
        transport.close()
    assert [isinstance(reply, NoAnswer) and reply.error for reply in replies] == ["AnswerTooLarge"] * 2
    assert server.connections == 2


def test_a_request_that_was_called_off_is_no_part_of_the_next_one() -> None:
    def call_off() -> None:
        raise NotNow("slept")

    with raw_server(lambda connection: connection.sendall(OK + SIZED)) as server:
        transport = HttpTransport(server.url, lambda: "key")
        replies = [transport.send("POST", f"/{n}", json={}, seconds=5, before_first_byte=call_off) for n in range(2)]
        transport.send("POST", "/last", json={}, seconds=5)
        transport.close()
    assert [isinstance(reply, NoAnswer) and reply.sent for reply in replies] == [False] * 2
    said = b"".join(server.heard)  # the connections that were given up said nothing
    assert said.startswith(b"POST /last ")
    assert said.count(b"POST") == 1


@pytest.mark.parametrize("key", ["canary\nkey", "canary key ", "canär", "canary\0"])
def test_a_key_that_no_header_can_hold_is_not_sent_and_not_told(key: str) -> None:
    with raw_server(lambda connection: connection.sendall(OK + SIZED)) as server:
        transport = HttpTransport(server.url, lambda: key)
        reply = transport.send("POST", "/", json={}, seconds=5)
        transport.close()
    assert isinstance(reply, NoAnswer)
    assert (reply.sent, server.connections) == (False, 0)
    assert "canar" not in reply.message


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://df.example", True),
        ("https://df.example:8443/a/base", True),
        ("http://127.0.0.1:80", True),
        ("http://[::1]:9", True),
        ("https://me:secret@df.example", False),
        ("https://bücher.example", False),
        ("https://df.example/é", False),
        ("https://df.example/a b", False),
        ("https://df.example/a/../b", False),
        ("https://df.example/?q", False),
        ("https://[fe80::1%25eth0]/", False),
        ("ftp://df.example", False),
        ("https://", False),
    ],
)
def test_an_odd_url_is_left_to_httpx(url: str, plain: bool) -> None:
    assert suits(url) is plain


class Secure:
    """TLS on loopback: two answers a connection, and how often it was opened."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self.opened = 0
        self.protocols: list[str | None] = []

    def __call__(self, connection: socket.socket) -> None:
        self.opened += 1
        try:
            with self._context.wrap_socket(connection, server_side=True) as secure:
                self.protocols.append(secure.selected_alpn_protocol())
                while secure.recv(65536):
                    secure.sendall(OK + SIZED)
        except OSError:
            return


@contextmanager
def secure(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Secure]]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    authority.issue_cert(name).configure_cert(context)
    serve = Secure(context)
    with raw_server(serve, read_first=False) as server:
        yield server.url.replace("http://127.0.0.1", "https://localhost"), serve


def test_tls_is_spoken_and_its_connection_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with secure("localhost", tmp_path, monkeypatch) as (url, server):
        transport = HttpTransport(url, lambda: "key")
        assert isinstance(transport._engine(), Direct)
        replies = [transport.send("POST", "/", json={}, seconds=5) for _ in range(3)]
        transport.close()
    assert [isinstance(reply, Answer) and reply.body for reply in replies] == [BODY] * 3
    assert (server.opened, server.protocols) == (1, ["http/1.1"])


def test_a_certificate_of_another_host_gets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with secure("other.example", tmp_path, monkeypatch) as (url, server):
        transport = HttpTransport(url, lambda: "key")
        reply = transport.send("POST", "/", json={}, seconds=5)
        transport.close()
    assert isinstance(reply, NoAnswer)
    assert (reply.sent, reply.error, server.protocols) == (False, "ConnectError", [])
    assert "certificate verify failed" in reply.message
