"""``python -m reconciler`` with a clock at the journal, and with a slower disk.

    python -m tests.bench.launch FACTS DELAY ARGUMENT…

FACTS gets, as JSON, the seconds from the first submission's SENDING, as it is handed to the store, to the last
ACCEPTED, as it is durable. DELAY: seconds that each commit of the SQLite state takes longer, one after another, as a
sync would.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from reconciler.cli.main import main
from state.records import Phase
from state.sqlite.store import SqliteStore
from state.writes import Advance, Write


class Clock:
    """Stands between callers and the store's commit."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._commit = SqliteStore.commit
        self._disk = threading.Lock()
        self.first: float | None = None
        self.last = 0.0
        self.commits = 0  # that hold steps of submissions

    def commit(self, store: SqliteStore, writes: Sequence[Write]) -> int:
        begin = time.perf_counter()
        with self._disk:
            serial = self._commit(store, writes)
            if self._delay:
                time.sleep(self._delay)
        end = time.perf_counter()
        phases = {write.phase for write in writes if isinstance(write, Advance)}
        self.commits += bool(phases)
        if Phase.SENDING in phases:
            self.first = begin if self.first is None else min(begin, self.first)
        if Phase.ACCEPTED in phases:
            self.last = max(end, self.last)
        return serial


def launch(facts: Path, delay: float) -> None:
    """Run the command line; exits as it does."""
    clock = Clock(delay)
    SqliteStore.commit = lambda store, writes: clock.commit(store, writes)
    try:
        main()
    finally:
        took = None if clock.first is None else clock.last - clock.first
        facts.write_text(json.dumps({"seconds": took, "commits": clock.commits}), "utf-8")


if __name__ == "__main__":
    _, path, seconds, *words = sys.argv
    sys.argv = ["reconciler", *words]
    launch(Path(path), float(seconds))
