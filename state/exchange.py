"""What no content may be that takes the place of another one, in words: every store refuses the same."""

from __future__ import annotations

from typing import Final

from state.errors import StateBoundElsewhere, StateConflict
from state.records import Meta, Row

_BRANCHED: Final = (
    "Both were worked with since they were one state. Keep the one that knows more runs; those of the other one can be"
    " adopted with `reconciler import`."
)
_BROKEN: Final = "It is no state that this tool wrote; pull it anew from where it came."


def refuse_elsewhere(base_url: str, incoming: Meta) -> None:
    """Raise StateBoundElsewhere for the runs of another service."""
    if incoming.base_url != base_url:
        raise StateBoundElsewhere(
            f"The incoming state records the runs of {incoming.base_url}, not of {base_url}; nothing was changed.",
            "Use another state for another service, or put the former base_url back.",
        )


def lacking(attempt_id: str, address: str, run_id: str | None, count: int) -> StateConflict:
    """``count`` attempts of ours are not in the incoming state; the first of them."""
    more = f" and {count - 1:,} more" if count > 1 else ""
    run = f", run {run_id}" if run_id else ""
    return StateConflict(
        f"The incoming state lacks attempt {attempt_id} ({address}{run}){more}, and attempts are never deleted; nothing"
        " was changed.",
        _BRANCHED,
    )


def losing(attempt_id: str, address: str, run_id: str | None) -> StateConflict:
    """An attempt of ours has another run, or none, in the incoming state."""
    return StateConflict(
        f"Attempt {attempt_id} ({address}) would lose its run {run_id}; nothing was changed.", _BRANCHED
    )


def taken(run_id: str | None, attempt_id: str, other: str) -> StateConflict:
    """Two attempts have one run; ``other`` was met first."""
    return StateConflict(
        f"Run {run_id} of attempt {attempt_id} belongs to attempt {other} already; nothing was changed.", _BRANCHED
    )


def twice(row: Row) -> StateConflict:
    """Two rows have one key."""
    return StateConflict(
        f"The incoming state has {getattr(row, row.key)} twice among its {row.table}; nothing was changed.", _BROKEN
    )


def pointless(address: str, attempt_id: str) -> StateConflict:
    """An instance whose attempt does not exist."""
    return StateConflict(
        f"{address} points at attempt {attempt_id}, which the incoming state does not have; nothing was changed.",
        _BROKEN,
    )
