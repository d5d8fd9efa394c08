"""What is read does not grow with the history, whatever the planner's statistics say, or if there are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from state.postgres import queries, writing
from state.postgres.store import open_postgres
from tests.state.samples import URL

ADDRESSES, TIMES, ASKED = 200, 150, 600
_FILL = f"""
INSERT INTO reconciler.attempts (workspace, attempt_id, address, number, phase, request_digest, rerun, sent_json,
                                 inferred_json, spec_id, prepared_at, run_id)
SELECT workspace, 'a-' || address || '-' || number, 'run.x' || address, number, 'ACCEPTED', repeat('d', 64), 0, '{{}}',
       '[]', 'spec', now()::text, 'r-' || workspace || '-' || address || '-' || number
FROM reconciler.workspaces, generate_series(1, {ADDRESSES}) AS address, generate_series(1, {TIMES}) AS number;
UPDATE reconciler.attempts SET prepared_at = '2099-01-01T00:00:00.000Z' WHERE number = {TIMES} AND address LIKE '%9';
INSERT INTO reconciler.instances (workspace, address, attempt_id, lifecycle_json, recorded_at)
SELECT workspace, address, attempt_id, '{{}}', prepared_at FROM reconciler.attempts WHERE number = {TIMES}
"""
IDS = [f"a-{at % ADDRESSES + 1}-{at // ADDRESSES + 1}" for at in range(ASKED)]
RUNS = [f"r-1-{at % ADDRESSES + 1}-{at // ADDRESSES + 1}" for at in range(ASKED)]


@pytest.fixture(params=["none", "older"])
def connection(request: pytest.FixtureRequest, database: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A database with a history, and no statistics, or those of when it was empty."""
    for workspace in ("one", "two"):
        open_postgres(database, base_url=URL, workspace=workspace, create=True).close()
    with psycopg.connect(database, autocommit=True) as made:
        if request.param == "older":
            made.execute("ANALYZE")
        made.execute(_FILL.encode())
        yield made


def read(plan: dict[str, Any]) -> int:
    """Rows of attempts that a plan looked at, taken or not."""
    in_vain = sum(value for name, value in plan.items() if name.startswith("Rows Removed by"))
    rows = round((plan["Actual Rows"] + in_vain) * plan["Actual Loops"])
    here = rows if plan.get("Relation Name") == "attempts" else 0
    return here + sum(map(read, plan.get("Plans", ())))


@pytest.mark.parametrize(
    ("sql", "arguments", "most"),
    [
        pytest.param(queries.SNAPSHOT_SQL, {"workspace": 1}, ADDRESSES, id="snapshot"),
        pytest.param(queries.ATTEMPTS_OF_RUNS_SQL, (1, RUNS), ASKED, id="by run"),
        pytest.param(queries.ATTEMPTS_OF_ADDRESSES_SQL, (1, ["run.x1", "run.x2"]), 2 * TIMES, id="by address"),
        pytest.param(queries.NEWEST_SQL, (1, 200), 200, id="newest"),
        pytest.param(queries.BOUGHT_SQL, (1, "2098"), ADDRESSES // 10, id="bought since"),
        pytest.param(queries.NEWEST_ATTEMPTS_OF_SQL, (1, ["run.x1"], None), TIMES, id="history, attempts"),
        pytest.param(queries.NEWEST_EVENTS_OF_SQL, (1, ["run.x1"], 9), TIMES, id="history, events"),
        pytest.param(queries.ELSEWHERE_SQL, (1, RUNS), ASKED, id="elsewhere"),
        pytest.param(writing._ATTEMPTS_SQL, (1, IDS, 1, RUNS), 2 * ASKED, id="commit, attempts"),
        pytest.param(writing._INSTANCES_SQL, (1, [], 1, IDS), ASKED, id="commit, instances"),
    ],
)
def test_what_is_read_is_what_is_wanted(
    connection: psycopg.Connection[tuple[Any, ...]], sql: str, arguments: Any, most: int
) -> None:
    found = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}".encode(), arguments).fetchone()
    assert found is not None
    assert read(found[0][0]["Plan"]) <= most, found[0]
