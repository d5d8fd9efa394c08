"""States to measure: the same in SQLite and in PostgreSQL, and one with a long history.

The rows are those that ``apply`` and ``refresh`` wrote on the emulator; a history repeats them under other ids.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg
from msgspec.structs import replace

from state.postgres.store import open_postgres
from state.records import AttemptRecord, Record
from state.sqlite.store import open_sqlite
from state.writes import Put

ROOT = Path(__file__).resolve().parents[2]
EMULATOR = "emulator"
WORKSPACE = "bench"
_HEAD = """\
[api]
base_url = "emulator"

[apply]
parallelism = 32

[specs]
tickets = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"

[defaults]
generation_model = "anthropic/claude-haiku-4-5"
spec_version = 1

"""
_RUN = """\
[run.evaluation_{number:05d}]
spec = "tickets"
number_of_samples = {samples}
revision_types = ["consistency", "conformance"]
max_revision_cycles = 2

"""
_IN_A_FILE = 2_000
_IN_A_COMMIT = 500
_PORTIONS = 10


def declare(root: Path, runs: int) -> Path:
    """A project with so many runs, on the emulator."""
    (root / "runs").mkdir(parents=True)
    (root / "reconciler.toml").write_text(_HEAD, "utf-8")
    for first in range(0, runs, _IN_A_FILE):
        texts = [_RUN.format(number=i, samples=10 + i % 90) for i in range(first, min(runs, first + _IN_A_FILE))]
        (root / "runs" / f"{first:06d}.toml").write_text("".join(texts), "utf-8")
    return root


def command(root: Path, *words: str, state: str | None = None) -> tuple[list[str], Mapping[str, str]]:
    """A command line of the product and its environment. ``state``: a URL, else the project's own."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    env = kept | {"PYTHONPATH": str(ROOT), "HOME": str(root), "XDG_DATA_HOME": str(root / "data"), "NO_COLOR": "1"}
    if state is not None:
        env["RECONCILER_STATE_URL"] = state
    return [sys.executable, "-m", "reconciler", "-C", str(root), *words], env


def run(root: Path, *words: str, state: str | None = None) -> None:
    """Run a command to its end. Raises CalledProcessError."""
    line, env = command(root, *words, state=state)
    subprocess.run(line, env=env, check=True, capture_output=True)


def copy(database: Path, url: str) -> None:
    """What planning needs of a SQLite state, into a new workspace."""
    source = open_sqlite(database, base_url=EMULATOR, read_only=True)
    target = open_postgres(url, base_url=EMULATOR, create=True)
    snapshot = source.snapshot()
    attempts = [replace(attempt, number=1_000) for attempt in source.attempts()]  # older ones come later
    records: list[Record] = [
        *attempts,
        *snapshot.instances.values(),
        *snapshot.specs.values(),
        *source.events(),
        *snapshot.marks.values(),
    ]
    for first in range(0, len(records), _IN_A_COMMIT):
        target.commit([Put(record) for record in records[first : first + _IN_A_COMMIT]])
    target.close()
    source.close()


_COPIED = ", ".join(
    f'"{name}"'
    for name in AttemptRecord.__struct_fields__
    if name not in ("attempt_id", "number", "request_digest", "run_id")
)
_EMPTY = """
SET session_replication_role = replica; -- what is copied is right: no trigger has to look at it
CREATE TABLE public.kept AS SELECT * FROM reconciler.attempts;
CREATE TABLE public.pointers AS SELECT * FROM reconciler.instances;
TRUNCATE reconciler.instances, reconciler.attempts;
CREATE FUNCTION public.new_id() RETURNS text LANGUAGE sql VOLATILE AS 'SELECT gen_random_uuid()::text';
"""
_PUT_BACK = "INSERT INTO reconciler.attempts SELECT * FROM public.kept WHERE abs(hashtext(address)) %% %s = %s"
_POINT = "INSERT INTO reconciler.instances SELECT * FROM public.pointers"
# Each former attempt with its journal, its events and the action of its plan, as an apply writes them.
_HISTORY = f"""
WITH old AS (
    INSERT INTO reconciler.attempts (workspace, attempt_id, number, request_digest, run_id, {_COPIED})
    SELECT workspace, public.new_id(), generation,
           'sha256:' || encode(sha256(convert_to(attempt_id || generation, 'UTF8')), 'hex'), public.new_id(), {_COPIED}
    FROM public.kept, generate_series(%s::int, %s::int) AS generation
    RETURNING workspace, attempt_id, address, run_id, apply_id, settled_at),
events AS (
    INSERT INTO reconciler.events (workspace, event_id, at, type, apply_id, address, attempt_id, run_id, message)
    SELECT workspace, public.new_id(), settled_at, type, apply_id, address, attempt_id, run_id, message || run_id
    FROM old, (VALUES ('accepted', 'create: run '), ('finished', 'SUCCEEDED: run ')) AS said (type, message)),
actions AS (
    INSERT INTO reconciler.plan_actions
        (workspace, plan_action_id, plan_id, action_digest, address, attempt_id, done_at)
    SELECT workspace, apply_id || ':sha256:' || digest, apply_id, 'sha256:' || digest, address, attempt_id, settled_at
    FROM (SELECT old.*, encode(sha256(convert_to(attempt_id, 'UTF8')), 'hex') AS digest FROM old) AS digested)
INSERT INTO reconciler.journal (workspace, seq, attempt_id, phase, at)
SELECT workspace, last + row_number() OVER (), attempt_id, phase, settled_at
FROM old, (SELECT coalesce(max(seq), 0) AS last FROM reconciler.journal) AS so_far,
      (VALUES ('PREPARED'), ('SENDING'), ('ACCEPTED')) AS passed (phase)
"""
_NEIGHBOUR = """
WITH made AS (
    INSERT INTO reconciler.workspaces (name, lineage, serial, base_url, created_at)
    SELECT 'neighbour-' || number, public.new_id(), 1, base_url, created_at
    FROM reconciler.workspaces, generate_series(1, %s::int) AS number RETURNING workspace),
old AS (
    INSERT INTO reconciler.attempts (workspace, attempt_id, number, request_digest, run_id, {copied})
    SELECT made.workspace, attempt_id, number, request_digest, run_id, {copied}
    FROM made, (SELECT * FROM public.kept ORDER BY address LIMIT %s) AS few)
INSERT INTO reconciler.instances (workspace, address, attempt_id, lifecycle_json, recorded_at)
SELECT made.workspace, address, attempt_id, lifecycle_json, recorded_at
FROM made, (SELECT * FROM public.pointers ORDER BY address LIMIT %s) AS few
"""


def add_history(url: str, generations: int, neighbours: int, neighbour_runs: int = 1_000) -> None:
    """Former attempts for every run of the one workspace, and other workspaces. As a superuser, for one state only.

    The current attempts come to lie between those of before, as they do when runs are replaced one by one.
    """
    with psycopg.connect(url) as connection:
        connection.execute(_EMPTY.encode())
        for portion in range(_PORTIONS):
            first, end = (generations * at // _PORTIONS for at in (portion, portion + 1))
            if end > first:
                connection.execute(_HISTORY.encode(), (first + 1, end))
            connection.execute(_PUT_BACK.encode(), (_PORTIONS, portion))
        connection.execute(_POINT)
        connection.execute(_NEIGHBOUR.format(copied=_COPIED).encode(), (neighbours, neighbour_runs, neighbour_runs))
        connection.execute("DROP TABLE public.kept, public.pointers; DROP FUNCTION public.new_id()")
