"""What is recorded of an address, and what happened to it; reads only."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model.address import matching, nearest
from reconciler.model.errors import UsageError
from reconciler.project import Project
from reconciler.surgery import chosen
from reconciler.views.address_view import Recorded
from reconciler.views.history import History


def recorded(project: Project, pattern: str) -> Recorded:
    """Everything of one address, forgotten ones included. Raises UsageError for none or several, and StateError."""
    store = project.open_state_if_any()
    if store is None:
        raise UsageError(f"{pattern} is not recorded: there is no state yet.")
    try:
        known = store.addresses()
        found = matching(pattern, known)
        if not found:
            raise UsageError(f"{pattern} is not recorded, and never was.{nearest(pattern, known)}")
        if len(found) > 1:
            raise UsageError(f"{pattern} names {len(found):,} addresses ({found[0]}, {found[1]}, …): name one.")
        (address,) = found
        attempts, snapshot = store.attempts([address]), store.snapshot()
        return Recorded(
            address,
            snapshot.instances.get(address),
            attempts,
            [owed for owed in snapshot.owed if owed.address == address],
            store.applies(attempt.apply_id for attempt in attempts if attempt.apply_id),
            _declared(project, address),
        )
    finally:
        store.close()


def history(project: Project, patterns: Sequence[str], limit: int | None) -> History:
    """Of some addresses, or of everything. Raises UsageError for a pattern that names nothing, and StateError."""
    store = project.open_state_if_any()
    if store is None:
        if patterns:
            raise UsageError(f"{patterns[0]} was never recorded: there is no state yet.")
        return History((), {})
    try:
        addresses = chosen(patterns, store.addresses()) if patterns else None
        entries = store.history(addresses, limit)
        return History(entries, store.applies({entry.apply_id for entry in entries if entry.apply_id}))
    finally:
        store.close()


def _declared(project: Project, address: str) -> str | None:
    found = next((one.source for one in project.desired.instances if one.address == address), None)
    return f"{found.file}:{found.line}" if found else None
