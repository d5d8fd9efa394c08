"""Everything that is recorded of one address, for people and for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from reconciler.model.money import dollars
from reconciler.views.history import by_json, by_text, standing_text
from reconciler.views.paint import joined
from reconciler.views.times import Clock
from state.records import ApplyRecord, AttemptRecord, InstanceRecord, OwedRecord


class Recorded(Struct, frozen=True):
    """One address. ``instance`` is None for one that was forgotten; ``declared``: file and line, or None."""

    address: str
    instance: InstanceRecord | None
    attempts: Sequence[AttemptRecord]  # by number
    owed: Sequence[OwedRecord]
    applies: Mapping[str, ApplyRecord]
    declared: str | None = None

    @property
    def current(self) -> AttemptRecord | None:
        """The attempt whose run is current."""
        pointed = self.instance.attempt_id if self.instance else None
        return next((attempt for attempt in self.attempts if attempt.attempt_id == pointed), None)


def address_json(found: Recorded) -> dict[str, Any]:
    """Times in UTC."""
    instance, current = found.instance, found.current
    return {
        "format_version": "1.0",
        "address": found.address,
        "recorded": instance is not None,
        "recorded_at": instance.recorded_at if instance else None,
        "declared": found.declared,
        "lifecycle": json.loads(instance.lifecycle_json) if instance else None,
        "current_attempt": current.number if current else None,
        "attempts": [_attempt_json(attempt, found.applies) for attempt in found.attempts],
        "owed": [{"run_id": owed.run_id, "reason": owed.reason, "owed_at": owed.owed_at} for owed in found.owed],
    }


def _attempt_json(attempt: AttemptRecord, applies: Mapping[str, ApplyRecord]) -> dict[str, Any]:
    return {
        "attempt": attempt.number,
        "attempt_id": attempt.attempt_id,
        "phase": attempt.phase.value,
        "note": attempt.note,
        "run_id": attempt.run_id,
        "provisional": attempt.provisional,
        "imported": attempt.imported,
        "status": attempt.status,
        "samples_completed": attempt.samples_completed,
        "samples_failed": attempt.samples_failed,
        "total_cost": attempt.total_cost,
        "spec_id": attempt.spec_id,
        "spec_version": attempt.spec_version,
        "rerun": attempt.rerun,
        "sent": json.loads(attempt.sent_json),
        "inferred": json.loads(attempt.inferred_json),
        "reported": json.loads(attempt.reported_json or "null"),
        "files": json.loads(attempt.files_json or "[]"),
        "prepared_at": attempt.prepared_at,
        "settled_at": attempt.settled_at,
        "run_created_at": attempt.run_created_at,
        "run_completed_at": attempt.run_completed_at,
        "gone_at": attempt.gone_at,
        "by": by_json(applies.get(attempt.apply_id or "")),
    }


def address_text(found: Recorded) -> str:
    """The current run in full, older attempts by a line or two each."""
    instance, current = found.instance, found.current
    clock = Clock(attempt.prepared_at for attempt in found.attempts)
    lines = [found.address]
    if instance is None:
        lines.append("  forgotten: its attempts are kept, and are found again if it is declared again")
    else:
        lines.append(f"  recorded   {Clock([instance.recorded_at])(instance.recorded_at)}")
    lines.append(f"  declared   {found.declared or 'no'}")
    if instance is not None:
        values = json.loads(instance.lifecycle_json)
        lines.append("  lifecycle  " + ", ".join(f"{name} = {_shown(value)}" for name, value in values.items()))
    lines += _current_lines(current, clock) if current else (["  run        none"] if instance else [])
    lines += [f"  ! run {owed.run_id} is still to be cancelled ({owed.reason})" for owed in found.owed]
    if found.attempts:
        lines += ["", "  Attempts:"]
    for attempt in found.attempts:
        lines.append(f"    {attempt.number}  {clock(attempt.prepared_at)}  {standing_text(attempt)}")
        lines += [
            f"       {text}" for text in (attempt.note, by_text(found.applies.get(attempt.apply_id or ""))) if text
        ]
    note = clock.note or (Clock([instance.recorded_at]).note if instance else "")
    return joined([*lines, *(["", note] if note else [])])


def _current_lines(attempt: AttemptRecord, clock: Clock) -> Iterator[str]:
    yield f"  run        {attempt.run_id or 'none'}"
    yield f"  status     {attempt.status or 'not looked at yet'}{' (gone from the service)' if attempt.gone_at else ''}"
    if attempt.samples_completed is not None:
        yield f"  samples    {attempt.samples_completed:,} completed, {attempt.samples_failed or 0:,} failed"
    if attempt.total_cost is not None:
        yield f"  cost       {dollars(attempt.total_cost)}"
    version = f", version {attempt.spec_version}" if attempt.spec_version is not None else ""
    yield f"  spec       {attempt.spec_id}{version}"
    for name, at in (("made", attempt.run_created_at), ("completed", attempt.run_completed_at)):
        if at is not None:
            yield f"  {name:9}  {clock(at)}"
    if attempt.rerun:
        yield f"  rerun      {attempt.rerun}"
    sent, inferred = json.loads(attempt.sent_json), json.loads(attempt.inferred_json)
    reported = json.loads(attempt.reported_json or "{}")
    if sent:
        yield "  Sent:"
    for name, value in sent.items():
        seen = reported.get(name)
        differs = "" if seen is None or _same(seen, value) else f"  (in effect: {_shown(seen)})"
        yield f"    {name}: {_shown(value)}{' (not declared)' if name in inferred else ''}{differs}"
    more = {name: value for name, value in reported.items() if name not in sent and value not in (None, [], "")}
    if more:
        yield "  Chosen by the service:" if sent else "  As the service reports it:"
    for name, value in more.items():
        yield f"    {name}: {_shown(value)}"


def _same(one: object, other: object) -> bool:
    """Lists of the API are sets."""
    if isinstance(one, list) and isinstance(other, list):
        return sorted(map(str, one)) == sorted(map(str, other))
    return one == other


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
