"""The floor of planning: what the same work costs at least, in the fastest parts that there are.

    python floor.py fill ROOT DATABASE LIST
    python floor.py validate ROOT
    python floor.py plan ROOT DATABASE
    python floor.py refresh ROOT DATABASE URL

A Rust parser of TOML, msgspec structs, orjson and SHA-256 for digests, plain rows of SQLite, one HTTP connection of the
standard library; no command line, no positions, no plan. LIST is a file of runs as the service lists them, in the order
of the declarations, one JSON object a line. It reads the projects that ``projects`` writes, and no others.
"""

from __future__ import annotations

import gc
import itertools
import os
import sqlite3
import sys
from hashlib import sha256
from typing import Annotated, Any

import msgspec
import orjson
import toml_rs

Samples = Annotated[int, msgspec.Meta(ge=1, le=20_000)]


class Run(msgspec.Struct, forbid_unknown_fields=True):
    """A declaration."""

    spec: str
    number_of_samples: Samples | None = None
    revision_types: list[str] = []  # each struct gets its own
    outline_model: str | None = None
    seed_shuffling_level: str | None = None
    matrix: dict[str, list[Any]] | None = None


class Document(msgspec.Struct, forbid_unknown_fields=True):
    """A file."""

    api: dict[str, str] = {}
    apply: dict[str, int] = {}
    specs: dict[str, str] = {}
    defaults: dict[str, str] = {}
    run: dict[str, Run] = {}


class Listed(msgspec.Struct):
    """A run in the list of the service."""

    id: str
    status: str


def load(root: str) -> list[tuple[str, str]]:
    """Address and digest of every run that is declared."""
    paths = [os.path.join(root, "reconciler.toml")]
    if os.path.isdir(folder := os.path.join(root, "runs")):
        paths += sorted(os.path.join(folder, name) for name in os.listdir(folder))
    tables = []
    for path in paths:
        with open(path, "rb") as file:
            tables.append(toml_rs.loads(file.read().decode()))
    documents = msgspec.convert(tables, list[Document])
    specs = {name: spec for document in documents for name, spec in document.specs.items()}
    defaults = {name: value for document in documents for name, value in document.defaults.items()}
    found: dict[str, str] = {}
    for table in tables:
        for name, run in table.get("run", {}).items():
            body = {**defaults, **run}
            body["spec_id"] = specs[body.pop("spec")]
            axes = body.pop("matrix", None)
            if axes is None:
                _add(found, f"run.{name}", body)
                continue
            for values in itertools.product(*axes.values()):
                point = dict(zip(axes, values, strict=True))
                key = ",".join([f"{axis}={value}" for axis, value in point.items()])
                _add(found, f'run.{name}["{key}"]', {**body, **point})
    return list(found.items())


def _add(found: dict[str, str], address: str, body: dict[str, Any]) -> None:
    if address in found:
        raise SystemExit(f"{address} is declared twice")
    found[address] = sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


def fill(root: str, database: str, listed: str) -> None:
    """A table of what is declared, with its runs."""
    with open(listed, "rb") as file:
        runs = [msgspec.json.decode(line, type=Listed) for line in file]
    rows = [(address, digest, run.id, run.status) for (address, digest), run in zip(load(root), runs, strict=True)]
    with sqlite3.connect(database) as db:
        db.execute("CREATE TABLE runs (address TEXT PRIMARY KEY, digest TEXT, run_id TEXT, status TEXT) WITHOUT ROWID")
        db.executemany("INSERT INTO runs VALUES (?, ?, ?, ?)", rows)


def plan(root: str, database: str) -> int:
    """How many of the declarations are not what is recorded."""
    declared = load(root)
    recorded = dict(sqlite3.connect(database).execute("SELECT address, digest FROM runs"))
    return sum(recorded.get(address) != digest for address, digest in declared)


def refresh(root: str, database: str, url: str) -> int:
    """The same, and how many runs are not as recorded."""
    from http.client import HTTPConnection

    connection = HTTPConnection(url.removeprefix("http://"))
    connection.request(
        "GET", "/api/dataframer/runs/", headers={"authorization": f"Bearer {os.environ['DATAFRAMER_API_KEY']}"}
    )
    listed = {run.id: run.status for run in msgspec.json.decode(connection.getresponse().read(), type=list[Listed])}
    declared = load(root)
    rows = sqlite3.connect(database).execute("SELECT address, digest, run_id, status FROM runs")
    recorded = {address: (digest, run_id, status) for address, digest, run_id, status in rows}
    changed = 0
    for address, digest in declared:
        before = recorded.get(address)
        changed += before is None or before[0] != digest or listed.get(before[1]) != before[2]
    return changed


def main() -> None:
    gc.disable()
    match sys.argv[1:]:
        case ["fill", root, database, listed]:
            fill(root, database, listed)
        case ["validate", root]:
            print(len(load(root)), "runs")
        case ["plan", root, database]:
            print(plan(root, database), "changes")
        case ["refresh", root, database, url]:
            print(refresh(root, database, url), "changes")
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
