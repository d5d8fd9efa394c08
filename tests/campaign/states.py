"""Where the states of subjects live: each in a file of its project, or each in a database of one server, and what the
campaign does to them behind the product's back.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg

from tests.acceptance.project import Project
from tests.postgres import folder
from tests.postgres.server import Server

KINDS = ("sqlite", "postgres")
_TIMEOUT = 5  # seconds without a word from the server
_PATIENCE = 10.0  # seconds until sessions of dead processes are gone
# Every step of a submission is journalled in the transaction that makes it.
_JOURNAL_SQL = """
SELECT attempt_id, phase FROM attempts AS a
WHERE phase <> (SELECT phase FROM journal AS j WHERE j.attempt_id = a.attempt_id ORDER BY seq DESC LIMIT 1)
   OR NOT EXISTS (SELECT 1 FROM journal AS j WHERE j.attempt_id = a.attempt_id)"""
_LEFT_SQL = """
SELECT application_name, state, query FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""
_HELD_SQL = """
SELECT w.holder FROM reconciler.workspaces AS w
JOIN pg_locks AS l ON l.locktype = 'advisory' AND l.pid = (w.holder::json ->> 'backend')::int"""


class State(Protocol):
    """The state of one subject."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of its tables; none where there is no state yet."""

    def problems(self) -> Iterator[str]:
        """A sentence for whatever is broken in it."""

    def held_by(self, pid: int) -> bool:
        """Whether this process has its lock."""

    def lose(self) -> None:
        """It is gone; the runs are still there."""

    def drop(self) -> None:
        """Nobody needs it any more."""

    def full(self) -> Mapping[str, str]:
        """What makes a trap of the launcher's close the state: from then on nothing can be written to it."""

    def roomy(self) -> None:
        """It can be written again."""


class States(Protocol):
    """Makes states of one kind."""

    name: str

    def make(self, project: Project, like: State | None = None) -> State:
        """The state of a new project, whose environment then names it. ``like``: its folder is a copy of one whose
        state this is.
        """


@contextmanager
def states(kind: str) -> Iterator[States]:
    """The means for states of a kind; a server of their own for ``postgres``."""
    if kind == "sqlite":
        yield SqliteStates()
        return
    server = Server()
    try:
        server.start()
        yield PostgresStates(server)
    finally:
        server.close()


@contextmanager
def campaign_states(kind: str) -> Iterator[States]:
    """``states`` for a program of its own: nothing is left behind."""
    try:
        with states(kind) as made:
            yield made
    finally:
        folder.close_shared_folder()


class SqliteState:
    def __init__(self, database: Path) -> None:
        self.database = database

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        if not self.database.exists():
            return []
        with closing(sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True)) as db:
            return db.execute(sql).fetchall()

    def problems(self) -> Iterator[str]:
        verdict = self.rows("PRAGMA integrity_check")
        if verdict != [("ok",)]:
            yield f"integrity_check: {verdict}"
        yield from _unjournalled(self)

    def held_by(self, pid: int) -> bool:
        try:
            return f'"pid": {pid},' in self.database.with_name("state.db.lock").read_text()
        except OSError:
            return False

    def lose(self) -> None:
        shutil.rmtree(self.database.parent)

    def drop(self) -> None:
        """It goes with its folder."""

    def full(self) -> Mapping[str, str]:
        return {"CAMPAIGN_DEED": "fill", "CAMPAIGN_FILE": f"{self.database}-wal"}

    def roomy(self) -> None:
        """The limit was that of a process."""


class SqliteStates:
    name = "sqlite"

    def make(self, project: Project, like: State | None = None) -> SqliteState:
        return SqliteState(project.root / ".reconciler" / "state.db")


class PostgresState:
    """A database of its own. ``team``, who owns it, is no superuser."""

    def __init__(self, server: Server, database: str, project: Project) -> None:
        self.server = server
        self.database = database
        project.env["RECONCILER_STATE_URL"] = self.url()

    def url(self, **query: str) -> str:
        """The state's URL, with these parameters as well."""
        return self.server.url(self.database, "team", **{"workspace": "campaign", "timeout": str(_TIMEOUT)} | query)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        options = "-c search_path=reconciler,pg_catalog"
        with psycopg.connect(self.server.url(self.database), options=options, autocommit=True) as connection:
            try:
                return connection.execute(sql.encode()).fetchall()
            except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                return []

    def problems(self) -> Iterator[str]:
        yield from _unjournalled(self)
        until = time.monotonic() + _PATIENCE
        while (left := self.rows(_LEFT_SQL)) and time.monotonic() < until:
            time.sleep(0.05)
        if left:
            yield f"sessions of processes that are gone: {left}"

    def held_by(self, pid: int) -> bool:
        return any(json.loads(holder)["pid"] == pid for (holder,) in self.rows(_HELD_SQL))

    def lose(self) -> None:
        self.drop()
        self.server.execute(f"CREATE DATABASE {self.database} OWNER team TEMPLATE template0 STRATEGY wal_log")

    def drop(self) -> None:
        self.server.drop_database(self.database)

    def end_sessions(self) -> None:
        """As an administrator does it, or a proxy on the way."""
        ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ="
        self.server.execute(f"{ending} '{self.database}'")

    def cut(self) -> Mapping[str, str]:
        """What makes a trap end every session on it, once."""
        return {"CAMPAIGN_DEED": "cut", "CAMPAIGN_SERVER": self.server.url(), "CAMPAIGN_DATABASE": self.database}

    def full(self) -> Mapping[str, str]:
        return {**self.cut(), "CAMPAIGN_DEED": "shut", "RECONCILER_STATE_URL": self.url(timeout="0.5")}

    def roomy(self) -> None:
        self.server.execute(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS true")


class PostgresStates:
    name = "postgres"

    def __init__(self, server: Server) -> None:
        self.server = server

    def make(self, project: Project, like: State | None = None) -> PostgresState:
        if like is None:
            return PostgresState(self.server, self.server.create_database(), project)
        assert isinstance(like, PostgresState)
        return PostgresState(self.server, self.server.create_database(template=like.database), project)


def _unjournalled(state: State) -> Iterator[str]:
    for attempt_id, phase in state.rows(_JOURNAL_SQL):
        yield f"attempt {attempt_id} is {phase}, and its journal says something else"
