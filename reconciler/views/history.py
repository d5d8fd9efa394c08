"""What happened, for people and for scripts: every attempt and every event, with who did it and from which commit."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from reconciler.model.money import dollars
from reconciler.model.run import is_final
from reconciler.views.paint import Paint, one_line
from reconciler.views.times import Clock
from state.history import Entry, moment
from state.records import ApplyRecord, AttemptRecord, EventRecord, Phase

_DIGITS = 12  # of a commit or a digest, for people
_INDENT = "    "


class History(Struct, frozen=True):
    """Entries, oldest first; the commands that recorded them, and the attempts that events are about, by their ids."""

    entries: Sequence[Entry]
    applies: Mapping[str, ApplyRecord]


class Total(Struct, frozen=True):
    """What the shown runs cost. ``unknown``: runs of which it is not known, or not known yet."""

    runs: int
    cost: float  # US dollars
    unknown: int


def total(entries: Iterable[Entry]) -> Total:
    """Of the runs of these attempts."""
    runs = [entry for entry in entries if isinstance(entry, AttemptRecord) and entry.run_id is not None]
    known = [run.total_cost for run in runs if run.total_cost is not None]
    return Total(len(runs), sum(known), len(runs) - len(known))


def history_json(history: History) -> dict[str, Any]:
    """Everything, unfolded; times in UTC."""
    attempts = _attempts(history)
    found = total(history.entries)
    return {
        "format_version": "1.0",
        "entries": [_entry_json(entry, attempts, history.applies) for entry in history.entries],
        "runs": found.runs,
        "total_cost_usd": found.cost,
        "runs_of_unknown_cost": found.unknown,
    }


def _entry_json(
    entry: Entry, attempts: Mapping[str, AttemptRecord], applies: Mapping[str, ApplyRecord]
) -> dict[str, Any]:
    event = entry if isinstance(entry, EventRecord) else None
    attempt = entry if isinstance(entry, AttemptRecord) else attempts.get(entry.attempt_id or "")
    return {
        "at": moment(entry),
        "kind": "event" if event else "attempt",
        "type": event.type if event else None,
        "address": entry.address,
        "message": event.message if event else attempt.note if attempt else None,
        "attempt_id": entry.attempt_id,
        "attempt": attempt.number if attempt else None,
        "phase": attempt.phase.value if attempt else None,
        "run_id": entry.run_id or (attempt.run_id if attempt else None),
        "status": attempt.status if attempt else None,
        "samples_completed": attempt.samples_completed if attempt else None,
        "samples_failed": attempt.samples_failed if attempt else None,
        "total_cost": attempt.total_cost if attempt else None,
        "by": by_json(applies.get(entry.apply_id or "")),
    }


def by_json(author: ApplyRecord | None) -> dict[str, Any] | None:
    """Who, by which command, from which commit."""
    if author is None:
        return None
    return {
        "user": author.user,
        "host": author.host,
        "command": author.command,
        "started_at": author.started_at,
        "plan_id": author.plan_id,
        "plan_digest": author.plan_digest,
        "git": {"commit": author.git_commit, "branch": author.git_branch, "dirty": author.git_dirty},
    }


def history_text(history: History, paint: Paint, width: int | None = None) -> str:
    """For people, newest last. ``width``: details are folded at so many columns; None: a detail is a line."""
    if not history.entries:
        return "Nothing has happened yet.\n"
    clock = Clock(map(moment, history.entries))
    lines = [clock.note]
    for entry, folded in _folded(history.entries):
        where = one_line(entry.address) if entry.address else "the state"
        lines += ["", *_wrapped(f"{clock(moment(entry))}  ", where, width, lambda text: paint(text, "bold"))]
        author = entry.apply_id or next((event.apply_id for event in folded if event.apply_id), None)
        details = [*_told(entry, folded), by_text(history.applies.get(author or ""))]
        for detail in filter(None, details):
            lines += _wrapped(_INDENT, one_line(detail), width)
    return "\n".join([*lines, "", _in_all(total(history.entries))]) + "\n"


def _folded(entries: Sequence[Entry]) -> Iterator[tuple[Entry, list[EventRecord]]]:
    """Each entry with the events that are told with it: what the command did that made an attempt."""
    attempts = {entry.attempt_id: entry for entry in entries if isinstance(entry, AttemptRecord)}
    within: dict[str, list[EventRecord]] = {}
    apart: list[Entry] = []
    for entry in entries:
        attempt = attempts.get(entry.attempt_id or "") if isinstance(entry, EventRecord) else None
        imported = attempt is not None and attempt.apply_id is None and entry.address == attempt.address
        if isinstance(entry, EventRecord) and attempt and (entry.apply_id == attempt.apply_id or imported):
            within.setdefault(attempt.attempt_id, []).append(entry)
        else:
            apart.append(entry)
    for entry in apart:
        yield entry, within.get(entry.attempt_id, []) if isinstance(entry, AttemptRecord) else []


def _told(entry: Entry, folded: Iterable[EventRecord]) -> Iterator[str]:
    if isinstance(entry, EventRecord):
        yield _event_text(entry)
        return
    yield f"attempt {entry.number}: {standing_text(entry)}"
    for event in folded:
        # The run is in the line above.
        yield _event_text(event).removesuffix(f": run {entry.run_id}")
    if entry.note and not any(entry.note in event.message for event in folded):
        yield entry.note


def _event_text(event: EventRecord) -> str:
    return f"{event.type.replace('_', ' ')}: {event.message}"


def standing_text(attempt: AttemptRecord) -> str:
    """How an attempt and its run stand."""
    if attempt.run_id is None:
        return {
            Phase.PREPARED: "not sent",
            Phase.SENDING: "nobody knows yet whether it was bought",
            Phase.UNKNOWN: "nobody knows yet whether it was bought",
            Phase.REJECTED: "refused by the service",
            Phase.ABANDONED: "given up",
        }.get(attempt.phase, attempt.phase.value)
    parts = [f"run {attempt.run_id}", attempt.status or "not looked at yet"]
    if attempt.samples_completed is not None:
        failed = f", {attempt.samples_failed:,} failed" if attempt.samples_failed else ""
        parts.append(f"{attempt.samples_completed:,} samples{failed}")
    if attempt.total_cost is not None:
        parts.append(dollars(attempt.total_cost))
    elif is_final(attempt.status):
        parts.append("cost not known")
    if attempt.provisional:
        parts.append("adopted provisionally")
    if attempt.gone_at is not None:
        parts.append("gone from the service")
    return ", ".join(parts)


def by_text(author: ApplyRecord | None) -> str:
    """Who, by which command, from which commit; an empty text where that is not known."""
    if author is None:
        return ""
    parts = [f"{author.user}@{author.host}", author.command]
    if author.plan_digest:
        parts.append(f"plan {author.plan_digest.removeprefix('sha256:')[:_DIGITS]}")
    if author.git_commit:
        branch = f" on {author.git_branch}" if author.git_branch else ""
        dirty = " with changes" if author.git_dirty else ""
        parts.append(f"commit {author.git_commit[:_DIGITS]}{branch}{dirty}")
    return ", ".join(parts)


def _in_all(found: Total) -> str:
    if not found.runs:
        return "No run was bought."
    runs = f"{found.runs:,} run{'' if found.runs == 1 else 's'}"
    unknown = f"; the cost of {found.unknown:,} is not known" if found.unknown else ""
    return f"{runs}, {dollars(found.cost)} in all{unknown}."


def _wrapped(head: str, text: str, width: int | None, paint: Callable[[str], str] = str) -> list[str]:
    if width is None or len(head) + len(text) <= width:
        return [f"{head}{paint(text)}"]
    if not head.isspace():  # a long address has a line of its own
        return [head.rstrip(), *_wrapped(_INDENT, text, width, paint)]
    more = head + "  "
    folded = textwrap.wrap(text, width, initial_indent=head, subsequent_indent=more, break_on_hyphens=False)
    return [f"{line[: len(line) - len(line.lstrip())]}{paint(line.lstrip())}" for line in folded]


def _attempts(history: History) -> dict[str, AttemptRecord]:
    return {entry.attempt_id: entry for entry in history.entries if isinstance(entry, AttemptRecord)}
