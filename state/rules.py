"""What a write does to an attempt, as pure functions. The SQL of the SQLite store says the same for speed; one
contract suite holds both to it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from state.errors import StateConflict, invalid
from state.records import AttemptRecord, Phase
from state.writes import Advance, Move, Observe

FINAL_STATUSES = ("SUCCEEDED", "FAILED", "CANCELED")
SETTLED_PHASES = (Phase.ACCEPTED, Phase.REJECTED, Phase.UNKNOWN, Phase.ABANDONED)

# What Observe says of a run; another run in its place must not inherit any of it.
OBSERVED_COLUMNS = (
    "status",
    "samples_completed",
    "samples_failed",
    "total_cost",
    "spec_version",
    "reported_json",
    "files_json",
    "run_created_at",
    "run_completed_at",
    "gone_at",
)
_DETAILS = tuple(
    name for name in OBSERVED_COLUMNS if name not in ("status", "samples_completed", "samples_failed", "gone_at")
)


def check_attempt(before: AttemptRecord | None, after: AttemptRecord) -> None:
    """Raise StateConflict if an attempt would lose or change a final run id, StateInvalid if it lacks one."""
    if after.phase is Phase.ACCEPTED and after.run_id is None:
        raise invalid(f"Attempt {after.attempt_id} is accepted without a run id.")
    if before is not None and before.run_id is not None and not before.provisional and after.run_id != before.run_id:
        raise StateConflict(
            f"The run of attempt {before.attempt_id} would be lost.",
            "A run belongs to one attempt for good: look at `reconciler show`.",
        )


def check_move(write: Move, source: bool, target: bool) -> None:
    """Raise StateConflict unless the source of a move is recorded and its target is not."""
    if target:
        raise StateConflict(
            f"{write.target} is recorded already: {write.source} can't take its place.",
            f"Move or forget {write.target} first (`reconciler state mv`, `reconciler state rm`).",
        )
    if not source:
        raise StateConflict(
            f"{write.source} is not recorded: there is nothing to move to {write.target}.",
            "`reconciler state list` shows the addresses that are.",
        )


def advance(attempt: AttemptRecord, write: Advance) -> AttemptRecord:
    """The attempt in its next phase. Without a run id in the write, the run stays what it was."""
    settled_at = write.at if write.phase in SETTLED_PHASES else None
    moved = replace(attempt, phase=write.phase, note=write.note, settled_at=settled_at)
    if write.run_id is None:
        return moved
    if attempt.run_id == write.run_id:
        # What is final stays final: only a provisional run can be confirmed, not the other way round.
        return replace(moved, provisional=attempt.provisional and write.provisional)
    unseen: dict[str, Any] = dict.fromkeys(OBSERVED_COLUMNS)
    return replace(moved, run_id=write.run_id, provisional=write.provisional, **unseen)


def observe(attempt: AttemptRecord, write: Observe) -> AttemptRecord:
    """The attempt with what the service says of its run."""
    final = attempt.status in FINAL_STATUSES
    gone_at = attempt.gone_at
    if write.gone is not None:
        gone_at = (gone_at or write.at) if write.gone else None
    seen: dict[str, Any] = {
        "status": attempt.status if final else _either(write.status, attempt.status),
        "samples_completed": _samples(write.samples_completed, attempt.samples_completed, final),
        "samples_failed": _samples(write.samples_failed, attempt.samples_failed, final),
        "gone_at": gone_at,
    }
    # A report from before the run came to rest may arrive late: it only fills what is not known.
    late = final and write.status is not None and write.status not in FINAL_STATUSES
    for name in _DETAILS:
        told, known = getattr(write, name), getattr(attempt, name)
        seen[name] = _either(known, told) if late else _either(told, known)
    # Most reports say nothing new, and a copy costs more than the comparison.
    new = {name: value for name, value in seen.items() if getattr(attempt, name) != value}
    return replace(attempt, **new) if new else attempt


def _either(new: Any, old: Any) -> Any:
    return old if new is None else new


def _samples(new: int | None, old: int | None, final: bool) -> int | None:
    if new is None:
        return old
    return max(new, old) if final and old is not None else new
