"""The real command line, with a trap: at the Nth time that a named point is reached, this process is killed.

Called like ``python -m reconciler``. With ``--serve`` it imports everything once and forks a process for each order
that comes in on standard input: a campaign of thousands of commands spends its time on something better than imports.
The environment (of the process, or of the order) says where:

- ``CAMPAIGN_POINT``: the point's name (:mod:`tests.campaign.points` lists them), or ``any``
- ``CAMPAIGN_NTH``: how often it is reached before the trap shuts (default 1)
- ``CAMPAIGN_ARMED_BY``: only points that are reached after this one count
- ``CAMPAIGN_REPORT``: a file that gets the name of the point, just before
- ``CAMPAIGN_DEED``: ``kill`` (SIGKILL, the default), ``raise`` (an exception that nobody expects) or ``fill`` (from
  then on no file grows beyond the present size of ``CAMPAIGN_FILE``)

Points are taken from the edges of the product: commits of the SQLite store, SQL that a connection runs, and the trace
of each HTTP exchange. Nothing in between is touched.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import re
import resource
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import httpx

_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_USED = (
    *(f"reconciler.cli.{name}" for name in ("apply", "exits", "imports", "plan", "records", "resolve", "signals")),
    *(f"reconciler.{name}" for name in ("cli.telling", "git", "pipeline", "planning.planfile", "views.plan_text")),
    *("getpass", "httpcore", "reconciler.dataframer.catalogue", "state.sqlite.migrations", "state.sqlite.store"),
)
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


class Trap:
    """Counts how often its point is reached; shuts at the Nth time. Used by many threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self.set({})

    def set(self, environ: Mapping[str, str]) -> None:
        """Take the trap from the environment; without a point it never shuts."""
        self._point = environ.get("CAMPAIGN_POINT", "")
        self._left = int(environ.get("CAMPAIGN_NTH", "1"))
        self._armed_by = environ.get("CAMPAIGN_ARMED_BY", "")
        self._armed = not self._armed_by
        self._report = environ.get("CAMPAIGN_REPORT", "")
        self._deed = environ.get("CAMPAIGN_DEED", "kill")
        self._file = environ.get("CAMPAIGN_FILE", "")

    def reached(self, point: str) -> None:
        """This process is at a point."""
        with self._guard:
            counts = self._armed and self._point in (point, "any")
            self._armed = self._armed or point == self._armed_by
            self._left -= counts
            if not counts or self._left != 0:
                return
            if self._deed == "raise":
                raise RuntimeError(f"a failure that nobody expects, {point}")
            if self._deed == "fill":
                size = os.stat(self._file).st_size
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
                return
            if self._report:
                handle = os.open(self._report, _NEW, 0o600)
                os.write(handle, point.encode())
            os.kill(os.getpid(), signal.SIGKILL)


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
    yield from events & {"forgotten", "cancelled", "deleted", "reused", "updated", "imported"}


def _record(write: Any) -> str:
    return type(write.record).__name__ if hasattr(write, "record") else ""


def watch_store(trap: Trap) -> None:
    """Before, inside and after each commit; and the making of a new state."""
    from state.sqlite.store import SqliteStore

    commit, connect = SqliteStore.commit, sqlite3.connect
    committing: list[str] = []  # of the one transaction that is open

    def watched_commit(self: SqliteStore, writes: Sequence[Any]) -> int:
        about = list(kinds(writes))
        for kind in about:
            trap.reached(f"before {kind}")
        committing[:] = about
        try:
            serial = commit(self, writes)
        finally:
            committing.clear()
        for kind in about:
            trap.reached(f"after {kind}")
        return serial

    def seen(sql: str) -> None:
        statement = sql.strip()
        if statement == "COMMIT":
            for kind in list(committing):
                trap.reached(f"inside {kind}")
            if not committing:
                trap.reached("state, its tables not committed")
        elif statement.startswith("CREATE TABLE owed"):
            trap.reached("state, half its tables made")
        elif statement.startswith("ALTER TABLE"):
            trap.reached("state, a table altered")
        elif statement.startswith("PRAGMA synchronous"):
            trap.reached("state, its log switched on")

    def watched_connect(*args: Any, **options: Any) -> sqlite3.Connection:
        trap.reached("state, file opened")
        opened = connect(*args, **options)
        opened.set_trace_callback(seen)
        return opened

    SqliteStore.commit = watched_commit
    sqlite3.connect = watched_connect


def watch_lock(trap: Trap) -> None:
    """The lock's file is cut to nothing by who has just taken it, and by who is about to give it back."""
    truncate = os.ftruncate

    def watched(handle: int, length: int) -> None:
        trap.reached("lock, taken or about to be given back")
        truncate(handle, length)

    os.ftruncate = watched


def watch_http(trap: Trap) -> None:
    """The stages of each exchange, as httpcore's trace tells them."""
    handle = httpx.HTTPTransport.handle_request

    def watched(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        call = _call(request)
        before: Callable[[str, dict[str, Any]], None] | None = request.extensions.get("trace")

        def trace(name: str, info: dict[str, Any]) -> None:
            if before is not None:
                before(name, info)
            stage = _HTTP_STAGES.get(name.partition(".")[2])
            if call and stage:
                trap.reached(f"{call}, {stage}")

        request.extensions = {**request.extensions, "trace": trace}
        return handle(self, request)

    httpx.HTTPTransport.handle_request = watched


def _call(request: httpx.Request) -> str:
    for method, pattern, name in _CALLS:
        if request.method == method and re.fullmatch(f"/api/dataframer{pattern}", request.url.path):
            return name
    return ""


def watching() -> Trap:
    """A trap at every edge."""
    trap = Trap()
    watch_store(trap)
    watch_lock(trap)
    watch_http(trap)
    return trap


def serve(trap: Trap) -> None:
    """Fork a process for each order: a JSON object with ``args``, ``env``, ``cwd``, ``out``, ``err`` (files) and
    ``seconds`` (SIGALRM ends it then). Answers with a line that holds its exit code, as ``subprocess`` gives it.
    """
    for name in _USED:
        importlib.import_module(name)
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(order)
            command_line(trap, order["args"])
        _, status = os.waitpid(pid, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _become(order: Mapping[str, Any]) -> None:
    signal.alarm(int(order["seconds"]))
    os.setsid()
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    for number, path, how in ((0, os.devnull, os.O_RDONLY), (1, order["out"], _NEW), (2, order["err"], _NEW)):
        handle = os.open(path, how, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin = os.fdopen(0, closefd=False)


def command_line(trap: Trap, args: Sequence[str]) -> None:
    """The command line itself; leaves with its exit code."""
    trap.set(os.environ)
    sys.argv = ["reconciler", *args]
    from reconciler.cli.main import main

    main()


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve(watching())
    else:
        command_line(watching(), sys.argv[1:])
