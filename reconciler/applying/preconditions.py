"""Whether an action still applies: the current run and its status class are what the plan saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from reconciler.dataframer.client import Listing
from reconciler.model.changes import Action, Kind, Precondition, StatusClass, declared_request, status_class
from reconciler.model.plan import Plan
from reconciler.model.run import Run, is_final
from state.records import AttemptRecord, Phase, Snapshot

DONE: Final = "done"


class Fresh(Struct, frozen=True):
    """State and service as they are under the lock. ``runs`` by id; None for one that is gone. ``history``: the
    attempts of every address that is bought for.
    """

    snapshot: Snapshot
    listing: Listing
    runs: Mapping[str, Run | None]
    history: Sequence[AttemptRecord] = ()


def check_action(action: Action, fresh: Fresh, made_at: str) -> tuple[str, str] | None:
    """None when it still applies, else the kind of trouble and what happened; DONE is none: another one did just this.
    ``made_at``: when the plan was made.
    """
    snapshot = fresh.snapshot
    if action.deposed:
        return None  # it was decided before, and asking a resting run to stop is harmless
    if action.kind is Kind.MOVE:
        return _check_move(action, snapshot)
    if action.address in snapshot.open:
        return "unknown", "a submission of this address has an unknown outcome; nothing is sent until it is settled"
    if action.kind is Kind.UPDATE:
        gone = action.address not in snapshot.instances
        return ("outdated", "the address is not recorded any more") if gone else None
    if action.buys and _given_up(action, fresh, made_at):
        return "outdated", "it was given up since the plan was made; it is bought again only by rerun or --replace"
    now = _standing(action, fresh)
    if now == action.precondition:
        return None
    if action.kind is Kind.IMPORT and now.run_id == action.reused_run:
        return DONE, f"run {now.run_id} was adopted since the plan was made"
    if action.buys and _done_by_another(action, fresh, now):
        return DONE, f"run {now.run_id} was bought for just this since the plan was made"
    if now.run_id == action.precondition.run_id and action.stops_first:
        stopped = now.status in (StatusClass.CANCELED, StatusClass.GONE)
        if action.kind is Kind.CANCEL or (action.kind is Kind.DELETE and stopped):
            return None  # it came to rest meanwhile: there is nothing left to stop
    return "outdated", f"the plan was made when {_words(action.precondition, 'was')}; now {_words(now, 'is')}"


def unforeseen(snapshot: Snapshot, newest: Iterable[AttemptRecord], plan: Plan) -> dict[str, AttemptRecord]:
    """What was bought since a plan was made and is no address's of it, by the digest of what was asked for: an address
    that was bought and then renamed, or forgotten. Such a plan would buy it again. ``newest``: attempts, forgotten ones
    included.
    """
    known = {item.address for items in (plan.actions, plan.unchanged, plan.unmet) for item in items}
    known &= snapshot.current.keys() | snapshot.open.keys()
    return {
        attempt.request_digest: attempt
        for attempt in (*newest, *snapshot.current.values(), *snapshot.open.values())
        if (attempt.settled_at or attempt.prepared_at) > plan.timestamp and attempt.address not in known
    }


def _check_move(action: Action, snapshot: Snapshot) -> tuple[str, str] | None:
    """Whatever became of its run, it must be the same one. An unknown submission moves along."""
    old, new = str(action.moved_from), action.address
    if old not in snapshot.instances and new in snapshot.instances:
        return DONE, f"{old} was moved here already"
    if old not in snapshot.instances:
        return "outdated", f"{old} is not recorded any more"
    if new in snapshot.instances:
        return "outdated", f"{new} is recorded by now, so {old} can't be moved here"
    current = snapshot.current.get(old)
    if (current.run_id if current else None) != action.precondition.run_id:
        return "outdated", f"{old} has another run than when the plan was made"
    return None


def _done_by_another(action: Action, fresh: Fresh, now: Precondition) -> bool:
    """Whether the current run is another one than the plan saw, was asked for the same, and works or SUCCEEDED."""
    request, current = declared_request(action), fresh.snapshot.current.get(action.address)
    if request is None or current is None or now.run_id == action.precondition.run_id:
        return False
    wanted = now.status in (StatusClass.WORKING, StatusClass.SUCCEEDED)
    return wanted and not current.imported and current.request_digest == request.digest


def _given_up(action: Action, fresh: Fresh, made_at: str) -> bool:
    request = declared_request(action)
    return request is not None and any(
        attempt.phase is Phase.ABANDONED
        and attempt.address == action.address
        and attempt.request_digest == request.digest
        and (attempt.settled_at or "") > made_at
        for attempt in fresh.history
    )


def _standing(action: Action, fresh: Fresh) -> Precondition:
    attempt = fresh.snapshot.current.get(action.address)
    if attempt is None or attempt.run_id is None:
        return Precondition()
    run = fresh.runs.get(attempt.run_id)
    status, gone = attempt.status, attempt.gone_at is not None
    if attempt.run_id in fresh.runs:
        gone = run is None
        status = status if is_final(status) or run is None else run.status.value
    return Precondition(attempt.run_id, status_class(attempt.run_id, status, gone))


def _words(precondition: Precondition, verb: str) -> str:
    if precondition.run_id is None:
        return f"there {verb} no run"
    standing = "at work" if precondition.status is StatusClass.WORKING else precondition.status.value.upper()
    return f"there {verb} run {precondition.run_id} ({standing})"
