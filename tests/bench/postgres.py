"""What a state in PostgreSQL costs, against the same state in SQLite, in one run.

    python -m tests.bench.postgres [--runs 10000] [--history 100] [--rounds 5] [--json FILE] [--report PAGE]

``--history``: former attempts of each run; with 10,000 runs 100 make a million. Exit code 1 when a goal is missed.
Times are medians; what is compared is measured in turns. Latency is that of a round trip.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from state.open import open_store
from state.records import Phase
from state.store import Store
from state.writes import Advance, Put
from tests.bench import filling
from tests.bench.book import Book, process, timed
from tests.bench.filling import EMULATOR, WORKSPACE
from tests.bench.latency import Latency
from tests.bench.report import put_into
from tests.postgres.binaries import asked_for, programs, run_as_server
from tests.postgres.folder import Folder, shared_folder
from tests.postgres.server import Server
from tests.state.samples import T0, attempt

# As PostgreSQL's own defaults are, where the tests' server differs for speed; nothing is analysed by itself.
SETTINGS = {"shared_buffers": "128MB", "full_page_writes": "on", "wal_init_zero": "on", "max_wal_size": "1GB"}
LATENCIES = (0.001, 0.020)  # seconds
APPLIED, GROUP, NEIGHBOURS = 1_000, 64, 49
_BY_ID, _NEWEST = 20_000, 200


@contextmanager
def opened(url: str, *, create: bool = False, read_only: bool = False) -> Iterator[Store]:
    store = open_store(url, base_url=EMULATOR, root=Path("/"), create=create, read_only=read_only)
    try:
        yield store
    finally:
        store.close()


class Bench:
    """One run over a folder and a server."""

    def __init__(self, book: Book, folder: Path, server: Server, runs: int, history: int) -> None:
        self.book, self.folder, self.server = book, folder, server
        self.runs, self.history = runs, history
        self.root = filling.declare(folder / "project", runs)
        self.sqlite = f"sqlite:///{self.root}/.reconciler/emulator/state.db"
        self.small, self.large = server.create_database(), server.create_database()

    def url(self, database: str, user: str = "team") -> str:
        return self.server.url(database, user=user, workspace=WORKSPACE)

    def prepare(self) -> None:
        """The same state in both places."""
        filling.run(self.root, "apply", "--auto-approve", "--no-wait")
        filling.run(self.root, "refresh")
        filling.copy(self.root / ".reconciler" / "emulator" / "state.db", self.url(self.small))

    # What is read

    def plan(self, state: str) -> float:
        return process(self.root, "plan", "--offline", state=state)[0]

    def snapshot(self, state: str) -> float:
        """Over a new connection."""
        with opened(state, read_only=True) as store:
            return timed(store.snapshot)

    def reading(self) -> None:
        small = self.url(self.small)
        title = f"no-op plan of {self.runs:,}, the whole command, ms"
        found = self.book.turns(title, sqlite=lambda: self.plan(self.sqlite), postgres=lambda: self.plan(small))
        self.book.goal("plan, PostgreSQL / SQLite", found["postgres"] / found["sqlite"], 2)
        title = f"snapshot of {self.runs:,}, ms"
        found = self.book.turns(title, sqlite=lambda: self.snapshot(self.sqlite), postgres=lambda: self.snapshot(small))
        self.book.goal("snapshot, PostgreSQL / SQLite", found["postgres"] / found["sqlite"], 2)
        memory = {name: process(self.root, "plan", "--offline", state=url)[1] for name, url in self._both().items()}
        self.book.note(f"peak memory of a plan of {self.runs:,}, MB", memory)
        self._statements()
        for name, url in self._both().items():
            with opened(url, read_only=True) as store:
                self._by_run(name, store)

    def _by_run(self, name: str, store: Store) -> None:
        ids = [one.run_id for one in store.newest_runs(_BY_ID) if one.run_id]
        ids += [f"unknown-{number}" for number in range(_BY_ID - len(ids))]  # as most of a long list may be
        steps: dict[str, Callable[[], object]] = {
            f"attempts_of_runs({_BY_ID:,})": partial(store.attempts_of_runs, ids),
            f"newest_runs({_NEWEST})": partial(store.newest_runs, _NEWEST),
        }
        if name != "sqlite":  # where nothing is asked
            steps[f"recorded_elsewhere({_NEWEST})"] = partial(store.recorded_elsewhere, ids[:_NEWEST])
        for what, step in steps.items():
            self.book.turns(f"{what}, ms", **{name: partial(timed, step)})

    def _both(self) -> dict[str, str]:
        return {"sqlite": self.sqlite, "postgres": self.url(self.small)}

    def _statements(self) -> None:
        """How many statements a plan sends, and how many of them read runs."""
        server = self.server
        server.execute(f"ALTER DATABASE {self.small} SET log_statement = 'all'")
        before = len(server.log())
        self.plan(self.url(self.small))
        server.execute(f"ALTER DATABASE {self.small} RESET log_statement")
        entries = re.split(r"^\d{4}-.{21}", server.log()[before:], flags=re.MULTILINE)
        sent = [entry for entry in entries if re.search(r"team@\S+ LOG:  (statement|execute)", entry)]
        reading = [entry for entry in sent if re.search(r"FROM\s+reconciler\.(attempts|instances)\b", entry)]
        self.book.note("statements of a plan", {"all": len(sent), "that read runs": len(reading)})
        self.book.goal("statements that read runs", len(reading), 1)

    # A history

    def with_history(self) -> None:
        large = self.large
        self.server.drop_database(large)
        self.server.execute(f"CREATE DATABASE {large} OWNER team TEMPLATE {self.small}")
        spent = timed(lambda: filling.add_history(self.server.url(large), self.history, NEIGHBOURS))
        self.server.execute("CHECKPOINT")
        self.book.note("filling the history", {"s": spent / 1000})
        self._compare("never analysed")
        self.server.execute("ANALYZE", large)
        self._compare("analysed")
        with opened(self.url(large), read_only=True) as store:
            self._by_run("postgres, with a history", store)

    def _compare(self, statistics_are: str) -> None:
        small, large = self.url(self.small), self.url(self.large)
        history = f"{self.runs * self.history:,} former attempts, {NEIGHBOURS + 1} workspaces, {statistics_are}, ms"
        for database in (small, large):
            self.snapshot(database)  # who reads rows first after a bulk load marks them as committed, and writes pages
        for what, measure in (("plan", self.plan), ("snapshot", self.snapshot)):
            compared = {"without": partial(measure, small), "with": partial(measure, large)}
            found = self.book.turns(f"{what}: {history}", **compared)
            self.book.goal(f"{what} with a history, {statistics_are}", found["with"] / found["without"], 1.2)

    def sizes(self) -> None:
        rows = self.server.execute(_SIZES_SQL, self.large)
        count = self.server.execute("SELECT count(*) FROM reconciler.attempts", self.large)[0][0]
        former = self.runs * self.history  # neighbours have attempts alone
        per_attempt = {name: float(size) / (count if name == "attempts" else former) for name, size in rows}
        title = f"bytes for each of {count:,} attempts, with indexes"
        self.book.note(title, {**per_attempt, "together": sum(per_attempt.values())})
        (whole,) = self.server.execute("SELECT pg_database_size(current_database())", self.large)[0]
        self.book.note("the database with its history", {"MB": whole / 1024**2})
        found, file = programs(asked_for(), shared_folder()).bin, self.server.folder / "dump"
        name = self.server.create_database()
        dump = (found / "pg_dump", "-Fc", "-Z1", "-f", file, self.server.url(self.large))
        restore = (found / "pg_restore", "-j2", "-d", self.server.url(name), file)
        saved = timed(lambda: run_as_server(*dump, folder=self.server.folder))
        size = file.stat().st_size / 1024**2
        read = timed(lambda: run_as_server(*restore, folder=self.server.folder))
        self.book.note("backup", {"pg_dump, s": saved / 1000, "MB": size, "pg_restore -j2, s": read / 1000})
        assert self.server.execute("SELECT count(*) FROM reconciler.attempts", name) == [(count,)]
        self.server.drop_database(name)
        file.unlink()

    # What is written, near and far

    def places(self) -> Iterator[tuple[str, str]]:
        """SQLite, the server on this machine, and the same at some distance."""
        yield "sqlite", f"sqlite:///{self.folder}/written.db"
        base = self.url(self.server.create_database())
        yield "postgres", base
        for latency in LATENCIES:
            with Latency(base, latency) as proxy:
                yield f"postgres, {latency * 1000:g} ms", proxy.url

    def writing(self) -> None:
        for name, url in self.places():
            with opened(url, create=True) as store:
                ids = [f"{name}-{number}" for number in range((GROUP + 1) * (self.book.rounds + 10))]
                store.commit([Put(attempt(key, address=f"run.x{at}")) for at, key in enumerate(ids)])
                left = iter(ids)

                def commit(size: int, store: Store = store, left: Iterator[str] = left) -> float:
                    steps = [Advance(next(left), Phase.SENDING, T0) for _ in range(size)]
                    return timed(lambda: store.commit(steps))

                for _ in range(10):
                    commit(1)  # statements are prepared when they were sent a few times
                self.book.turns("one step of the journal, ms", **{name: partial(commit, 1)})
                self.book.turns(f"{GROUP} steps in a group, ms", **{name: partial(commit, GROUP)})
                self.book.turns("lock and unlock, ms", **{name: partial(timed, partial(_lock, store))})
            self.book.turns("opening, ms", **{name: partial(timed, partial(_open, url))})
        with Latency(self.url(self.small), 0) as proxy:
            _open(proxy.url)
            self.book.note("round trips to open", {"postgres": proxy.turns})

    def applying(self) -> None:
        """``apply --no-wait`` of new runs, each time in a project of its own."""
        for name, url in self.places():
            title = f"apply --no-wait of {APPLIED:,} on the emulator, ms"
            self.book.turns(title, **{name: partial(self._apply, None if name == "sqlite" else url)})

    def _apply(self, url: str | None) -> float:
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            root = filling.declare(Path(folder) / "project", APPLIED)
            state = f"sqlite:///{folder}/state.db"
            if url is not None:
                state = url.replace(f"workspace={WORKSPACE}", f"workspace={Path(folder).name}")
            return process(root, "apply", "--auto-approve", "--no-wait", state=state)[0]


_SIZES_SQL = """
SELECT relname, pg_total_relation_size(oid) FROM pg_class
WHERE relnamespace = 'reconciler'::regnamespace AND relkind = 'r'
  AND relname IN ('attempts', 'journal', 'events', 'plan_actions')
"""


def _open(url: str) -> None:
    with opened(url):
        pass


def _lock(store: Store) -> None:
    with store.lock("bench"):
        pass


def main() -> int:
    parser = argparse.ArgumentParser(description="A state in PostgreSQL against one in SQLite.")
    parser.add_argument("--runs", type=int, default=10_000, help="runs of the state that is planned")
    parser.add_argument("--history", type=int, default=100, help="former attempts of each run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--report", type=Path, metavar="PAGE", help="and as tables between the marks of a page")
    chosen = parser.parse_args()
    # On the disk, like the SQLite file: in memory a commit would cost nothing.
    disk = Folder(Path(tempfile.gettempdir()).resolve())
    book, server = Book(chosen.rounds), Server(disk, settings=SETTINGS)
    try:
        server.start()
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(book, Path(folder), server, chosen.runs, chosen.history)
            bench.prepare()
            bench.reading()
            bench.writing()
            bench.applying()
            bench.with_history()
            bench.sizes()
    finally:
        server.close()
        disk.close()
    print("\n".join(["", f"goals missed: {len(book.missed)}", *(f"  {text}" for text in book.missed)]))
    if chosen.report:
        put_into(chosen.report, book.figures, book.goals, book.loads)
    if chosen.json:
        chosen.json.write_text(json.dumps({"figures": book.figures, "goals": book.goals}, indent=2) + "\n", "utf-8")
    return 1 if book.missed else 0


if __name__ == "__main__":
    sys.exit(main())
