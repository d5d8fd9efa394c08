"""What a report of the service means for the state: shared by the plan's look in memory and by what is recorded."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from reconciler.dataframer.fields import SECRET_FIELDS
from reconciler.model.errors import AccountMismatch
from reconciler.model.request import Request, canonical_json
from reconciler.model.run import Run
from state.records import AttemptRecord, Phase
from state.rules import observe
from state.writes import Observe

_SUSPICIOUS_SHARE: Final = 0.2
_SUSPICIOUS_COUNT: Final = 5


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
        reported_json=None if run.runtime_params is None else canonical_json(_without_secrets(run.runtime_params)),
        files_json=None if run.generated_files is None else canonical_json(run.generated_files),
        run_created_at=run.created_at,
        run_completed_at=run.completed_at,
        gone=False,
    )


def _without_secrets(reported: Mapping[str, Any]) -> dict[str, Any]:
    """The service is not known to report credentials; if it did, they would not be recorded."""
    return {name: value for name, value in reported.items() if name not in SECRET_FIELDS}


def absence(run_id: str, at: str) -> Observe:
    """A GET of this id was answered 404."""
    return Observe(run_id, at, gone=True)


def imported(run: Run, address: str, request: Request, number: int, at: str) -> AttemptRecord:
    """A run that was made elsewhere, as an attempt of an address: it is compared with what the service reports."""
    attempt = AttemptRecord(
        attempt_id=str(uuid.uuid4()),
        address=address,
        number=number,
        phase=Phase.ACCEPTED,
        request_digest=request.digest,
        rerun=request.rerun,
        sent_json="{}",
        inferred_json="[]",
        spec_id=run.spec_id.lower() if run.spec_id else request.spec_id,
        prepared_at=at,
        settled_at=at,
        run_id=run.id,
        imported=True,
    )
    return observe(attempt, observation(run, at))


def check_account(missing: int, unfinished: int) -> None:
    """Raise AccountMismatch where so many of the unfinished runs are newly answered 404 (``missing``) that the key is
    probably that of another account.
    """
    if missing >= _SUSPICIOUS_COUNT and missing > _SUSPICIOUS_SHARE * unfinished:
        raise AccountMismatch(missing, unfinished)
