"""Actions to new rows of the state. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from reconciler.model.changes import Action, declared_request
from reconciler.model.limits import Override
from reconciler.model.plan import Plan
from reconciler.model.request import Lifecycle, canonical_json
from state.records import AttemptRecord, BaselineRecord, InstanceRecord, Phase, PlanActionRecord
from state.rules import OBSERVED_COLUMNS
from state.writes import Put, Write

LIMITS: Final = "limits:"


def new_attempt(
    action: Action, before: Sequence[AttemptRecord], baseline: BaselineRecord, apply_id: str, now: str
) -> AttemptRecord:
    """The attempt of a purchase, as PREPARED; a leftover PREPARED one of the address is taken up again."""
    request, declared = action.after, declared_request(action)
    if request is None or declared is None:
        raise AssertionError(f"{action.address}: a purchase without a request")
    leftover = next((attempt for attempt in before if attempt.phase is Phase.PREPARED), None)
    number = leftover.number if leftover else max((attempt.number for attempt in before), default=0) + 1
    return AttemptRecord(
        attempt_id=leftover.attempt_id if leftover else str(uuid.uuid4()),
        address=action.address,
        number=number,
        phase=Phase.PREPARED,
        request_digest=declared.digest,
        rerun=request.rerun,
        sent_json=canonical_json(request.body()),
        inferred_json=canonical_json(action.inferred),
        spec_id=request.spec_id,
        prepared_at=now,
        apply_id=apply_id,
        baseline_id=baseline.baseline_id,
    )


def new_instance(action: Action, attempt_id: str | None, now: str) -> InstanceRecord:
    """The row of an address as the action wants it; ``attempt_id``: whose run is current."""
    return InstanceRecord(action.address, attempt_id, (action.lifecycle or Lifecycle()).to_json(), now)


def without_run(
    attempt: AttemptRecord,
    phase: Phase,
    why: str,
    now: str,
    history: Sequence[AttemptRecord],
    instance: InstanceRecord | None,
) -> list[Write]:
    """A provisional adoption does not hold: the attempt has no run, and the run of an older one is current again.
    ``history``: the attempts of its address; ``instance``: the row of it, if there is one.
    """
    unseen: dict[str, Any] = dict.fromkeys(OBSERVED_COLUMNS)
    writes: list[Write] = [
        Put(replace(attempt, phase=phase, run_id=None, provisional=False, settled_at=now, note=why, **unseen))
    ]
    older = [other for other in history if other.run_id and not other.provisional and other.number < attempt.number]
    if instance is not None:
        writes.append(Put(replace(instance, attempt_id=older[-1].attempt_id if older else None)))
    return writes


def taken_back(attempt: AttemptRecord, now: str) -> InstanceRecord:
    """A forgotten address as it is recorded again, with this attempt's run; its lifecycle went with the old row."""
    return InstanceRecord(attempt.address, attempt.attempt_id, Lifecycle().to_json(), now)


def override_digest(limit: str) -> str:
    """What stands for an override among the actions of a saved plan."""
    return f"override:{limit}"


def overridden(plan_key: str, override: Override, now: str) -> PlanActionRecord:
    """A saved or reviewed plan keeps its overrides, for when it is applied again."""
    digest = override_digest(override.name)
    return PlanActionRecord(f"{plan_key}:{digest}", plan_key, digest, address="", done_at=now)


def planned(plan: Plan, action: Action, attempt_id: str | None, done_at: str | None) -> PlanActionRecord:
    """What was begun, or done, of a plan."""
    digest = action.digest
    return PlanActionRecord(f"{plan.key}:{digest}", plan.key, digest, action.address, attempt_id, done_at)


def limits_of(plan: Plan) -> PlanActionRecord:
    """The limits under which a reviewed plan was begun: what is left of it must have the same."""
    digest = f"{LIMITS}{plan.limits_digest}"
    return PlanActionRecord(f"{plan.key}:{digest}", plan.key, digest, address="")
