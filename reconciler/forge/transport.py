"""Sends calls to a provider. Follows nothing, gives the token to nobody else, shows it nowhere; waits as it is told.

GET, PUT and PATCH are repeated when the connection breaks or the provider fails. POST is not: what became of it is for
the caller to find out. An answer that says "too many requests" is certain not to have been executed.
"""

from __future__ import annotations

import json
import logging
import ssl
import time
import urllib.parse
import urllib.request
from typing import Final, Protocol

import httpx

from reconciler import __version__
from reconciler.deadline import DeadlineTransport, within
from reconciler.forge.api import Answer, Call
from reconciler.forge.pauses import BUDGET, MOST_LIMITED, TRIES, Clock, backoff, clock_time, limited
from reconciler.model.errors import ForgeError, ForgeUnclear

_log = logging.getLogger("reconciler.http")
_SECONDS: Final = 30.0  # one exchange
_REST: Final = 2.0  # seconds
_CONNECT_SECONDS: Final = 10.0
_MOST_BYTES: Final = 64 * 2**20  # a page of the longest comments
_TEXT: Final = 2_000  # characters of an answer that are kept beside its JSON
_REQUEST_IDS: Final = ("x-github-request-id", "x-request-id")


class AnswerTooLarge(Exception):
    """The answer is larger than anything that these calls are answered with."""


# Every way in which an exchange can fail. The first ones fail before anything of the request left.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)
TRANSPORT_ERRORS = (
    *NOT_SENT,
    httpx.HTTPError,
    httpx.StreamError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    OSError,  # also ssl.SSLError
    AnswerTooLarge,
    ValueError,  # an address or a header that can't be encoded
)


class Token:
    """A secret. What is printed of it is the name of the variable that it came from."""

    __slots__ = ("_value", "variable")

    def __init__(self, variable: str, value: str) -> None:
        self.variable, self._value = variable, value

    def __repr__(self) -> str:
        return f"Token({self.variable})"

    def reveal(self) -> str:
        """The secret, for the header of a request and nothing else."""
        return self._value


class Sender(Protocol):
    """Sends a call and returns its answer, whatever its status below 500. Raises ForgeUnclear where no usable answer
    came, ForgeError where the provider asks for more patience than there is.
    """

    def send(self, call: Call) -> Answer:
        """See above."""

    def rest(self) -> None:
        """Give the provider a moment, after it failed in the middle of something."""

    def close(self) -> None:
        """Close every connection."""


class Wire:
    """The one that talks HTTP. ``headers``: of every request, among them the token's."""

    def __init__(self, name: str, url: str, token: Token, headers: dict[str, str], clock: Clock | None = None) -> None:
        self._name, self._url, self._token = name, url.rstrip("/"), token
        self._clock, self._left = clock or Clock(), BUDGET
        self._transport = _network(urllib.parse.urlsplit(url))
        fixed = {"user-agent": f"reconciler/{__version__}", "accept-encoding": "identity", **headers}
        self._client = httpx.Client(
            transport=self._transport, follow_redirects=False, trust_env=False, headers=fixed, cookies=None
        )

    def close(self) -> None:
        """See :class:`Sender`."""
        self._client.close()

    def send(self, call: Call) -> Answer:
        """See :class:`Sender`."""
        failed = waited = 0
        while True:
            reply = self._exchange(call)
            seconds = limited(reply, self._clock.now()) if isinstance(reply, Answer) else None
            if seconds is not None:
                waited += 1
                self._wait_as_told(call, seconds, waited)
                continue
            if isinstance(reply, Answer) and reply.status < 500 and reply.status != 408:
                return reply
            failed += 1
            sent = isinstance(reply, Answer) or reply.sent
            repeatable = not sent or call.method != "POST"
            if not repeatable or failed >= TRIES or backoff(failed) > self._left:
                raise self._unclear(reply, sent, failed)
            self._wait(call, backoff(failed), "backing off")

    def rest(self) -> None:
        """See :class:`Sender`."""
        self._left -= _REST
        self._clock.sleep(_REST)

    def _wait_as_told(self, call: Call, seconds: float, waited: int) -> None:
        if seconds > self._left or waited > MOST_LIMITED:
            at = clock_time(self._clock.now() + seconds)
            raise ForgeError(
                f"{self._name} has had too many requests with this token, and asks to wait {seconds:,.0f} s. Run the "
                f"job again after {at}."
            )
        self._wait(call, seconds, f"as {self._name} asks")

    def _wait(self, call: Call, seconds: float, why: str) -> None:
        self._left -= seconds
        _log.info("%s %s: trying again in %.1f s, %s", call.method, call.path, seconds, why)
        self._clock.sleep(seconds)

    def _unclear(self, reply: Answer | NoAnswer, sent: bool, tries: int) -> ForgeUnclear:
        host = urllib.parse.urlsplit(self._url).netloc
        again = f" (tried {tries} times)" if tries > 1 else ""
        if isinstance(reply, Answer):
            said = f"{self._name} fails with HTTP {reply.status}{again}. Run the job again later"
        else:
            way = "Name its certificates in SSL_CERT_FILE" if "CERTIFICATE_VERIFY" in reply.why else "Check the network"
            said = f"{self._name} gives no answer at {host}: {reply.why}{again}. {way}, or --api-url"
        return ForgeUnclear(f"{said}.", sent=sent)

    def _exchange(self, call: Call) -> Answer | NoAnswer:
        started = time.monotonic()
        try:
            with (
                within(_SECONDS),
                self._client.stream(
                    call.method,
                    self._url + call.path,
                    params=list(call.query) or None,
                    json=call.json,
                    timeout=httpx.Timeout(_SECONDS, connect=_CONNECT_SECONDS),
                ) as response,
            ):
                body = _read(response)
        except TRANSPORT_ERRORS as error:
            elapsed = (time.monotonic() - started) * 1000
            _log.info("%s %s: %s after %.0f ms", call.method, call.path, type(error).__name__, elapsed)
            return NoAnswer(not isinstance(error, NOT_SENT), self._without_token(str(error) or type(error).__name__))
        headers = {name.lower(): self._without_token(value) for name, value in response.headers.items()}
        request = next((headers[name][:128] for name in _REQUEST_IDS if name in headers), "-")
        elapsed = (time.monotonic() - started) * 1000
        _log.info("%s %s: %s, %.0f ms, request %s", call.method, call.path, response.status_code, elapsed, request)
        text = self._without_token(body.decode("utf-8", "replace"))
        return Answer(response.status_code, headers, _parsed(text), text[:_TEXT])

    def _without_token(self, text: str) -> str:
        return text.replace(self._token.reveal(), "(secret)")


class NoAnswer:
    """Nothing that can be read came back. ``sent``: the request may have been executed; ``why``: for people."""

    __slots__ = ("sent", "why")

    def __init__(self, sent: bool, why: str) -> None:
        self.sent, self.why = sent, why[:300]


def _network(url: urllib.parse.SplitResult) -> DeadlineTransport:
    """As the environment says: its certificates and its proxy; but no proxy for this machine itself."""
    secure = url.scheme == "https"
    verify = httpx.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    direct = not secure or urllib.request.proxy_bypass(url.hostname or "")
    return DeadlineTransport(verify=verify, proxy=None if direct else urllib.request.getproxies().get("https"))


def _read(response: httpx.Response) -> bytes:
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing not in ("", "identity"):
        raise httpx.DecodingError(f"the answer is packed as {packing[:50]!r}, which was not asked for")
    parts, size = [], 0
    for chunk in response.iter_raw():
        size += len(chunk)
        if size > _MOST_BYTES:
            raise AnswerTooLarge(f"the answer has more than {_MOST_BYTES // 2**20} MiB")
        parts.append(chunk)
    return b"".join(parts)


def _parsed(text: str) -> object:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value
