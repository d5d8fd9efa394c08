"""Every way in which the layers below can fail, at every point of an exchange, becomes a reply with the evidence."""

from __future__ import annotations

import gzip
import inspect
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator

import httpcore
import httpx
import pytest

from reconciler.dataframer.outcomes import Answer, NoAnswer, NotSent, Reply, Unknown, judge_create
from reconciler.dataframer.transport import TRANSPORT_ERRORS, HttpTransport, NotNow
from tests.dataframer.wire import raw_server

WHOLE = b'HTTP/1.1 201 Created\r\ncontent-length: 11\r\n\r\n{"id": "r"}'


def subclasses(root: type[BaseException]) -> Iterator[type[BaseException]]:
    for kind in root.__subclasses__():
        yield kind
        yield from subclasses(kind)


def network_errors() -> list[type[Exception]]:
    """What the engine below httpx may raise: httpcore's own, and the sockets'."""
    own = [item for _, item in inspect.getmembers(httpcore, inspect.isclass) if issubclass(item, Exception)]
    own.remove(httpcore.ConnectionNotAvailable)  # a word of the pool to itself: it would try for ever
    sockets = [OSError, ConnectionResetError, BrokenPipeError, TimeoutError, socket.gaierror, ssl.SSLError]
    return [*own, *sockets, ssl.SSLCertVerificationError, ssl.SSLEOFError, ValueError, UnicodeError]


class Failing(httpcore.NetworkStream):
    """A connection that fails in one of its steps."""

    def __init__(self, step: str, error: type[Exception]) -> None:
        self._step, self._error = step, error

    def fail(self, step: str) -> None:
        if step == self._step:
            raise self._error("made to fail")

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.fail("read")
        return WHOLE

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.fail("write")

    def close(self) -> None:
        return

    def get_extra_info(self, info: str) -> object:
        return None


class Backend(httpcore.NetworkBackend):
    """A network whose connections fail in one step."""

    def __init__(self, step: str, error: type[Exception]) -> None:
        self._stream = Failing(step, error)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        self._stream.fail("connect")
        return self._stream


def over(backend: httpcore.NetworkBackend) -> Callable[[], httpx.BaseTransport]:
    def make() -> httpx.BaseTransport:
        made = httpx.HTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))  # reads no certificates: quick
        made._pool._network_backend = backend
        return made

    return make


def test_the_failing_network_works_when_it_does_not_fail() -> None:
    transport = HttpTransport("http://host", lambda: "key", over(Backend("never", OSError)))
    assert isinstance(transport.send("POST", "/", seconds=5), Answer)


@pytest.mark.parametrize("error", network_errors(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
@pytest.mark.parametrize(("step", "sent"), [("connect", False), ("write", True), ("read", True)])
def test_no_error_of_the_network_escapes(error: type[Exception], step: str, sent: bool) -> None:
    transport = HttpTransport("http://host", lambda: "key", over(Backend(step, error)))
    reply = transport.send("POST", "/", json={"a": 1}, seconds=5)
    if (step, error) == ("write", httpcore.WriteError):  # a service may answer, and close, before it has read all
        assert isinstance(reply, Answer)
        return
    assert isinstance(reply, NoAnswer)
    assert reply.sent is sent
    assert isinstance(judge_create(reply), Unknown if sent else NotSent)


def test_every_exception_of_httpx_also_those_it_does_not_export_is_caught() -> None:
    every = {
        kind for root in (httpx.HTTPError, httpx.StreamError, RuntimeError, Exception) for kind in subclasses(root)
    }
    of_httpx = {kind for kind in every if kind.__module__.split(".")[0] == "httpx"}
    assert len(of_httpx) > 20
    assert {kind for kind in of_httpx if not issubclass(kind, TRANSPORT_ERRORS)} == set()


def test_every_exception_of_httpx_thrown_by_a_transport_becomes_a_reply() -> None:
    request = httpx.Request("GET", "http://host")
    made: list[Exception] = []
    for _, kind in inspect.getmembers(httpx, inspect.isclass):
        if not issubclass(kind, Exception):
            continue
        if issubclass(kind, httpx.HTTPStatusError):
            made.append(kind("x", request=request, response=httpx.Response(500)))
        elif issubclass(kind, (httpx.StreamConsumed, httpx.StreamClosed, httpx.ResponseNotRead, httpx.RequestNotRead)):
            made.append(kind())
        else:
            made.append(kind("x"))
    assert len(made) > 20
    for error in made:

        class Throwing(httpx.BaseTransport):
            error_to_throw = error

            def handle_request(self, request: httpx.Request) -> httpx.Response:
                raise self.error_to_throw

        reply = HttpTransport("http://host", lambda: "key", Throwing).send("GET", "/", seconds=5)
        assert isinstance(reply, NoAnswer), error
        assert reply.error == type(error).__name__


def exchange(url: str, seconds: float = 5.0, key: str = "key", before: Callable[[], None] | None = None) -> Reply:
    transport = HttpTransport(url, lambda: key)
    try:
        return transport.send("POST", "/runs/", json={"a": 1}, seconds=seconds, before_first_byte=before)
    finally:
        transport.close()


def drip(head: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(60):
            connection.sendall(drop)
            time.sleep(0.03)

    return serve


@pytest.mark.parametrize(
    "serve",
    [
        drip(b"", b"H"),
        drip(b"HTTP/1.1 201 Created\r\n", b"a: b\r\n"),
        drip(b"HTTP/1.1 201 Created\r\na: ", b"b"),
        drip(b"HTTP/1.1 201 Created\r\ncontent-length: 1000\r\n\r\n", b"1"),
        drip(b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        drip(b"HTTP/1.1 201 Created\r\n\r\n", b"until closed"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status line", "headers", "one header", "body", "chunks", "no length", "interim answers"],
)
def test_no_drip_outlasts_the_deadline(serve: Callable[[socket.socket], None]) -> None:
    with raw_server(serve) as server:
        started = time.monotonic()
        reply = exchange(server.url, seconds=0.4)
        elapsed = time.monotonic() - started
    assert isinstance(reply, NoAnswer)
    assert reply.sent
    assert 0.35 <= elapsed < 1.2


def test_a_server_that_reads_nothing_does_not_outlast_the_deadline() -> None:
    with raw_server(lambda connection: time.sleep(1.6), read_first=False) as server:
        transport = HttpTransport(server.url, lambda: "key")
        started = time.monotonic()
        reply = transport.send("POST", "/", json="x" * 16_000_000, seconds=0.8)
        elapsed = time.monotonic() - started
        transport.close()
    assert isinstance(reply, NoAnswer)
    assert "Timeout" in reply.error
    assert elapsed < 1.5


@pytest.mark.parametrize("pause", [0.0, 0.2], ids=["at once", "after a while"])
def test_a_server_that_closes_before_it_reads_may_have_heard_it(pause: float) -> None:
    with raw_server(lambda connection: time.sleep(pause), read_first=False) as server:
        reply = exchange(server.url)
    assert isinstance(reply, NoAnswer)
    assert reply.sent


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "RemoteProtocolError"),
        (b"HTTP/1.1 201 Created\r\ncontent-length: 99\r\n\r\n{", "RemoteProtocolError"),
        (b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{", "RemoteProtocolError"),
        (b"HTTP/1.1 201 Created\r\ncontent-length: 5\r\ncontent-encoding: gzip\r\n\r\nplain", "DecodingError"),
        (b"HTTP/1.1 201 Created\r\ncontent-length: x\r\n\r\n", "RemoteProtocolError"),
        (b"HTTP/9.9 999999\r\n\r\n", "RemoteProtocolError"),
        (b"HTTP/1.1 201 Created\r\n" + b"a: " + b"b" * 200_000, "RemoteProtocolError"),
    ],
)
def test_a_broken_answer_is_none(answer: bytes, error: str) -> None:
    with raw_server(lambda connection: connection.sendall(answer)) as server:
        reply = exchange(server.url)
    assert isinstance(reply, NoAnswer)
    assert (reply.sent, reply.error) == (True, error)


def test_an_answer_that_is_too_large_is_cut_off() -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 201 Created\r\n\r\n")
        for _ in range(10_000):
            connection.sendall(b"x" * 65536)

    with raw_server(serve) as server:
        reply = exchange(server.url)
    assert isinstance(reply, NoAnswer)
    assert (reply.sent, reply.error) == (True, "AnswerTooLarge")


def packed(*layers: bytes, encoding: str = "gzip", more: bytes = b"") -> bytes:
    """An answer whose body is packed once with what is given, and packed again for each further layer."""
    body = b"".join(layers) + more
    head = f"HTTP/1.1 201 Created\r\ncontent-encoding: {encoding}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


SMALL = gzip.compress(b'{"id": "r1"}')
BOMB = gzip.compress(bytes(100 * 2**20))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (packed(BOMB), "AnswerTooLarge"),
        (packed(gzip.compress(BOMB), encoding="gzip, gzip"), "DecodingError"),
        (packed(SMALL, encoding="br"), "DecodingError"),
        (packed(SMALL, encoding="zstd"), "DecodingError"),
        (packed(SMALL, encoding="deflate"), "DecodingError"),
        (packed(SMALL[:-1]), "DecodingError"),
        (packed(SMALL, more=b"\0" * 2**20), "DecodingError"),
    ],
    ids=["bomb", "bomb in a bomb", "brotli", "zstd", "deflate", "cut short", "more behind"],
)
def test_a_packed_answer_is_unpacked_once_and_within_its_bound(answer: bytes, error: str) -> None:
    tracemalloc.start()
    with raw_server(lambda connection: connection.sendall(answer)) as server:
        tracemalloc.reset_peak()
        reply = exchange(server.url)
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(reply, NoAnswer)
    assert (reply.sent, reply.error) == (True, error)
    assert peak < 16 * 2**20
    assert isinstance(judge_create(reply), Unknown)


def test_a_packed_answer_is_read() -> None:
    with raw_server(lambda connection: connection.sendall(packed(SMALL))) as server:
        reply = exchange(server.url)
    assert isinstance(reply, Answer)
    assert reply.body == b'{"id": "r1"}'


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_no_redirect_takes_the_key_along(status: int) -> None:
    with raw_server(lambda connection: connection.sendall(WHOLE)) as other:
        head = f"HTTP/1.1 {status} Moved\r\nlocation: {other.url}/\r\ncontent-length: 0\r\n\r\n".encode()
        with raw_server(lambda connection: connection.sendall(head)) as server:
            reply = exchange(server.url)
    assert isinstance(reply, Answer)
    assert reply.status == status
    assert (len(server.heard), other.connections) == (1, 0)


def test_called_off_the_next_send_of_the_thread_still_works() -> None:
    calls: list[int] = []

    def before() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise NotNow("slept")

    with raw_server(lambda connection: connection.sendall(WHOLE)) as server:
        transport = HttpTransport(server.url, lambda: "key")
        replies = [transport.send("POST", "/", seconds=5, before_first_byte=before) for _ in range(2)]
        transport.close()
    assert isinstance(replies[0], NoAnswer)
    assert not replies[0].sent
    assert isinstance(replies[1], Answer)
    assert len([line for line in server.heard if line]) == 1
    assert len(calls) == 2


def test_a_connection_that_died_while_idle_is_noticed_before_anything_is_sent() -> None:
    with raw_server(lambda connection: connection.sendall(WHOLE)) as server:  # closes after each answer
        transport = HttpTransport(server.url, lambda: "key")
        replies = []
        for _ in range(3):
            replies.append(transport.send("POST", "/", seconds=5))
            time.sleep(0.05)
        transport.close()
    assert [type(reply) for reply in replies] == [Answer] * 3
    assert server.connections == 3


@pytest.mark.parametrize("threads", [1, 8])
def test_each_thread_keeps_one_connection(threads: int) -> None:
    def keep_alive(connection: socket.socket) -> None:
        connection.sendall(WHOLE)
        while connection.recv(65536):
            connection.sendall(WHOLE)

    with raw_server(keep_alive) as server:
        transport = HttpTransport(server.url, lambda: "key")
        replies: list[Reply] = []

        def work() -> None:
            replies.extend(transport.send("GET", "/", seconds=5) for _ in range(25))

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        transport.close()
    assert [type(reply) for reply in replies] == [Answer] * 25 * threads
    assert server.connections == threads


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"])
def test_no_proxy_of_the_environment_hears_plain_http(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(lambda connection: connection.sendall(WHOLE)) as proxy:
        monkeypatch.setenv(name, proxy.url)
        with raw_server(lambda connection: connection.sendall(WHOLE)) as server:
            assert isinstance(exchange(server.url), Answer)
    assert (proxy.connections, server.connections) == (0, 1)


def test_the_way_through_a_proxy_is_not_yet_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
    with raw_server(lambda connection: connection.sendall(refusal)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        reply = exchange("https://df.invalid")
    assert isinstance(reply, NoAnswer)
    assert not reply.sent
    assert [line.startswith(b"CONNECT df.invalid:443") for line in proxy.heard] == [True]
    assert b"key" not in proxy.heard[0]


@pytest.mark.parametrize("variable", ["NETRC", "HOME"])
def test_no_password_of_the_environment_takes_the_place_of_the_key(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("home")
    (folder / ".netrc").write_text("machine 127.0.0.1 login me password theirs\n")
    (folder / ".netrc").chmod(0o600)
    monkeypatch.setenv(variable, str(folder / ".netrc" if variable == "NETRC" else folder))
    with raw_server(lambda connection: connection.sendall(WHOLE)) as server:
        exchange(server.url, key="ours")
    assert b"authorization: bearer ours\r\n" in server.heard[0].lower()
