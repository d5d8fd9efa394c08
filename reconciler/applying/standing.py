"""Which recorded runs are not known to have come to rest. Pure."""

from __future__ import annotations

import json

from reconciler.applying.follow import Target
from reconciler.model.request import Lifecycle
from reconciler.model.run import is_final
from state.records import AttemptRecord, Snapshot


def standing_runs(snapshot: Snapshot) -> list[Target]:
    """The current runs that are not recorded as final, as they are followed. Not those of addresses with a submission
    that is not certain: nobody waits for a run that is about to be replaced.
    """
    return [
        Target(address, attempt.run_id, _asked(attempt), _least(snapshot, address))
        for address, attempt in snapshot.current.items()
        if attempt.run_id and not is_final(attempt.status) and not attempt.gone_at and address not in snapshot.open
    ]


def unfinished(snapshot: Snapshot) -> int:
    """How many runs of the state work, or may: those that are to be stopped, and unknown submissions, included."""
    working = {a.attempt_id for a in snapshot.current.values() if not is_final(a.status) and not a.gone_at}
    return len(working | {attempt.attempt_id for attempt in snapshot.open.values()}) + len(snapshot.owed)


def _asked(attempt: AttemptRecord) -> int | None:
    samples = json.loads(attempt.sent_json).get("number_of_samples")
    return samples if isinstance(samples, int) else None


def _least(snapshot: Snapshot, address: str) -> int:
    return Lifecycle.from_json(snapshot.instances[address].lifecycle_json).min_samples
