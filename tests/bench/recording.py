"""Fill the state of a project through its own store, as if every declared run had been made.

    python -m tests.bench.recording ROOT LIST WORKING

LIST is written: the runs as the service lists them, one JSON object a line, in the order of the declarations. The first
WORKING of them are at work, the others SUCCEEDED.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reconciler.clock import now
from reconciler.model.request import Instance, canonical_json
from reconciler.project import read_project
from state.records import AttemptRecord, InstanceRecord, Phase
from state.writes import Put

_IN_A_COMMIT = 10_000


def record(root: Path, listed: Path, working: int) -> None:
    """Fill the state, write the list."""
    project, at = read_project(root, os.environ), now()
    store = project.open_state(create=True)
    with store.lock("bench"), listed.open("w", encoding="utf-8") as file:
        writes: list[Put] = []
        for position, instance in enumerate(project.desired.instances):
            run = as_listed(instance, "PROCESSING" if position < working else "SUCCEEDED", at)
            file.write(json.dumps(run) + "\n")
            writes += _records(instance, run, at)
            if len(writes) >= _IN_A_COMMIT:
                store.commit(writes)
                writes = []
        store.commit(writes)
    store.close()


def as_listed(instance: Instance, status: str, at: str) -> dict[str, Any]:
    """A run of an instance, as the service's list shows it."""
    over = status == "SUCCEEDED"
    samples = instance.request.samples
    return {
        "id": str(uuid.uuid4()),
        "status": status,
        "spec_id": instance.request.spec_id,
        "spec_name": "Support tickets",
        "spec_version": 3,
        "dataset_id": None,
        "dataset_name": None,
        "dataset_type": "MULTI_FILE",
        "samples_completed": samples if over else 0,
        "samples_failed": 0,
        "total_cost": 0.05 * samples if over else None,
        "created_at": at,
        "created_by_email": "ops@example.com",
        "completed_at": at if over else None,
    }


def _records(instance: Instance, run: dict[str, Any], at: str) -> Iterator[Put]:
    attempt_id, request = str(uuid.uuid4()), instance.request
    yield Put(
        AttemptRecord(
            attempt_id=attempt_id,
            address=instance.address,
            number=1,
            phase=Phase.ACCEPTED,
            request_digest=request.digest,
            rerun=0,
            sent_json=canonical_json(request.body()),
            inferred_json="[]",
            spec_id=request.spec_id,
            prepared_at=at,
            settled_at=at,
            run_id=run["id"],
            status=run["status"],
            samples_completed=run["samples_completed"],
            samples_failed=0,
            total_cost=run["total_cost"],
            spec_version=run["spec_version"],
            run_created_at=at,
            run_completed_at=run["completed_at"],
        )
    )
    yield Put(InstanceRecord(instance.address, attempt_id, instance.lifecycle.to_json(), at))


if __name__ == "__main__":
    record(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
