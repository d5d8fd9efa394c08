"""What people let a controller do, and not, when the content of a state takes the place of another's."""

from __future__ import annotations

from msgspec.structs import replace

from state.records import ApprovalRecord, SuspensionRecord
from state.store import Store
from state.writes import Put, Write


def newer(present: Store, incoming: Store) -> list[Write]:
    """What was suspended, resumed or revoked in the present state after the incoming one heard of it last. Approvals
    are never brought back.
    """
    suspensions = {one.scope: one for one in incoming.suspensions()}
    approvals = {one.digest: one for one in incoming.approvals()}
    found: list[Write] = []
    for suspension in present.suspensions():
        known = suspensions.get(suspension.scope)
        if (known is None and suspension.ended_at is None) or (known and _last(suspension) > _last(known)):
            found.append(Put(suspension))
    for approval in present.approvals():
        given = approvals.get(approval.digest)
        if given and approval.revoked_at and approval.revoked_at > _last(given):
            found.append(Put(approval))
    return found


def revoked(store: Store, at: str) -> list[Write]:
    """That no approval of a state counts any more."""
    return [Put(replace(one, revoked_at=at)) for one in store.approvals() if one.revoked_at is None]


def _last(record: ApprovalRecord | SuspensionRecord) -> str:
    ended = record.revoked_at if isinstance(record, ApprovalRecord) else record.ended_at
    return max(record.at, ended or "")
