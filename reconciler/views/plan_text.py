"""A plan for people: one line a run with its changed fields under it, then the totals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import asdict, replace

from reconciler.model.changes import Action, FieldChange, Kind, Progress
from reconciler.model.diagnostics import errors
from reconciler.model.limits import Level, Limit
from reconciler.model.money import dollars, total
from reconciler.model.plan import NoChange, Plan
from reconciler.views.diagnostics import diagnostic_lines
from reconciler.views.paint import Paint, joined, wrapped
from reconciler.views.times import local

SIGNS = {
    Kind.CREATE: ("  +", "green"),
    Kind.REPLACE: ("-/+", "yellow"),
    Kind.RETRY: ("  +", "green"),
    Kind.CANCEL: ("  -", "red"),
    Kind.FORGET: ("  -", "red"),
    Kind.DELETE: ("  -", "red"),
    Kind.REUSE: ("  ~", "cyan"),
    Kind.UPDATE: ("  ~", "cyan"),
    Kind.MOVE: ("  ~", "cyan"),
    Kind.IMPORT: ("  ~", "cyan"),
}
ORIGINS = {"reported": " (as reported)", "unknown": " (not known)", "recorded": " (as recorded)"}
_WARNINGS = 10
_WORKING = 10  # runs at work by name; more are counted
_NAMED = 3  # what a purchase waits for, by name


def plan_text(plan: Plan, paint: Paint, width: int | None = None, *, quiet: bool = False) -> str:
    """The whole plan as text, with a final newline; ``joined`` escapes every line. ``width``: of the terminal, where
    lines are to be broken; ``quiet``: only what is done, and the totals.
    """
    told = errors(plan.diagnostics) if quiet else plan.diagnostics
    before = [] if quiet else _fitting(plan.heading, width)
    before += diagnostic_lines(told, paint, _WARNINGS, width)
    lines = [""] if before else []
    body = [*_actions(plan.actions, paint)]
    body += [] if quiet else _working(plan.unchanged, paint)
    body += [f"  {paint('!', 'yellow')} unmet {item.address}: {item.reason}" for item in plan.unmet]
    for drifted in plan.drift:
        body.append(f"  {paint('≠', 'yellow')} drift {drifted.address}: run {drifted.run_id} reports")
        body += [f"      {line}" for line in map(_change, drifted.changes)]
    if body:
        lines += [*body, ""]
    lines.append(paint(summary(plan), "bold"))
    if plan.samples:
        lines.append(f"{counted(plan.samples, 'sample')} to buy, estimated cost: {cost_words(plan)}.")
    lines += _limits(plan, paint, quiet)
    return joined([*before, *_fitting(lines, width)])


def _fitting(lines: Iterable[str], width: int | None) -> list[str]:
    return list(lines) if width is None else [part for line in lines for part in wrapped(line, width)]


def as_saved(plan: Plan) -> Plan:
    """A saved plan to be shown: its first lines say how things were when it was made."""
    heading = (f"Planned at {local(plan.timestamp)}, when:", *plan.heading) if plan.heading else ()
    return replace(plan, heading=heading)


def cost_words(plan: Plan) -> str:
    """What the purchases may cost, with its grounds; what is unknown is said."""
    whole = plan.cost
    if whole is not None:
        return str(whole)
    buying = [action for action in plan.actions if action.buys]
    known = total(action.estimate for action in buying if action.estimate is not None)
    if known is None:
        return "unknown"
    count = sum(1 for action in buying if action.estimate is None)
    return f"unknown for {count:,} of {len(buying):,} runs, {known} for the others"


def _limits(plan: Plan, paint: Paint, quiet: bool) -> Iterator[str]:
    """What is exceeded, a line each (of advisory limits the warnings tell); in one line what is kept, where anything is
    to be done.
    """
    for item in plan.exceeded:
        name, level = item.limit.name, item.limit.level
        if item.override:
            yield paint(f"Limit {name} ({level}) is exceeded: {item.found}; overridden: {item.override}", "yellow")
        else:
            way = f"; it needs --override {name} --reason TEXT" if level is Level.SOFT else ""
            yield paint(f"Limit {name} ({level}) forbids it: {item.found}{way}.", "red")
    kept = [_kept(item.limit, plan) for item in plan.limits if item.passed]
    if kept and plan.has_changes and not quiet:
        yield f"Limits: {', '.join(kept)}: kept."


def _kept(limit: Limit, plan: Plan) -> str:
    """What a plan takes of a limit, in few words."""
    if isinstance(limit.value, tuple):
        which = "allowed" if limit.name == "allowed_models" else "denied"
        return f"{counted(len(limit.value), 'pattern')} of {which} models"
    match limit.name:
        case "max_new_runs":
            return f"{sum(1 for action in plan.actions if action.buys):,} of {limit.value:,} new runs"
        case "max_new_samples":
            return f"{plan.samples:,} of {limit.value:,} new samples"
        case "max_cost_usd":  # an unknown cost does not keep it
            return f"{f'≈ {dollars(plan.cost.usd)}' if plan.cost else dollars(0.0)} of {dollars(limit.value)}"
        case _:
            stopped = sum(1 for action in plan.actions if action.stops and not action.deposed)
            return f"{stopped:,} of {limit.value:,} to cancel or delete"


def summary(plan: Plan) -> str:
    """The one line that scripts and people look for; zero counts are left out."""
    unchanged, unmet = len(plan.unchanged), len(plan.unmet)
    if plan.mode == "refresh-only":
        return f"Drift: {counted(len(plan.drift), 'run')}." if plan.drift else "No drift."
    if not plan.has_changes:
        declared = f"No changes. {counted(unchanged, 'run')} {'is' if unchanged == 1 else 'are'} as declared"
        return f"{declared}, {unmet:,} {'is' if unmet == 1 else 'are'} unmet." if unmet else f"{declared}."
    parts = [f"{count:,} to {kind}" for kind, count in plan.counts().items() if count]
    parts += [f"{unchanged:,} unchanged"] if unchanged else []
    parts += [f"{unmet:,} unmet"] if unmet else []
    return f"Plan: {', '.join(parts)}."


def _actions(actions: Iterable[Action], paint: Paint) -> Iterator[str]:
    wave = 1
    for action in actions:
        if action.wave != wave:
            wave = action.wave
            yield paint(f"  Wave {wave}, each once what it depends on has SUCCEEDED:", "dim")
        yield from _action(action, paint)


def _action(action: Action, paint: Paint) -> Iterator[str]:
    sign, colour = SIGNS[action.kind]
    where = f"  ({action.source.file}:{action.source.line})" if action.source else ""
    subject = f" run {action.subject.run_id}" if action.deposed and action.subject else ""
    title = paint(f"{sign} {action.kind} {action.address}", colour)
    foreign = "  [not caused by this branch]" if action.foreign else ""
    yield f"{title}{subject}  {action.reason}{where}{foreign}"
    if action.depends_on:
        yield f"      waits for {dependencies(action.depends_on)}"
    if action.kind in (Kind.CREATE, Kind.RETRY) and action.after:
        for name, value in action.after.fields:
            origin = " (as before)" if action.kind is Kind.RETRY else " (the newest)"
            inferred = origin if name in action.inferred else ""
            yield f"      {name}: {shown(value)}{inferred}"
        yield from (f"      {name}: (secret, from {ref})" for name, ref in action.secrets)
    yield from (f"      {_change(change)}" for change in action.changes)
    if action.kind is Kind.UPDATE and action.lifecycle and action.lifecycle_before:
        before = asdict(action.lifecycle_before)
        for name, value in asdict(action.lifecycle).items():
            if before[name] != value:
                yield f"      lifecycle.{name}: {shown(before[name])} → {shown(value)}"
    if action.estimate is not None:
        yield f"      estimated cost: {action.estimate}"
    if action.subject and not action.deposed and action.kind not in (Kind.RETRY, Kind.UPDATE, Kind.MOVE):
        yield f"      {fate(action, action.subject)}"


def fate(action: Action, subject: Progress) -> str:
    """What becomes of the run that an action concerns."""
    run = f"run {subject.run_id} ({progress_words(subject)})"
    match action.kind:
        case Kind.REPLACE | Kind.REUSE | Kind.IMPORT if action.stops:
            return f"{run} is cancelled once its successor is certain"
        case Kind.REPLACE | Kind.REUSE | Kind.IMPORT:
            return f"{run} stays on the service"
        case Kind.CANCEL:
            return f"{run} is stopped; what it made stays"
        case Kind.DELETE:
            return f"{run} is deleted with its files"
        case _:
            return f"{run} stays on the service"


def _works(progress: Progress) -> bool:
    return progress.status not in ("SUCCEEDED", "FAILED", "CANCELED")


def dependencies(addresses: Iterable[str]) -> str:
    """What a purchase waits for: several instances of a declaration are counted."""
    names: dict[str, list[str]] = {}
    for address in addresses:
        names.setdefault(address.partition("[")[0], []).append(address)
    found = [of[0] if len(of) == 1 else f"{name} ({len(of):,} runs)" for name, of in names.items()]
    more = len(found) - _NAMED
    return f"{', '.join(found[:_NAMED])}{f' and {more:,} more' if more > 0 else ''}"


def _working(unchanged: Iterable[NoChange], paint: Paint) -> list[str]:
    """Runs that are as declared and at work: the first ones by name."""
    working = [(item.address, item.progress) for item in unchanged if item.progress and _works(item.progress)]
    said = [
        f"    {paint('working', 'dim')} {address}  run {progress.run_id}: {progress_words(progress)}"
        for address, progress in working[:_WORKING]
    ]
    more = len(working) - len(said)
    return [*said, f"    … and {more:,} more at work"] if more else said


def progress_words(progress: Progress) -> str:
    """``PROCESSING, 62,000 of 200,000 samples, $31.00 spent``."""
    spent = "" if progress.cost is None else f", {dollars(progress.cost)} spent"
    if progress.samples_completed is None:
        return f"{progress.status}{spent}"
    of = f" of {progress.samples:,}" if progress.samples else ""
    return f"{progress.status}, {progress.samples_completed:,}{of} samples{spent}"


def _change(change: FieldChange) -> str:
    origin = ORIGINS.get(change.origin, "")
    return f"{change.field}: {shown(change.before)}{origin} → {shown(change.after)}"


def shown(value: object) -> str:
    """A field's value as people read it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(shown, value))}]"
    return "unset" if value is None else str(value)


def counted(count: int, noun: str) -> str:
    """``1,200 runs``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
