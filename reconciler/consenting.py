"""What people let a controller do, and what it is to leave alone: recorded in the state, with who and when."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from reconciler.clock import now
from reconciler.config.environment import declared_environments
from reconciler.config.variables import Given
from reconciler.model.address import matching, nearest, spelled
from reconciler.model.errors import ReconcilerError, UsageError
from reconciler.project import Project, read_project
from state.holder import describe
from state.records import ApplyRecord, ApprovalRecord, EventRecord, Holder, SuspensionRecord
from state.store import Store
from state.writes import Put, Write

EVERYTHING = ""  # the scope of a suspension
_LONGEST_REASON = 2_000  # characters, of several together


class Who(NamedTuple):
    """Somebody, where that is not whoever runs this process."""

    user: str
    host: str


def approve(
    project: Project, digest: str, reason: str, seconds: float | None, who: Who | None = None
) -> ApprovalRecord:
    """Let a controller apply the plan with this digest. ``seconds``: for how long; None: until it is revoked.

    Raises StateError.
    """
    me = _me("approve", who)
    reason = _writable(reason)
    made = ApprovalRecord(digest, now(), me.user, me.host, reason or None, _until(seconds))
    with closing(project.open_state()) as store:
        words = f"{digest} is approved{_for(made.until)}{f': {reason}' if reason else ''}"
        store.commit([Put(made), *_told(me, made.at, "approved", words)])
    return made


def revoke(project: Project, digest: str) -> ApprovalRecord:
    """Take an approval back. Raises UsageError where there is none, StateError."""
    me, at = describe("approve"), now()
    with closing(project.open_state()) as store:
        before = next((one for one in store.approvals() if one.digest == digest and one.revoked_at is None), None)
        if before is None:
            raise UsageError(
                f"{digest} is not approved, so there is nothing to revoke. `reconciler approve --list` shows what is."
            )
        made = replace(before, revoked_at=at)
        store.commit([Put(made), *_told(me, at, "approval_revoked", f"{digest} is no longer approved")])
    return made


def suspend(
    project: Project, scope: str, reason: str, seconds: float | None, who: Who | None = None
) -> SuspensionRecord:
    """Let a controller leave addresses alone: those of a pattern, or, for an empty one, all. One that lasts longer is
    not shortened. Raises UsageError without a reason, StateError.
    """
    if not reason.strip():
        raise UsageError("A suspension needs a reason: whoever meets it later wants to know.")
    me = _me("suspend", who)
    made = SuspensionRecord(
        spelled(_writable(scope)), now(), me.user, me.host, _writable(reason.strip()), _until(seconds)
    )
    with closing(project.open_state()) as store:
        made = _lengthened(made, suspended(store.suspensions(), made.at))
        words = f"{_named(made.scope)} is suspended{_for(made.until)}: {made.reason}"
        store.commit([Put(made), *_told(me, made.at, "suspended", words)])
    return made


def _lengthened(made: SuspensionRecord, counting: Iterable[SuspensionRecord]) -> SuspensionRecord:
    """It, or, where one of the same scope outlasts it, that one as well: two people have two reasons."""
    for one in counting:
        if one.scope == made.scope and made.until is not None and (one.until is None or one.until > made.until):
            known = made.reason in one.reason.split("; ")
            reason = one.reason if known else f"{made.reason}; {one.reason}"
            return replace(made, until=one.until, reason=reason[:_LONGEST_REASON])
    return made


def resume(project: Project, scopes: Collection[str] = (), who: Who | None = None) -> list[SuspensionRecord]:
    """End the suspensions of these patterns, all or none of them; without any, every one. Raises UsageError where there
    is none such, StateError.
    """
    me, at = _me("resume", who), now()
    wanted = [spelled(scope) for scope in scopes]
    with closing(project.open_state()) as store:
        counting = suspended(store.suspensions(), at)
        there = [one.scope for one in counting]
        if missing := [scope for scope in wanted if scope not in there]:
            listed = f" Suspended: {', '.join(map(_named, there))}." if there else ""
            others = " Nothing was resumed." if len(wanted) > 1 else ""
            guess = nearest(missing[0], filter(None, there))
            raise UsageError(f"{', '.join(map(_named, missing))} is not suspended.{guess}{listed}{others}")
        ended = [
            replace(one, ended_at=at, ended_by=f"{me.user}@{me.host}")
            for one in counting
            if not wanted or one.scope in wanted
        ]
        store.commit(
            [
                write
                for one in ended
                for write in (Put(one), *_told(me, at, "resumed", f"{_named(one.scope)} is resumed"))
            ]
        )
    return ended


def unmatched(project: Project, scopes: Collection[str]) -> list[str]:
    """Those of these patterns that name nothing which is declared or recorded. Raises StateError."""
    if not any(scopes):
        return []
    with closing(project.open_state()) as store:
        known = {*store.snapshot().instances, *(instance.address for instance in project.desired.instances)}
    return [scope for scope in scopes if scope and not matching(scope, known)]


def suspended(records: Iterable[SuspensionRecord], at: str) -> list[SuspensionRecord]:
    """Those that count at a moment."""
    return [one for one in records if one.ended_at is None and (one.until is None or one.until > at)]


def approved(store: Store, at: str) -> list[ApprovalRecord]:
    """The approvals that count at a moment, newest first."""
    found = (one for one in store.approvals() if one.revoked_at is None and (one.until is None or one.until > at))
    return sorted(found, key=lambda one: one.at, reverse=True)


def listed_approvals(project: Project) -> list[tuple[ApprovalRecord, bool]]:
    """Every one, newest first, and whether it counts now; none where there is no state. Raises StateError."""
    store = project.open_state_if_any()
    if store is None:
        return []
    with closing(store):
        found, counting = store.approvals(), {one.digest for one in approved(store, now())}
    return sorted(((one, one.digest in counting) for one in found), key=lambda item: item[0].at, reverse=True)


def listed_suspensions(project: Project) -> list[tuple[SuspensionRecord, bool]]:
    """Likewise the suspensions."""
    store = project.open_state_if_any()
    if store is None:
        return []
    with closing(store):
        found = store.suspensions()
    counting = {one.scope for one in suspended(found, now())}
    return sorted(((one, one.scope in counting) for one in found), key=lambda item: item[0].at, reverse=True)


def each_environment(
    root: Path, environ: Mapping[str, str], given: Given
) -> Iterator[tuple[str, Project | ReconcilerError]]:
    """The project in each environment that environments/*.toml declares, by name, or why it can't be read. Of several
    that have one state, the first. Raises UsageError where none is declared.
    """
    names = declared_environments(root)
    if not names:
        raise UsageError("There is no environment: environments/*.toml would declare them. Leave the option out.")
    met = set()
    for name in names:
        try:
            project = read_project(root, environ, None, replace(given, environment=name), records_only=True)
        except ReconcilerError as problem:
            yield name, problem
            continue
        place = project.state_url, project.workspace
        if place not in met:
            met.add(place)
            yield name, project


def _me(command: str, who: Who | None) -> Holder:
    me = describe(command)
    return replace(me, user=who.user, host=who.host) if who else me


def _writable(text: str) -> str:
    """What a terminal of another encoding sent, as something that can be kept: it must not fail for that."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _told(me: Holder, at: str, kind: str, words: str) -> list[Write]:
    """What the history tells: an event, and who did it."""
    author = ApplyRecord(str(uuid.uuid4()), me.command, at, me.user, me.host)
    return [Put(author), Put(EventRecord(str(uuid.uuid4()), at, kind, author.apply_id, message=words))]


def _named(scope: str) -> str:
    return scope or "everything"


def _for(until: str | None) -> str:
    return f" until {until}" if until else ""


def _until(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
