"""A plan for people: one line a run with its changed fields under it, then the totals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from reconciler.model.changes import Action, FieldChange, Kind, NoChange, Plan, Progress
from reconciler.views.diagnostics import diagnostic_lines
from reconciler.views.paint import Paint, joined

SIGNS = {
    Kind.CREATE: ("  +", "green"),
    Kind.REPLACE: ("-/+", "yellow"),
    Kind.RETRY: ("  +", "green"),
    Kind.CANCEL: ("  -", "red"),
    Kind.FORGET: ("  -", "red"),
    Kind.DELETE: ("  -", "red"),
    Kind.REUSE: ("  ~", "cyan"),
    Kind.UPDATE: ("  ~", "cyan"),
}
_WARNINGS = 10


def plan_text(plan: Plan, paint: Paint) -> str:
    """The whole plan as text, with a final newline; ``joined`` escapes every line."""
    lines: list[str] = [*plan.heading]
    lines += diagnostic_lines(plan.diagnostics, paint, _WARNINGS)
    if lines:
        lines.append("")
    body = [line for action in plan.actions for line in _action(action, paint)]
    body += [_working(item, paint) for item in plan.unchanged if _works(item.progress)]
    body += [f"  {paint('!', 'yellow')} unmet {item.address}: {item.reason}" for item in plan.unmet]
    for drifted in plan.drift:
        body.append(f"  {paint('≠', 'yellow')} drift {drifted.address}: run {drifted.run_id} reports")
        body += [f"      {line}" for line in map(_change, drifted.changes)]
    if body:
        lines += [*body, ""]
    lines.append(paint(summary(plan), "bold"))
    if plan.samples:
        lines.append(f"{_count(plan.samples, 'sample')} to buy, estimated cost: unknown.")
    return joined(lines)


def summary(plan: Plan) -> str:
    """The one line that scripts and people look for; zero counts are left out."""
    unchanged, unmet = len(plan.unchanged), len(plan.unmet)
    if not plan.has_changes:
        declared = f"No changes. {_count(unchanged, 'run')} {'is' if unchanged == 1 else 'are'} as declared"
        return f"{declared}, {unmet:,} {'is' if unmet == 1 else 'are'} unmet." if unmet else f"{declared}."
    parts = [f"{count:,} to {kind}" for kind, count in plan.counts().items() if count]
    parts += [f"{unchanged:,} unchanged"] if unchanged else []
    parts += [f"{unmet:,} unmet"] if unmet else []
    return f"Plan: {', '.join(parts)}."


def _action(action: Action, paint: Paint) -> Iterator[str]:
    sign, colour = SIGNS[action.kind]
    where = f"  ({action.source.file}:{action.source.line})" if action.source else ""
    subject = f" run {action.subject.run_id}" if action.deposed and action.subject else ""
    title = paint(f"{sign} {action.kind} {action.address}", colour)
    yield f"{title}{subject}  {action.reason}{where}"
    if action.kind in (Kind.CREATE, Kind.RETRY) and action.after:
        for name, value in action.after.fields:
            origin = " (as before)" if action.kind is Kind.RETRY else " (the newest)"
            inferred = origin if name in action.inferred else ""
            yield f"      {name}: {_shown(value)}{inferred}"
        yield from (f"      {name}: (secret, from {ref})" for name, ref in action.secrets)
    yield from (f"      {_change(change)}" for change in action.changes)
    if action.kind is Kind.UPDATE and action.lifecycle and action.lifecycle_before:
        before = asdict(action.lifecycle_before)
        for name, value in asdict(action.lifecycle).items():
            if before[name] != value:
                yield f"      lifecycle.{name}: {_shown(before[name])} → {_shown(value)}"
    if action.subject and not action.deposed and action.kind not in (Kind.RETRY, Kind.UPDATE):
        yield f"      {_fate(action, action.subject)}"


def _fate(action: Action, subject: Progress) -> str:
    run = f"run {subject.run_id} ({_progress(subject)})"
    match action.kind:
        case Kind.REPLACE | Kind.REUSE if action.stops:
            return f"{run} is cancelled once its successor is certain"
        case Kind.REPLACE | Kind.REUSE:
            return f"{run} stays on the service"
        case Kind.CANCEL:
            return f"{run} is stopped; what it made stays"
        case Kind.DELETE:
            return f"{run} is deleted with its files"
        case _:
            return f"{run} stays on the service"


def _works(progress: Progress | None) -> bool:
    return progress is not None and progress.status not in ("SUCCEEDED", "FAILED", "CANCELED")


def _working(item: NoChange, paint: Paint) -> str:
    progress = item.progress
    said = f"run {progress.run_id}: {_progress(progress)}" if progress else ""
    return f"    {paint('working', 'dim')} {item.address}  {said}"


def _progress(progress: Progress) -> str:
    if progress.samples_completed is None:
        return progress.status
    of = f" of {progress.samples:,}" if progress.samples else ""
    return f"{progress.status}, {progress.samples_completed:,}{of} samples"


def _change(change: FieldChange) -> str:
    origin = {"reported": " (as reported)", "unknown": " (not known)"}.get(change.origin, "")
    return f"{change.field}: {_shown(change.before)}{origin} → {_shown(change.after)}"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_shown, value))}]"
    return "unset" if value is None else str(value)


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
