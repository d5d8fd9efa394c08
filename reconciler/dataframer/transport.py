"""One HTTP exchange with a hard total deadline, and the evidence whether bytes of the request left.

No retries, no redirects, TLS verified. The type of httpx's exceptions does not tell whether the request was sent:
httpcore's ``trace`` extension tells when the first byte goes out.
"""

from __future__ import annotations

import ssl
import threading
import time
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterable
from contextlib import closing
from json import dumps
from typing import Any, Final, Protocol

import httpx

from reconciler import __version__
from reconciler.dataframer import wirelog
from reconciler.dataframer.direct import Direct, suits
from reconciler.dataframer.engine import ByHttpx, Call, Engine, Opened
from reconciler.dataframer.outcomes import Answer, NoAnswer, Reply
from reconciler.deadline import DeadlineTransport, within

MOST_BYTES = 2**20  # of an answer's body, once unpacked, where the caller names no other bound
_SHORTEST_SECRET: Final = 8  # bytes; a shorter one may be a part of anything
_HEADERS: Final = {
    "user-agent": f"reconciler/{__version__}",
    "accept": "application/json",
    "accept-encoding": "gzip",
}


class Transport(Protocol):
    """Sends one request; never raises for what the network does."""

    def send(
        self,
        method: str,
        path: str,
        *,
        seconds: float,
        most_bytes: int = MOST_BYTES,
        json: object = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        before_first_byte: Callable[[], None] | None = None,
    ) -> Reply:
        """``path`` below the base URL; ``seconds``: the whole exchange; ``most_bytes``: of the answer's body;
        ``headers``: beside our own; ``before_first_byte`` may raise NotNow.
        """

    def conceal(self, secrets: Iterable[str]) -> None:
        """Whatever an answer repeats of these values is replaced before anybody sees it."""

    def close(self) -> None:
        """Close every connection."""


class NotNow(Exception):
    """Raised by ``before_first_byte``: the request is not to be sent after all."""


class HttpTransport:
    """Real HTTP. Each thread has a connection of its own: one shared pool gets slower with the square of its users."""

    def __init__(
        self, base_url: str, api_key: Callable[[], str], transport: Callable[[], httpx.BaseTransport] | None = None
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._make_transport = transport
        self._ssl: ssl.SSLContext | None = None
        self._local = threading.local()
        self._engines: list[Engine] = []
        self._concealed: frozenset[bytes] = frozenset()
        self._guard = threading.Lock()

    def _made_engine(self) -> Engine:
        if self._make_transport is not None:
            return ByHttpx(self._base_url, self._make_transport())
        url = urllib.parse.urlsplit(self._base_url)
        secure = url.scheme == "https"
        with self._guard:
            if self._ssl is None:  # costs 40 ms: made once
                self._ssl = httpx.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                self._ssl.set_alpn_protocols(["http/1.1"])
        # The environment's proxy, as every HTTP client takes it; but never for this machine itself, in the clear.
        direct = url.scheme == "http" or urllib.request.proxy_bypass(url.hostname or "")
        proxy = None if direct else urllib.request.getproxies().get(url.scheme)
        if proxy is None and suits(self._base_url):
            return Direct(self._base_url, self._ssl if secure else None)
        limits = httpx.Limits(max_connections=1)
        return ByHttpx(self._base_url, DeadlineTransport(verify=self._ssl, proxy=proxy, limits=limits))

    def _engine(self) -> Engine:
        """This thread's connection."""
        engine: Engine | None = getattr(self._local, "engine", None)
        if engine is None:
            engine = self._local.engine = self._made_engine()
            with self._guard:
                self._engines.append(engine)
        return engine

    def _call(
        self,
        method: str,
        path: str,
        json: object,
        query: dict[str, str] | None,
        headers: dict[str, str] | None,
        seconds: float,
    ) -> Call:
        own = {**_HEADERS, **(headers or {}), "authorization": f"Bearer {self._api_key()}"}
        if json is None:
            return Call(method, path, own, query or {}, None, seconds)
        body = dumps(json, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        return Call(method, path, {**own, "content-type": "application/json"}, query or {}, body, seconds)

    def send(
        self,
        method: str,
        path: str,
        *,
        seconds: float,
        most_bytes: int = MOST_BYTES,
        json: object = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        before_first_byte: Callable[[], None] | None = None,
    ) -> Reply:
        """See :class:`Transport`."""
        sent = opened = False

        def trace(name: str, info: dict[str, Any]) -> None:
            nonlocal sent, opened
            opened = opened or name == "connection.connect_tcp.started"
            if not name.endswith("send_request_headers.started"):
                return
            request = info.get("request")
            if request is not None and request.method == b"CONNECT":
                return  # the way through a proxy, not the request itself
            if before_first_byte is not None and not sent:
                before_first_byte()
            sent = True

        started = time.monotonic()
        try:
            call = self._call(method, path, json, query, headers, seconds)
            with within(seconds), closing(self._engine().open(call, trace)) as answer:
                body, received = _read(answer, most_bytes)
                body = self._without_secrets(body)
            elapsed = time.monotonic() - started
            known_as = self._without_secrets(wirelog.request_id(answer.headers).encode()).decode("utf-8", "replace")
            wirelog.answered(method, path, answer.status, elapsed, known_as)
            wirelog.sizes(method, path, len(call.body or b""), received, len(body), opened)
            return Answer(answer.status, answer.headers, body, elapsed)
        except TRANSPORT_ERRORS as error:
            wirelog.failed(method, path, error, sent, time.monotonic() - started)
            return NoAnswer(sent, type(error).__name__, f"{str(error) or 'no details'} ({self._base_url})")

    def conceal(self, secrets: Iterable[str]) -> None:
        """See :class:`Transport`."""
        written = (form.encode() for secret in secrets for form in (secret, dumps(secret)[1:-1]))
        self._concealed |= {form for form in written if len(form) >= _SHORTEST_SECRET}

    def _without_secrets(self, body: bytes) -> bytes:
        for secret in sorted(self._concealed, key=len, reverse=True):
            body = body.replace(secret, b"(secret)")
        return body

    def close(self) -> None:
        """See :class:`Transport`."""
        with self._guard:
            engines, self._engines = self._engines, []
        for engine in engines:
            engine.close()


class AnswerTooLarge(Exception):
    """The answer is larger than anything that this API sends."""


# Every way in which an exchange can fail; whether bytes had left is told by the trace, never by the class.
TRANSPORT_ERRORS = (
    httpx.HTTPError,  # timeouts, network, protocol, decoding
    httpx.StreamError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    OSError,  # also ssl.SSLError
    AnswerTooLarge,
    NotNow,
    ValueError,  # a URL or a header that can't be encoded
)


def _read(answer: Opened, most_bytes: int) -> tuple[bytes, int]:
    """The body, and how many bytes came for it. It is unpacked here: httpx would unpack layer upon layer, and each
    chunk of them whole.
    """
    packing = answer.headers.get("content-encoding", "").strip().lower()
    if packing not in ("", "identity", "gzip"):
        raise httpx.DecodingError(f"the answer is packed as {packing[:50]!r}, which was not asked for")
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS) if packing == "gzip" else None
    parts, size, received = [], 0, 0
    for chunk in answer.chunks:
        received += len(chunk)
        if unpack is not None and unpack.eof:
            raise httpx.DecodingError("something follows the packed answer")
        try:
            part = chunk if unpack is None else unpack.decompress(chunk, most_bytes - size + 1)
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from error
        size += len(part)
        if size > most_bytes:
            raise AnswerTooLarge(f"more than {most_bytes / 2**20:g} MiB")
        parts.append(part)
    if unpack is not None and parts and not unpack.eof:
        raise httpx.DecodingError("the packed answer ends too early")
    return b"".join(parts), received
