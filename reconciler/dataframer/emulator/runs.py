"""The calls that make, show, stop and remove runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from msgspec import Struct

from reconciler.dataframer.emulator.life import Pace, Progress, StoredRun, cost_per_sample, progress
from reconciler.dataframer.emulator.messages import Json, Problem, timestamp
from reconciler.dataframer.emulator.specs import EMAIL, Specs, StoredSpec
from reconciler.dataframer.emulator.storage import Storage
from reconciler.dataframer.emulator.validation import FILTERING_TYPES, REVISION_TYPES, check_create

# What the service took when the reference page was written. It moves, which is why the product warns about it.
DEFAULT_MODEL = "anthropic/claude-sonnet-4-6"
_DEFAULT_BUDGET = 4096

_SELECT = """
SELECT runs.*, specs.name AS spec_name, specs.dataset_id, datasets.name AS dataset_name,
       coalesce(datasets.dataset_type, 'MULTI_FILE') AS dataset_type
FROM runs JOIN specs ON specs.id = runs.spec_id LEFT JOIN datasets ON datasets.id = specs.dataset_id
"""


class Fate(Struct, frozen=True):
    """What is decided about a run when it is made: its outcome, the share of samples that fail, and its slowness."""

    outcome: str = "SUCCEEDED"
    failing: float = 0.0
    slowness: float = 1.0


class Runs:
    """The run calls over the stored rows; each raises `Problem` for what it refuses."""

    def __init__(self, storage: Storage, specs: Specs, clock: Callable[[], float], pace: Pace) -> None:
        self._storage = storage
        self._specs = specs
        self._clock = clock
        self._pace = pace

    def create(self, body: Json, fate: Fate) -> str:
        """Check `body` (400; 404 for an unknown spec), store the run and return its id."""
        check_create(body)
        spec = self._specs.find(str(body["spec_id"]))
        if spec is None:
            raise Problem(404, "There is no such spec.", "spec_id")
        version = _resolved_version(body, spec)
        params = _runtime_params(body, spec)
        samples = int(str(body["number_of_samples"]))
        run_id = str(uuid4())
        with self._storage.writing() as db:
            db.table("runs").insert(
                {
                    "id": run_id,
                    "spec_id": spec.id,
                    "spec_version": version,
                    "runtime_params": json.dumps(params),
                    "created_at": self._clock(),
                    "pending": self._pace.pending * fate.slowness,
                    "working": self._pace.working(samples) * fate.slowness,
                    "outcome": fate.outcome,
                    "failing": fate.failing,
                    "cost_per_sample": cost_per_sample(params),
                }
            )
        return run_id

    def every(self, hidden_seconds: float = 0.0) -> list[Json]:
        """Show every run in short form, newest first, without those made in the last `hidden_seconds`."""
        now = self._clock()
        with self._storage.reading() as db:
            rows = list(
                db.query(f"{_SELECT} WHERE runs.created_at <= ? ORDER BY runs.sequence DESC", [now - hidden_seconds])
                if hidden_seconds
                else db.query(f"{_SELECT} ORDER BY runs.sequence DESC")
            )
        runs = [_stored(row) for row in rows]
        return [summary(run, progress(run, now)) for run in runs]

    def find(self, run_id: str) -> tuple[StoredRun, Progress]:
        """Return a run and how far it is now; raises `Problem` 404."""
        with self._storage.reading() as db:
            rows = list(db.query(f"{_SELECT} WHERE runs.id = ?", [run_id.lower()]))
        if not rows:
            raise Problem(404, "There is no such run.")
        run = _stored(rows[0])
        return run, progress(run, self._clock())

    def cancel(self, run_id: str) -> None:
        """Ask a run to stop, which takes a moment; 409 when it is over. Asking twice is the same as once."""
        with self._storage.writing() as db:
            run, now = self.find(run_id)
            if now.is_final:
                raise Problem(409, f"A run that is {now.status} can't be cancelled.")
            if run.cancel_at is None:
                cancel_at = self._clock() + self._pace.cancelling
                db.execute("UPDATE runs SET cancel_at = ? WHERE id = ?", [cancel_at, run.id])

    def delete(self, run_id: str) -> None:
        """Remove a run with its files and evaluations, whatever its status."""
        with self._storage.writing() as db:
            if db.execute("DELETE FROM runs WHERE id = ?", [run_id.lower()]).rowcount == 0:
                raise Problem(404, "There is no such run.")

    def start_packing(self, run: StoredRun) -> float:
        """Return the moment at which packing of a run's archive began: now, when nobody has asked before."""
        with self._storage.writing() as db:
            now = self._clock()
            db.execute("UPDATE runs SET packed_from = coalesce(packed_from, ?) WHERE id = ?", [now, run.id])
        return now if run.packed_from is None else run.packed_from


def summary(run: StoredRun, now: Progress) -> Json:
    """A run as the list shows it."""
    return {
        "id": run.id,
        "status": now.status,
        "spec_id": run.spec_id,
        "spec_name": run.spec_name,
        "spec_version": run.spec_version,
        "dataset_id": run.dataset_id,
        "dataset_name": run.dataset_name,
        "dataset_type": run.dataset_type,
        "samples_completed": now.completed,
        "samples_failed": now.failed,
        "total_cost": now.total_cost,
        "created_at": timestamp(run.created_at),
        "created_by_email": EMAIL,
        "completed_at": None if now.completed_at is None else timestamp(now.completed_at),
    }


def _resolved_version(body: Json, spec: StoredSpec) -> int:
    """Check the rules that need the spec, and return the version that the run uses."""
    if spec.status != "SUCCEEDED":
        raise Problem(400, f"The spec must be SUCCEEDED; it is {spec.status}.", "spec_id")
    version = int(str(body.get("spec_version", spec.versions)))
    if version > spec.versions:
        raise Problem(400, f"The spec has no version {version}; its newest is {spec.versions}.", "spec_version")
    if "distinguishability" in _words(body, "revision_types") and not spec.seeded:
        raise Problem(400, "distinguishability needs a spec with a seed dataset.", "revision_types")
    return version


def _runtime_params(body: Json, spec: StoredSpec) -> dict[str, object]:
    """The parameters that the service settles on; what has no effect comes back as null."""
    revision_types = _words(body, "revision_types")
    filtering_types = _words(body, "filtering_types")
    if body.get("enable_revisions") and "revision_types" not in body and "filtering_types" not in body:
        revision_types = [word for word in REVISION_TYPES if spec.seeded or word != "distinguishability"]
        filtering_types = [FILTERING_TYPES[0]]
    revising = bool(revision_types or filtering_types)
    generation_model = body.get("generation_model", DEFAULT_MODEL)
    outline_model = body.get("outline_model", generation_model)
    revision_model = body.get("revision_model", generation_model) if revising else None
    return {
        "number_of_samples": body["number_of_samples"],
        "generation_model": generation_model,
        "outline_model": outline_model,
        "revision_model": revision_model,
        "revision_types": revision_types,
        "filtering_types": filtering_types,
        "max_revision_cycles": body.get("max_revision_cycles", 1) if revising else None,
        "seed_shuffling_level": body.get("seed_shuffling_level", "none"),
        "max_examples_in_prompt": body.get("max_examples_in_prompt"),
        "unified_multifield": body.get("unified_multifield", False),
        "generation_thinking_budget": _budget(body, "generation_thinking_budget", generation_model),
        "outline_thinking_budget": _budget(body, "outline_thinking_budget", outline_model),
        "revision_thinking_budget": _budget(body, "revision_thinking_budget", revision_model),
        "skip_outline": body.get("skip_outline", False),
        "tools": _words(body, "tools"),
    }


def _words(body: Mapping[str, object], name: str) -> list[str]:
    value = body.get(name, [])
    return [str(word) for word in value] if isinstance(value, list) else []


def _budget(body: Json, name: str, model: object) -> object:
    return body.get(name, _DEFAULT_BUDGET) if isinstance(model, str) and model.endswith("-thinking") else None


def _stored(row: Mapping[str, Any]) -> StoredRun:
    params: dict[str, object] = json.loads(row["runtime_params"])
    return StoredRun(
        id=row["id"],
        spec_id=row["spec_id"],
        spec_name=row["spec_name"],
        spec_version=row["spec_version"],
        dataset_id=row["dataset_id"],
        dataset_name=row["dataset_name"],
        dataset_type=row["dataset_type"],
        runtime_params=params,
        samples=int(str(params["number_of_samples"])),
        created_at=row["created_at"],
        pending=row["pending"],
        working=row["working"],
        outcome=row["outcome"],
        failing=row["failing"],
        cost_per_sample=row["cost_per_sample"],
        cancel_at=row["cancel_at"],
        packed_from=row["packed_from"],
    )
