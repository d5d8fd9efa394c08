"""What a report of the service means for the state: shared by the plan's look in memory and by what is recorded."""

from __future__ import annotations

from reconciler.model.request import canonical_json
from reconciler.model.run import Run
from state.writes import Observe


def observation(run: Run, at: str) -> Observe:
    """The report of one run, seen at a time (ISO 8601)."""
    return Observe(
        run.id,
        at,
        status=run.status.value if run.status_word else None,
        samples_completed=run.samples_completed,
        samples_failed=run.samples_failed,
        total_cost=run.total_cost,
        spec_version=run.spec_version,
        reported_json=None if run.runtime_params is None else canonical_json(run.runtime_params),
        files_json=None if run.generated_files is None else canonical_json(run.generated_files),
        run_created_at=run.created_at,
        run_completed_at=run.completed_at,
        gone=False,
    )


def absence(run_id: str, at: str) -> Observe:
    """A GET of this id was answered 404."""
    return Observe(run_id, at, gone=True)
