"""The controller over HTTP: probes, metrics and the status to read; reconcile, approve, suspend and resume to post."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import socket
import threading
import time
import unicodedata
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

import uvicorn
from prometheus_client.exposition import choose_encoder

from reconciler.config.settings import is_loopback, seconds
from reconciler.model.errors import ReconcilerError, UsageError
from reconciler.watching.connections import MOST_WAITING, Connection
from reconciler.watching.metrics import Metrics
from reconciler.watching.status import READY_PARTS, Part, Status
from state.errors import StateError

_MOST_BYTES: Final = 16_000
_MOST_SECONDS: Final = 366 * 86_400.0
_BODY_SECONDS: Final = 10.0
_STOP_SECONDS: Final = 2.0
_TEXT: Final = 1_000
_DIGEST: Final = re.compile("sha256:[0-9a-f]{64}")
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "/reconcile": (),
    "/approve": ("digest", "reason", "for", "by"),
    "/suspend": ("scope", "reason", "for", "by"),
    "/resume": ("scope", "by"),
}
_READ: Final = ("/healthz", "/readyz", "/metrics", "/status")
_JSON: Final = "application/json"

_Receive = Callable[[], Awaitable[dict[str, Any]]]
_Send = Callable[[dict[str, Any]], Awaitable[None]]


class Commands(Protocol):
    """What a post does. Each raises ReconcilerError or StateError, and returns what was recorded, as JSON has it. An
    empty ``scope`` is everything; ``by``: who the caller says that it is, or empty.
    """

    def reconcile(self) -> Mapping[str, Any]: ...

    def approve(self, digest: str, reason: str, seconds: float | None, by: str) -> Mapping[str, Any]: ...

    def suspend(self, scope: str, reason: str, seconds: float | None, by: str) -> Mapping[str, Any]: ...

    def resume(self, scope: str, by: str) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: bytes
    kind: str = _JSON
    headers: tuple[tuple[str, str], ...] = ()


class _Refused(Exception):
    def __init__(self, status: int, message: str, *headers: tuple[str, str]) -> None:
        self.reply = _reply(status, {"error": message}, *headers)
        super().__init__(message)


class Server:
    """Listens from its construction on; serves while it is entered. Raises UsageError where it can't listen."""

    def __init__(
        self,
        listen: tuple[str, int],
        status: Callable[[], Status],
        alive: Callable[[], bool],
        metrics: Metrics,
        commands: Commands,
        token: str | None,
    ) -> None:
        self._status, self._alive, self._metrics = status, alive, metrics
        self._commands, self._token = commands, token
        try:
            family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
            self._socket = socket.create_server(listen, family=family)
        except (OSError, OverflowError, UnicodeError) as problem:
            why = getattr(problem, "strerror", None) or problem
            raise UsageError(
                f"Can't listen on {listen[0]}:{listen[1]}: {why}. Give [http] listen another address or port."
            ) from None
        host, port = self._socket.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app,
                loop="asyncio",
                http=Connection,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=2 * MOST_WAITING,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=1,
                h11_max_incomplete_event_size=_MOST_BYTES,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="http", daemon=True
        )

    def __enter__(self) -> Server:
        self._thread.start()
        ends = time.monotonic() + 10
        while not self._server.started and self._thread.is_alive() and time.monotonic() < ends:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS)
        self._socket.close()

    async def _app(self, scope: dict[str, Any], receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            return
        try:
            reply = await self._reply(scope, receive)
        except _Refused as refused:
            reply = refused.reply
        headers = [("content-type", reply.kind), ("content-length", str(len(reply.body)))]
        headers += [("cache-control", "no-store"), ("x-content-type-options", "nosniff"), *reply.headers]
        raw = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})

    async def _reply(self, scope: dict[str, Any], receive: _Receive) -> _Reply:
        path, method = scope["path"], scope["method"]
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if path in _READ:
            if method not in ("GET", "HEAD"):
                raise _Refused(405, f"{path} is read with GET.", ("allow", "GET, HEAD"))
            return self._read(path, headers, (scope.get("client") or ("",))[0].removeprefix("::ffff:"))
        if path not in _FIELDS:
            raise _Refused(404, "There is nothing here.")
        if method != "POST":
            raise _Refused(405, f"{path} is asked for with POST.", ("allow", "POST"))
        # A token in a header is enough against other sites and rebound names: a browser adds none on its own.
        if self._token is None:
            raise _Refused(403, "Nothing is changed over HTTP without a token: set [http] token in watch.toml.")
        self._check(headers)
        given = _fields(path, await _body(headers, receive))
        try:
            done = await asyncio.to_thread(self._perform, path, given)
        except (ReconcilerError, StateError) as problem:
            raise _Refused(409, str(problem)) from None
        return _reply(200, done)

    def _check(self, headers: Mapping[str, str]) -> None:
        scheme, _, value = headers.get("authorization", "").partition(" ")
        expected = (self._token or "").encode()
        if scheme.lower() != "bearer" or not hmac.compare_digest(value.strip().encode("latin-1"), expected):
            raise _Refused(401, "Send the token: Authorization: Bearer TOKEN.", ("www-authenticate", "Bearer"))

    def _read(self, path: str, headers: Mapping[str, str], peer: str) -> _Reply:
        if path == "/healthz":
            alive = self._alive()
            return _reply(200 if alive else 503, {"alive": alive})
        if path == "/readyz":
            ready, found = readiness(self._status())
            return _reply(200 if ready else 503, found)
        if path == "/status":
            if self._token is not None:
                self._check(headers)
            elif not is_loopback(peer) or not is_loopback(_hostname(headers)):
                # It has addresses. A page of another site, whose name leads here, sends its own name.
                raise _Refused(403, "Without a token the status is for this machine: set [http] token in watch.toml.")
            return _reply(200, asdict(self._status()))
        encode, kind = choose_encoder(headers.get("accept", ""))
        text: bytes = encode(self._metrics.registry)
        return _Reply(200, text, kind)

    def _perform(self, path: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        match path:
            case "/approve":
                return self._commands.approve(given["digest"], given["reason"], given["for"], given["by"])
            case "/suspend":
                return self._commands.suspend(given["scope"], given["reason"], given["for"], given["by"])
            case "/resume":
                return self._commands.resume(given["scope"], given["by"])
        return self._commands.reconcile()


def readiness(status: Status) -> tuple[bool, dict[str, Any]]:
    """Whether this replica can do its work, and each part. What the service or the revision has only degrades."""
    parts: dict[str, Any] = {}
    for part in Part:
        trouble = status.troubles.get(part)
        parts[part] = {"ok": trouble is None, "message": trouble.message if trouble else ""}
    said = "this replica leads" if status.leader else "this replica stands by"
    parts["lease"] = {"ok": True, "leader": status.leader, "message": said}
    looked = status.seen is not None
    if not looked and parts[Part.GIT]["ok"]:
        parts[Part.GIT] = {"ok": False, "message": "the remote was not looked at yet"}
    ready = looked and not any(part in status.troubles for part in READY_PARTS)
    return ready, {"ready": ready, "degraded": bool(status.troubles), **parts}


def _hostname(headers: Mapping[str, str]) -> str:
    """Whom a request is addressed to."""
    with suppress(ValueError):
        return urllib.parse.urlsplit(f"//{headers.get('host', '')}").hostname or ""
    return ""


async def _body(headers: Mapping[str, str], receive: _Receive) -> bytes:
    body: bytes = b""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise _Refused(400, "The body is not complete.")
                body += message.get("body", b"")
                if len(body) > _MOST_BYTES:
                    raise _Refused(413, f"The body has more than {_MOST_BYTES:,} bytes.", ("connection", "close"))
                if not message.get("more_body"):
                    return body
    except TimeoutError:
        raise _Refused(408, "The body did not come in time.", ("connection", "close")) from None


def _fields(path: str, body: bytes) -> dict[str, Any]:
    """The fields of a post, all of them. What a git host sends to /reconcile is read by nobody."""
    names = _FIELDS[path]
    if not names:
        return {}
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise _Refused(400, "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise _Refused(400, "The body is not a JSON object.")
    if unknown := sorted(found.keys() - set(names)):
        raise _Refused(400, f"There is no field {unknown[0][:50]!r}: {', '.join(names)}.")
    for name, value in found.items():
        if not isinstance(value, str) or len(value) > _TEXT:
            raise _Refused(400, f"{name} is a text of up to {_TEXT:,} characters.")
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
            raise _Refused(400, f"{name} has control characters, or halves of characters.")
    if "digest" in names and not _DIGEST.fullmatch(found.get("digest", "")):
        raise _Refused(400, "digest is sha256: and 64 hexadecimal digits, as the controller tells it.")
    if not found.get("scope", "everything").strip():  # it may be a script's variable that was not set
        raise _Refused(400, "scope is empty. Name an address or a pattern; leave it out for everything.")
    given: dict[str, Any] = {name: found.get(name, "") for name in names}
    if "for" in names:
        given["for"] = _duration(given["for"])
    return given


def _duration(text: str) -> float | None:
    if not text:
        return None
    try:
        found = seconds(text)
    except ValueError:
        found = 0.0
    if not 0 < found <= _MOST_SECONDS:
        raise _Refused(400, "for is a time such as 90s, 30m or 24h, at most 366 days.")
    return found


def _reply(status: int, found: Mapping[str, Any], *headers: tuple[str, str]) -> _Reply:
    return _Reply(status, json.dumps(found, ensure_ascii=True).encode() + b"\n", _JSON, headers)
