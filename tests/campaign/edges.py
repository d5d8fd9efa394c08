"""Where the trap's points are, at the edges of the product: commits of the SQLite store, SQL that its connections run,
its lock's file, and the trace of each HTTP exchange. Nothing in between is touched.
"""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx
from msgspec.structs import replace

from reconciler.dataframer.direct import Direct
from reconciler.dataframer.engine import Call, Opened, Trace

Reached = Callable[[str], None]

_HTTP_STAGES = {
    "send_request_headers.started": "before its first byte",
    "send_request_body.started": "head sent",
    "receive_response_headers.started": "sent",
    "receive_response_headers.complete": "executed",
    "receive_response_body.complete": "answered",
}
_CALLS = (
    ("POST", r"/runs/", "create"),
    ("POST", r"/runs/[^/]+/cancel/", "cancel"),
    ("DELETE", r"/runs/[^/]+/", "delete"),
    ("GET", r"/runs/", "list"),
    ("GET", r"/runs/[^/]+/", "get"),
)


def kinds(writes: Sequence[Any]) -> Iterator[str]:
    """What a commit is about, by the rows that it writes; a shared commit is about several things."""
    events = {write.record.type for write in writes if _record(write) == "EventRecord"}
    records = {_record(write) for write in writes}
    owed = ", cancel owed" if "OwedRecord" in records else ""
    advanced = [write for write in writes if type(write).__name__ == "Advance"]
    names = {type(write).__name__ for write in writes}
    if "ApplyRecord" in records:
        yield "begin"
    if "SpecRecord" in records:
        yield "specs"
    if "BaselineRecord" in records:
        yield "PREPARED"
    for phase in {write.phase.value for write in advanced} & {"SENDING", "REJECTED"}:
        yield phase
    for phase, event, name in (
        ("UNKNOWN", "unknown", "UNKNOWN"),
        ("UNKNOWN", "settled_unknown", "left behind"),
        ("PREPARED", "settled_prepared", "resubmit"),
        ("ACCEPTED", "accepted", f"ACCEPTED{owed}"),
    ):
        if event in events and any(write.phase.value == phase for write in advanced):
            yield name
    if "settled_prepared" not in events and any(write.phase.value == "PREPARED" for write in advanced):
        yield "PREPARED again"
    if "adopted" in events:
        certain = not any(write.provisional for write in advanced)
        yield f"adopted{owed}" if certain else "adopted provisionally"
    if "Observe" in names and not advanced:
        yield "observed"
    if "Pay" in names and "reused" not in events:
        yield "paid"
    yield from events & {"forgotten", "cancelled", "deleted", "reused", "updated", "imported", "moved"}


def _record(write: Any) -> str:
    return type(write.record).__name__ if hasattr(write, "record") else ""


def watch_sqlite(reached: Reached) -> None:
    """Before, inside and after each commit; and the making of a new state."""
    from state.sqlite.store import SqliteStore

    commit, connect = SqliteStore.commit, sqlite3.connect
    committing: list[str] = []  # of the one transaction that is open

    def watched_commit(self: SqliteStore, writes: Sequence[Any]) -> int:
        about = list(kinds(writes))
        for kind in about:
            reached(f"before {kind}")
        committing[:] = about
        try:
            serial = commit(self, writes)
        finally:
            committing.clear()
        for kind in about:
            reached(f"after {kind}")
        return serial

    def seen(sql: str) -> None:
        statement = sql.strip()
        if statement == "COMMIT":
            for kind in list(committing):
                reached(f"inside {kind}")
            if not committing:
                reached("state, its tables not committed")
        elif statement.startswith("CREATE TABLE owed"):
            reached("state, half its tables made")
        elif statement.startswith("ALTER TABLE"):
            reached("state, a table altered")
        elif statement.startswith("PRAGMA synchronous"):
            reached("state, its log switched on")

    def watched_connect(*args: Any, **options: Any) -> sqlite3.Connection:
        reached("state, file opened")
        opened = connect(*args, **options)
        opened.set_trace_callback(seen)
        return opened

    SqliteStore.commit = watched_commit
    sqlite3.connect = watched_connect


def watch_lock_file(reached: Reached) -> None:
    """The lock's file is cut to nothing by who has just taken it, and by who is about to give it back."""
    truncate = os.ftruncate

    def watched(handle: int, length: int) -> None:
        reached("lock, taken or about to be given back")
        truncate(handle, length)

    os.ftruncate = watched


def watch_http(reached: Reached) -> None:
    """The stages of each exchange: as httpcore's trace tells them, and of the connection of our own."""
    _watch_httpx(reached)
    _watch_direct(reached)


def _watch_httpx(reached: Reached) -> None:
    handle = httpx.HTTPTransport.handle_request

    def watched(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        call = _call(request.method, request.url.path)
        before: Callable[[str, dict[str, Any]], None] | None = request.extensions.get("trace")

        def trace(name: str, info: dict[str, Any]) -> None:
            if before is not None:
                before(name, info)
            stage = _HTTP_STAGES.get(name.partition(".")[2])
            if call and stage:
                reached(f"{call}, {stage}")

        request.extensions = {**request.extensions, "trace": trace}
        return handle(self, request)

    httpx.HTTPTransport.handle_request = watched


def _watch_direct(reached: Reached) -> None:
    opened, send, head = Direct.open, Direct._send, Direct._head
    calls = threading.local()

    def at(stage: str) -> None:
        if calls.name:
            reached(f"{calls.name}, {stage}")

    def watched_open(self: Direct, call: Call, trace: Trace) -> Opened:
        calls.name = _call(call.method, call.path)

        def tracing(name: str, info: dict[str, Any]) -> None:
            trace(name, info)
            if name.endswith("send_request_headers.started"):
                at("before its first byte")

        def whole(chunks: Iterator[bytes]) -> Iterator[bytes]:
            yield from chunks
            at("answered")

        answer = opened(self, call, tracing)
        return replace(answer, chunks=whole(answer.chunks))

    def watched_send(self: Direct, connection: socket.socket, request: bytes) -> None:
        said, mark, body = request.partition(b"\r\n\r\n")
        send(self, connection, said + mark)
        at("head sent")
        send(self, connection, body)
        at("sent")

    def watched_head(self: Direct) -> tuple[int, dict[str, str], bool]:
        found = head(self)
        at("executed")
        return found

    Direct.open, Direct._send, Direct._head = watched_open, watched_send, watched_head


def _call(method: str, path: str) -> str:
    for known, pattern, name in _CALLS:
        if method == known and re.fullmatch(f"/api/dataframer{pattern}", path):
            return name
    return ""
