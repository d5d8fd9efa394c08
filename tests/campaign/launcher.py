"""The real command line, with a trap: at the Nth time that a named point is reached, this process is killed.

Called like ``python -m reconciler``. With ``--serve`` it imports everything once and forks a process for each order
that comes in on standard input: a campaign of thousands of commands spends its time on something better than imports.
The environment (of the process, or of the order) says where:

- ``CAMPAIGN_POINT``: the point's name (:mod:`tests.campaign.points` lists them), or ``any``
- ``CAMPAIGN_NTH``: how often it is reached before the trap shuts (default 1)
- ``CAMPAIGN_ARMED_BY``: only points that are reached after this one count
- ``CAMPAIGN_REPORT``: a file that gets the name of the point, just before
- ``CAMPAIGN_DEED``: ``kill`` (SIGKILL, the default), ``raise`` (an exception that nobody expects), ``fill`` (from
  then on no file grows beyond the present size of ``CAMPAIGN_FILE``), ``cut`` (every session on the database
  ``CAMPAIGN_DATABASE`` of the server ``CAMPAIGN_SERVER``, a URL, is ended; this process lives on) or ``shut`` (the
  same, and from then on nobody gets in)
- ``CAMPAIGN_HOST``: the name of this machine, for whoever asks in Python
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from tests.campaign.edges import watch_http, watch_lock_file, watch_sqlite
from tests.campaign.edges_postgres import watch_postgres

_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_USED = (
    *(f"reconciler.cli.{name}" for name in ("apply", "exits", "imports", "plan", "records", "resolve", "signals")),
    *(f"reconciler.{name}" for name in ("cli.telling", "git", "pipeline", "planning.planfile", "views.plan_text")),
    *("getpass", "httpcore", "reconciler.dataframer.catalogue", "state.sqlite.migrations", "state.sqlite.store"),
    "state.postgres.store",
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
        self._server = environ.get("CAMPAIGN_SERVER", "")
        self._database = environ.get("CAMPAIGN_DATABASE", "")

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
                os.close(handle)
            if self._deed in ("cut", "shut"):
                self._cut(shut=self._deed == "shut")
                return
            os.kill(os.getpid(), signal.SIGKILL)

    def _cut(self, shut: bool) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            if shut:
                connection.execute(f"ALTER DATABASE {self._database} ALLOW_CONNECTIONS false".encode())
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (self._database,)
            )


def watching() -> Trap:
    """A trap at every edge."""
    trap = Trap()
    for watch in (watch_sqlite, watch_lock_file, watch_postgres, watch_http):
        watch(trap.reached)
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
    if host := os.environ.get("CAMPAIGN_HOST"):
        real = os.uname()
        os.uname = lambda: os.uname_result((real.sysname, host, *real[2:]))
    sys.argv = ["reconciler", *args]
    from reconciler.cli.main import main

    main()


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve(watching())
    else:
        command_line(watching(), sys.argv[1:])
