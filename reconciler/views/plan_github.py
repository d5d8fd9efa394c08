"""A plan as annotations of GitHub: workflow commands, which a runner reads from a step's output.

A line is a command where it begins with ``::``; a property ends at ``,`` or ``:``, a value at the line's end. What the
runner unescapes is escaped (``%``, carriage return and line feed; in properties ``:`` and ``,`` too), after everything
else that a log would obey. So no text of a file or of the service can end a command or begin another.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from reconciler.model.changes import Action, Kind
from reconciler.model.diagnostics import Diagnostic, Severity, Source, ordered
from reconciler.model.limits import Level, LimitResult
from reconciler.model.plan import Plan
from reconciler.views.paint import one_line
from reconciler.views.places import in_repository
from reconciler.views.plan_text import counted, fate

MOST = 10  # of each level GitHub shows ten a step, and drops the others without a word
_LONGEST = 1_000  # characters of one line of a message: a runner cuts off what is over 4,096 in all
_MOST_LINES = 30  # to be copied
_NAMED = 3  # instances of a declaration, by address
_SEVERITIES = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTICE: "notice"}


class _Annotation(Struct, frozen=True):
    level: str  # "error" | "warning" | "notice"
    title: str
    message: tuple[str, ...]  # lines
    source: Source | None


def annotations(plan: Plan, most: int = MOST) -> list[str]:
    """The worst findings as commands, each at the declaration that caused it: errors, limits that forbid the plan, what
    stops, deletes or buys again, what is unmet, warnings, drift; then the other changes. At most ``most`` of them, and
    a line that counts the others, which is no command.
    """
    return _commands([*_of_plan(plan)], plan.revision.folder, most)


def failed_annotations(diagnostics: Iterable[Diagnostic], folder: str = "", most: int = MOST) -> list[str]:
    """The same of a project of which no plan could be made. ``folder``: the project's within its repository."""
    return _commands([_diagnostic(found) for found in ordered(diagnostics)], folder, most)


def _of_plan(plan: Plan) -> Iterator[_Annotation]:
    told = ordered(plan.diagnostics)  # exceeded advisory limits are among the warnings
    yield from (_diagnostic(found) for found in told if found.severity is Severity.ERROR)
    yield from (_limit(item) for item in sorted(plan.exceeded, key=lambda item: bool(item.override)))
    yield from _actions((action for action in plan.actions if _destructive(action)), "warning")
    for item in plan.unmet:
        yield _Annotation("warning", f"unmet {item.address}", (item.reason,), item.source)
    yield from (_diagnostic(found) for found in told if found.severity is Severity.WARNING)
    for drifted in plan.drift:
        fields = ", ".join(change.field for change in drifted.changes)
        said = f"Run {drifted.run_id} reports something else than was sent: {fields}"
        yield _Annotation("warning", f"drift {drifted.address}", (said,), None)
    yield from (_diagnostic(found) for found in told if found.severity is Severity.NOTICE)
    yield from _actions((action for action in plan.actions if not _destructive(action)), "notice")


def _destructive(action: Action) -> bool:
    """Whether a run is stopped or deleted, or what was paid for is bought anew."""
    return action.stops or action.kind is Kind.REPLACE


def _diagnostic(found: Diagnostic) -> _Annotation:
    said = " ".join(part for part in (found.detail, found.fix) if part) or found.summary
    address = f"{found.address}: " if found.address else ""
    copied = found.proposal[:_MOST_LINES]
    more = len(found.proposal) - len(copied)
    lines = (f"{address}{said}", *copied, *((f"… and {more:,} more lines",) if more else ()))
    return _Annotation(_SEVERITIES[found.severity], found.summary, lines, found.source)


def _limit(item: LimitResult) -> _Annotation:
    name, level, source = item.limit.name, item.limit.level, item.limit.source
    if item.override:
        said = f"{item.found}; overridden: {item.override}"
        return _Annotation("warning", f"Limit {name} ({level}) is overridden", (said,), source)
    way = f"; it needs --override {name} --reason TEXT" if level is Level.SOFT else ""
    return _Annotation("error", f"Limit {name} ({level}) forbids this plan", (f"{item.found}{way}",), source)


def _actions(actions: Iterable[Action], level: str) -> Iterator[_Annotation]:
    """One annotation for all instances of a declaration that have the same done to them for the same reason."""
    groups: dict[object, list[Action]] = {}
    for action in sorted(actions, key=lambda action: action.foreign):  # what the branch caused comes first
        alike = (action.kind, action.address.partition("[")[0], action.source, action.reason, action.stops)
        groups.setdefault((*alike, action.foreign, action.deposed), []).append(action)
    return (_group(group, level) for group in groups.values())


def _group(group: Sequence[Action], level: str) -> _Annotation:
    first, samples = group[0], sum(action.after.samples for action in group if action.buys and action.after)
    said = [first.reason]
    said += [f"{counted(samples, 'sample')} to buy"] if samples else []
    said += ["this branch did not cause it"] if first.foreign else []
    if len(group) == 1:
        title, lines = f"{first.kind} {first.address}", ["; ".join([*said, *_fate(first)])]
    else:
        title = f"{first.kind} {len(group):,} of {first.address.partition('[')[0]}"
        lines = ["; ".join(said), *("; ".join([action.address, *_fate(action)]) for action in group[:_NAMED])]
        lines += [f"… and {len(group) - _NAMED:,} more"] if len(group) > _NAMED else []
    return _Annotation(level, title, tuple(lines), first.source)


def _fate(action: Action) -> list[str]:
    told = action.subject is not None and action.kind not in (Kind.RETRY, Kind.UPDATE, Kind.MOVE)
    return [fate(action, action.subject)] if told and action.subject else []


def _commands(found: Sequence[_Annotation], folder: str, most: int) -> list[str]:
    lines = [_command(item, folder) for item in found[:most]]
    left = Counter(item.level for item in found[most:])
    if left:
        words = [counted(count, level) for level, count in left.items()]
        lines.append(f"Not shown here, but in the plan: {', '.join(words)}.")
    return lines


def _command(item: _Annotation, folder: str) -> str:
    properties = {"title": item.title}
    if item.source is not None:
        source, path = item.source, in_repository(folder, item.source)
        properties = {"file": path, "line": str(source.line), "col": str(source.column), **properties}
    said = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{item.level} {said}::{_data(item.message)}"


def _property(value: str) -> str:
    return _escaped(value).replace(":", "%3A").replace(",", "%2C")


def _data(lines: Iterable[str]) -> str:
    return "%0A".join(map(_escaped, lines))


def _escaped(text: str) -> str:
    """``%`` by GitHub's rules; ``one_line`` has made line ends visible before, and all else that a log would obey."""
    text = one_line(text)
    return (text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…").replace("%", "%25")
