"""The benchmark of a state in PostgreSQL measures what it says; its goals are for a run of its own, not for a test."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.bench.book import Book
from tests.bench.latency import Latency
from tests.bench.postgres import NEIGHBOURS, SETTINGS, Bench
from tests.bench.report import put_into
from tests.postgres.server import Server

RUNS, HISTORY = 30, 20


pytestmark = pytest.mark.timeout(200)


def test_it_fills_reads_and_reports(postgres_folder: None, tmp_path: Path) -> None:
    server = Server(settings=SETTINGS)
    try:
        server.start()
        book = Book(rounds=1)
        bench = Bench(book, tmp_path, server, RUNS, HISTORY)
        bench.prepare()
        bench.reading()
        assert book.goals["statements that read runs"] == (1, 1)
        bench.with_history()
        ((attempts, former, current),) = server.execute(
            "SELECT count(*), count(*) FILTER (WHERE number < 1000), count(DISTINCT i.attempt_id)"
            " FROM reconciler.attempts AS a JOIN reconciler.workspaces USING (workspace)"
            " LEFT JOIN reconciler.instances AS i USING (workspace, attempt_id) WHERE name = 'bench'",
            bench.large,
        )
        assert (attempts, former, current) == (RUNS * (HISTORY + 1), RUNS * HISTORY, RUNS)
        assert server.execute("SELECT count(*) FROM reconciler.workspaces", bench.large) == [(NEIGHBOURS + 1,)]
        bench.sizes()
    finally:
        server.close()
    page = tmp_path / "page.md"
    page.write_text("# Before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n")
    put_into(page, book.figures, book.goals, book.loads)
    text = page.read_text()
    assert "old" not in text
    for part in ("# Before", "after\n", f"| no-op plan of {RUNS}", "pg_dump, s", "| plan, PostgreSQL / SQLite |"):
        assert part in text


def test_latency_is_that_of_a_round_trip_and_round_trips_are_counted(postgres: Server) -> None:
    with Latency(postgres.url(), 0.05) as proxy, psycopg.connect(proxy.url, autocommit=True) as connection:
        before = proxy.turns
        with connection.pipeline():
            for _ in range(3):
                connection.execute("SELECT 1")
        assert proxy.turns == before + 1
        connection.execute("SELECT 1")
        assert proxy.turns == before + 2
