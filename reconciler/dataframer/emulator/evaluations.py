"""Grading of finished runs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from reconciler.dataframer.emulator.life import Pace
from reconciler.dataframer.emulator.messages import Json, Problem, timestamp
from reconciler.dataframer.emulator.runs import Runs
from reconciler.dataframer.emulator.specs import EMAIL
from reconciler.dataframer.emulator.storage import Storage

_DEFAULT_MODEL = "anthropic/claude-sonnet-5-thinking"
_MOODS = ("calm", "worried", "angry", "grateful")
_MOST_SAMPLES = 100
_PENDING_SHARE = 0.2


class Evaluations:
    """The evaluation calls; each raises `Problem` for what it refuses."""

    def __init__(self, storage: Storage, runs: Runs, clock: Callable[[], float], pace: Pace) -> None:
        self._storage = storage
        self._runs = runs
        self._clock = clock
        self._pace = pace

    def create(self, body: Json) -> Json:
        """Start grading: 400 for a bad body or a run that is not SUCCEEDED, 404 for an unknown run."""
        run_id = body.get("run_id")
        model = body.get("evaluation_model", _DEFAULT_MODEL)
        if not isinstance(run_id, str) or not _is_uuid(run_id):
            raise Problem(400, "run_id must be a UUID.", "run_id")
        # Text that isn't printable may not even be storable: a lone surrogate isn't.
        if not isinstance(model, str) or not model or not model.isprintable():
            raise Problem(400, "evaluation_model must be a string.", "evaluation_model")
        run, now = self._runs.find(run_id)
        if now.status != "SUCCEEDED":
            raise Problem(400, f"The run must be SUCCEEDED; it is {now.status}.", "run_id")
        evaluation_id = str(uuid4())
        with self._storage.writing() as db:
            db.table("evaluations").insert(
                {
                    "id": evaluation_id,
                    "run_id": run.id,
                    "model": model,
                    "created_at": self._clock(),
                    "grading": self._pace.grading,
                }
            )
        return self.get(evaluation_id)

    def get(self, evaluation_id: str) -> Json:
        """Show an evaluation, with its analysis once it has SUCCEEDED; raises `Problem` 404."""
        with self._storage.reading() as db:
            rows = list(db.query("SELECT * FROM evaluations WHERE id = ?", [evaluation_id.lower()]))
        if not rows:
            raise Problem(404, "There is no such evaluation.")
        row = rows[0]
        short = self._summary(row)
        done = short["status"] == "SUCCEEDED"
        run, now = self._runs.find(row["run_id"])
        graded = {index: mood(run.id, index) for index in range(1, min(now.completed, _MOST_SAMPLES) + 1)}
        return {
            **short,
            "error_message": None,
            "distribution_analysis": [_distribution(run.samples, graded)] if done else None,
            "sample_classifications": [
                {
                    "id": str(uuid5(NAMESPACE_URL, f"{row['id']}/{index}")),
                    "evaluation_id": row["id"],
                    "sample_identifier": f"sample_{index}",
                    "classifications": {"mood": value},
                    "created_at": timestamp(row["created_at"] + row["grading"]),
                }
                for index, value in (graded.items() if done else ())
            ],
        }

    def of_run(self, run_id: str) -> list[Json]:
        """Show a run's evaluations in short form, newest first; raises `Problem` 404 for an unknown run."""
        run, _ = self._runs.find(run_id)
        with self._storage.reading() as db:
            rows = list(db.query("SELECT * FROM evaluations WHERE run_id = ? ORDER BY sequence DESC", [run.id]))
        return [self._summary(row) for row in rows]

    def is_graded(self, run_id: str) -> bool:
        return any(evaluation["status"] == "SUCCEEDED" for evaluation in self.of_run(run_id))

    def _summary(self, row: Mapping[str, Any]) -> Json:
        grading = row["grading"]
        age = self._clock() - row["created_at"]
        done = age >= grading
        status = "SUCCEEDED" if done else "PROCESSING" if age >= grading * _PENDING_SHARE else "PENDING"
        return {
            "id": row["id"],
            "run_id": row["run_id"],
            "status": status,
            "created_at": timestamp(row["created_at"]),
            "created_by_email": EMAIL,
            "completed_at": timestamp(row["created_at"] + grading) if done else None,
        }


def mood(run_id: str, index: int) -> str:
    """The property that one sample of a run is graded with: always the same for the same sample."""
    return _MOODS[hashlib.sha256(f"{run_id}/{index}".encode()).digest()[0] % len(_MOODS)]


def _distribution(samples: int, graded: Mapping[int, str]) -> Json:
    counts = Counter(graded.values())
    even = {value: round(100 / len(_MOODS), 2) for value in _MOODS}
    total = max(len(graded), 1)
    return {
        "property_name": "mood",
        "requested_distributions": even,
        "expected_distributions": even,
        "evaluated_distributions": {value: round(100 * counts[value] / total, 2) for value in _MOODS},
        "total_samples": samples,
        "total_samples_analyzed": len(graded),
    }


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
