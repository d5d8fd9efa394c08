"""The trap's points at the edge to PostgreSQL: commits of the store, and SQL that its sessions run."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from state.postgres import access, advisory, migrations, session, writing
from state.postgres.store import PostgresStore
from tests.campaign.edges import Reached, kinds

_BEFORE = {
    access._MAKE_SQL: "state, its tables made",
    advisory._ENTER_SQL: "lock, the server's alone",
    advisory._FREE_SQL: "lock, about to be given back",
}
_AFTER = {
    migrations._RECORDS: "state, half its tables made",
    migrations.MIGRATIONS[-1]: "state, its tables not committed",
    access._MAKE_SQL: "state, its workspace made",
    advisory._ENTER_SQL: "lock, taken",
    advisory._FREE_SQL: "lock, given back",
}


def watch_postgres(reached: Reached) -> None:
    """Before and after each commit; inside, when the rows are fetched and nothing is written; and committing, when
    COMMIT is sent and nobody knows what became of it. A new state, and the lock.
    """
    commit, begin, opening = PostgresStore.commit, writing.begin, session._open
    execute = session.Session.execute
    committing = threading.local()

    def watched_commit(self: PostgresStore, writes: Sequence[Any]) -> int:
        about = list(kinds(writes))
        for kind in about:
            reached(f"before {kind}")
        committing.about = about
        try:
            serial = commit(self, writes)
        finally:
            committing.about = []
        for kind in about:
            reached(f"after {kind}")
        return serial

    def watched_begin(*args: Any) -> writing.Begun:
        begun = begin(*args)
        for kind in committing.about:
            reached(f"inside {kind}")
        return begun

    def watched_execute(self: session.Session, query: Any, *args: Any, **options: Any) -> Any:
        if query in _BEFORE:
            reached(_BEFORE[query])
        done = execute(self, query, *args, **options)
        if query in _AFTER:
            reached(_AFTER[query])
        elif query == "COMMIT":  # in a pipeline: sent, and its answer not read
            for kind in committing.about:
                reached(f"committing {kind}")
        return done

    def watched_open(target: Any) -> session.Session:
        opened = opening(target)
        reached("state, session opened")
        return opened

    PostgresStore.commit = watched_commit
    session.Session.execute = watched_execute
    session._open = watched_open
    writing.begin = watched_begin
