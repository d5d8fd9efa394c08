"""What people let a controller do, and what it is to leave alone: recorded in the state, with who and when."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from reconciler.clock import now
from reconciler.model.address import nearest, spelled
from reconciler.model.errors import UsageError
from reconciler.project import Project
from state.holder import describe
from state.records import ApprovalRecord, EventRecord, SuspensionRecord
from state.store import Store
from state.writes import Put

EVERYTHING = ""  # the scope of a suspension


def approve(project: Project, digest: str, reason: str, seconds: float | None) -> ApprovalRecord:
    """Let a controller apply the plan with this digest. ``seconds``: for how long; None: until it is revoked.

    Raises StateError.
    """
    me = describe("approve")
    made = ApprovalRecord(digest, now(), me.user, me.host, reason or None, _until(seconds))
    with closing(project.open_state()) as store:
        words = f"{digest} is approved{_for(made.until)}{f': {reason}' if reason else ''}"
        store.commit([Put(made), Put(_event("approved", words, made.user, made.host))])
    return made


def revoke(project: Project, digest: str) -> ApprovalRecord:
    """Take an approval back. Raises UsageError where there is none, StateError."""
    me = describe("approve")
    with closing(project.open_state()) as store:
        before = next((one for one in store.approvals() if one.digest == digest and one.revoked_at is None), None)
        if before is None:
            raise UsageError(f"{digest} is not approved, so there is nothing to revoke.")
        made = replace(before, revoked_at=now())
        store.commit([Put(made), Put(_event("approval_revoked", f"{digest} is no longer approved", me.user, me.host))])
    return made


def suspend(project: Project, scope: str, reason: str, seconds: float | None) -> SuspensionRecord:
    """Let a controller leave addresses alone: those of a pattern, or, for an empty one, all. Raises UsageError without
    a reason, StateError.
    """
    if not reason.strip():
        raise UsageError("A suspension needs a reason: whoever meets it later wants to know.")
    me = describe("suspend")
    made = SuspensionRecord(spelled(scope), now(), me.user, me.host, reason.strip(), _until(seconds))
    with closing(project.open_state()) as store:
        words = f"{_named(made.scope)} is suspended{_for(made.until)}: {made.reason}"
        store.commit([Put(made), Put(_event("suspended", words, me.user, me.host))])
    return made


def resume(project: Project, scope: str | None) -> list[SuspensionRecord]:
    """End one suspension, or, for None, every one. Raises UsageError where there is none such, StateError."""
    me, at = describe("resume"), now()
    with closing(project.open_state()) as store:
        counting = suspended(store.suspensions(), at)
        ended = [
            replace(one, ended_at=at, ended_by=f"{me.user}@{me.host}")
            for one in counting
            if scope is None or one.scope == spelled(scope)
        ]
        if scope is not None and not ended:
            known = [one.scope for one in counting if one.scope]
            listed = f" Suspended: {', '.join(_named(one.scope) for one in counting)}." if counting else ""
            raise UsageError(f"{_named(spelled(scope))} is not suspended.{nearest(scope, known)}{listed}")
        for one in ended:
            words = f"{_named(one.scope)} is resumed"
            store.commit([Put(one), Put(_event("resumed", words, me.user, me.host))])
    return ended


def suspended(records: Iterable[SuspensionRecord], at: str) -> list[SuspensionRecord]:
    """Those that count at a moment."""
    return [one for one in records if one.ended_at is None and (one.until is None or one.until > at)]


def approved(store: Store, at: str) -> list[ApprovalRecord]:
    """The approvals that count at a moment, newest first."""
    found = (one for one in store.approvals() if one.revoked_at is None and (one.until is None or one.until > at))
    return sorted(found, key=lambda one: one.at, reverse=True)


def _event(kind: str, words: str, user: str, host: str) -> EventRecord:
    return EventRecord(str(uuid.uuid4()), now(), kind, message=f"{words} (by {user}@{host})")


def _named(scope: str) -> str:
    return scope or "everything"


def _for(until: str | None) -> str:
    return f" until {until}" if until else ""


def _until(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
