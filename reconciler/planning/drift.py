"""What the service says otherwise than the state records: for ``plan --refresh-only``. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.address import Address
from reconciler.model.changes import FieldChange, StatusClass
from reconciler.model.plan import Drift
from reconciler.planning.comparison import drift, standing_of
from reconciler.planning.diff import Recorded
from state.records import AttemptRecord

# A run that goes on, or SUCCEEDED, is what everybody waits for.
_ASTRAY = frozenset({StatusClass.FAILED, StatusClass.CANCELED, StatusClass.GONE})


def drifted(before: Mapping[str, AttemptRecord], recorded: Recorded) -> tuple[Drift, ...]:
    """Runs that report other parameters than were sent, and runs that failed, were stopped, or vanished since they were
    last recorded. ``before``: the current attempts as they are recorded, by address.
    """
    found = []
    for address, now in recorded.current.items():
        was, run_id = before.get(address), now.run_id
        changes = drift(now)
        if was is not None and was.gone_at is None and now.gone_at is not None:
            changes = (FieldChange("status", was.status, "gone", "recorded"), *changes)
        elif was is not None and standing_of(was) is not standing_of(now) and standing_of(now) in _ASTRAY:
            changes = (FieldChange("status", was.status, now.status, "recorded"), *changes)
        if changes and run_id is not None:
            found.append(Drift(Address(address), run_id, changes))
    return tuple(found)
