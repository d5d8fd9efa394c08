"""What goes over the wire, and what never does."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator

import httpcore
import httpx
import pytest

from reconciler.forge import transport
from reconciler.forge.api import Answer, Call
from reconciler.forge.pauses import clock_time
from reconciler.forge.transport import NOT_SENT, TRANSPORT_ERRORS, Token, Wire
from reconciler.model.errors import ForgeRefused, ForgeUnclear
from tests.dataframer.wire import raw_server
from tests.forge.fake import GITHUB, TOKEN, FakeForge, Fault, Waits, bound, comment_text

GET, POST = Call("GET", "/user"), Call("POST", "/user", json={"body": "x"})


@contextlib.contextmanager
def wire(url: str, waits: Waits | None = None) -> Iterator[Wire]:
    made = Wire("GitHub", url, Token("GITHUB_TOKEN", TOKEN), {"x-token": TOKEN}, (waits or Waits()).clock())
    with contextlib.closing(made):
        yield made


def subclasses(kind: type) -> set[type]:
    return {kind, *(below for child in kind.__subclasses__() for below in subclasses(child))}


def test_the_table_of_errors_is_complete() -> None:
    every = {kind for kind in subclasses(Exception) if kind.__module__.partition(".")[0] == "httpx"}
    assert len(every) > 20
    assert {kind for kind in every if not issubclass(kind, TRANSPORT_ERRORS)} == set()
    assert all(issubclass(kind, TRANSPORT_ERRORS) for kind in (*NOT_SENT, OSError, UnicodeEncodeError))


def test_what_may_have_been_sent_is_not_among_what_was_not() -> None:
    for kind in (
        httpx.ReadTimeout,
        httpx.WriteTimeout,
        httpx.ReadError,
        httpx.RemoteProtocolError,
        httpx.DecodingError,
    ):
        assert not issubclass(kind, NOT_SENT)


@pytest.mark.parametrize("step", ["connect", "write", "read"])
@pytest.mark.parametrize(
    "error", [httpcore.NetworkError, httpcore.ConnectError, OSError, ValueError, ConnectionResetError]
)
def test_no_error_of_the_network_escapes(step: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream(httpcore.NetworkStream):
        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            raise error(f"it broke near {TOKEN}")

        def write(self, buffer: bytes, timeout: float | None = None) -> None:
            if step == "write":
                raise error(f"it broke near {TOKEN}")

        def close(self) -> None:
            pass

        def get_extra_info(self, info: str) -> object:
            return None

    class Backend(httpcore.NetworkBackend):
        def connect_tcp(self, *_: object, **__: object) -> httpcore.NetworkStream:
            if step == "connect":
                raise error(f"it broke near {TOKEN}")
            return Stream()

    with wire("http://127.0.0.1:1") as made:
        made._transport._pool._network_backend = Backend()
        with pytest.raises(ForgeUnclear) as caught:
            made.send(POST)
    assert TOKEN not in str(caught.value)


def test_a_server_that_is_not_there_has_done_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    waits = Waits()
    with wire(url, waits) as made, pytest.raises(ForgeUnclear, match=r"no answer at 127\.0\.0\.1.*--api-url") as caught:
        made.send(POST)
    assert not caught.value.sent
    assert waits.slept == [1, 2, 4]


def test_an_answer_that_drips_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_SECONDS", 0.2)

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                connection.settimeout(0.02)
                if not connection.recv(1):
                    return

    with raw_server(drip) as raw, wire(raw.url) as made, pytest.raises(ForgeUnclear):
        made.send(POST)
    assert raw.connections == 1


def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_MOST_BYTES", 1_000)
    with FakeForge(GITHUB) as forge, wire(forge.url) as made:
        forge.fault("whoami", Fault(200, b"[1]"), *[Fault(200, b" " * 1_001)] * 4)
        answer = made.send(GET)
        assert isinstance(answer, Answer)
        assert answer.value == [1]
        with pytest.raises(ForgeUnclear, match="more than"):
            made.send(GET)


def test_what_is_packed_unasked_is_not_unpacked(github: FakeForge) -> None:
    github.fault("whoami", *[Fault(200, b"[]", {"content-encoding": "gzip"})] * 4)
    with wire(github.url) as made, pytest.raises(ForgeUnclear, match="not asked for"):
        made.send(GET)
    assert {item.headers["accept-encoding"] for item in github.asked} == {"identity"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(forge: FakeForge, status: int) -> None:
    with FakeForge(GITHUB) as elsewhere:
        forge.fault("list", Fault(status, headers={"location": f"{elsewhere.url}/user"}))
        with pytest.raises(ForgeRefused, match="not followed"):
            bound(forge).put(comment_text())
        assert elsewhere.asked == []


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"])
def test_no_proxy_stands_before_this_machine(github: FakeForge, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    with wire(github.url) as made:
        assert made.send(GET).status == 401  # it has not the header of a real one


def test_the_log_says_what_was_asked_and_not_with_what(github: FakeForge, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    github.fault("whoami", Fault(500, headers={"x-github-request-id": "ABCD:1"}), Fault(0), Fault(200, b"{}"))
    with wire(github.url) as made:
        made.send(GET)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("reconciler")]
    assert "GET /user: 500" in said[0]
    assert "ABCD:1" in said[0]
    assert "trying again in 1.0 s" in said[1]
    assert TOKEN not in caplog.text


def test_a_token_shows_where_it_came_from_only() -> None:
    token = Token("GITHUB_TOKEN", TOKEN)
    assert (repr(token), str(token)) == ("Token(GITHUB_TOKEN)", "Token(GITHUB_TOKEN)")
    assert token.reveal() == TOKEN


@pytest.mark.parametrize(("at", "said"), [(0.0, "1970-01-01 00:00:00 UTC"), (1e30, "later"), (float("inf"), "later")])
def test_moments_for_people(at: float, said: str) -> None:
    assert clock_time(at) == said
