"""The parts of a plan comment: each is a list of rows of which some may be left out, or a text that never is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import asdict

from reconciler.model.changes import BUYING, Action, FieldChange, Kind
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.limits import Level, LimitResult
from reconciler.model.money import dollars, total
from reconciler.model.plan import Plan, Unmet
from reconciler.views.markdown import Part, code, fenced, header, prose, row
from reconciler.views.plan_text import ORIGINS, counted, dependencies, fate, progress_words, shown

FOREIGN = "*not caused by this branch*"
_OUTSIDE = ("canceled", "gone")  # of unmet runs: somebody did it, not this tool
_WARNINGS = 20
_HEAD = header("Where", "What")


def is_destructive(action: Action) -> bool:
    """Whether something is stopped or deleted, or samples that were made give way to others."""
    made = action.subject is not None and action.subject.samples_completed != 0
    return action.stops or (action.kind is Kind.REPLACE and made)


def destructive_head(found: Sequence[Action]) -> str:
    """The first lines of the block of caution."""
    made = sum(action.subject.samples_completed or 0 for action in found if action.subject)
    samples = f", {counted(made, 'sample')} made already" if made else ""
    return f"> [!CAUTION]\n> **{counted(len(found), 'destructive change')}{samples}:**\n>\n"


def destructive_row(action: Action, compared: bool) -> str:
    """What is stopped, deleted or replaced, and what becomes of it."""
    before = "**decided before**, " if action.deposed else ""
    first = f"> - **{action.kind}** {code(action.address)}{_where(action.source)}: {before}{_why(action, compared)}"
    if action.subject is None:
        return f"{first}\n"
    if action.deposed:
        told = f"run {action.subject.run_id} ({progress_words(action.subject)}) is stopped; what it made stays"
    else:
        told = fate(action, action.subject)
    unknown = action.subject.cost is None and action.kind is Kind.REPLACE and not action.stops
    spent = "; what it cost is spent" if unknown else ""
    return f"{first};\n>   {prose(told)}{spent}\n"


def totals(plan: Plan) -> str:
    """Runs, samples and money by kind of action."""
    lines = [header("Action", ">Runs", ">New samples", ">Estimated USD")]
    for kind, count in plan.counts().items():
        if count:
            of_kind = [action for action in plan.actions if action.kind is kind]
            samples = f"{_samples(of_kind):,}" if kind in BUYING else "–"
            lines.append(row(kind.value, f"{count:,}", samples, cost(of_kind) if kind in BUYING else "–"))
    buying = [action for action in plan.actions if action.buys]
    if len({action.kind for action in buying}) > 1:
        lines.append(row("**to buy**", f"**{len(buying):,}**", f"**{plan.samples:,}**", cost(buying)))
    return "".join(lines)


def _samples(actions: Iterable[Action]) -> int:
    return sum(action.after.samples for action in actions if action.after)


def cost(buying: Sequence[Action]) -> str:
    """What purchases may cost, in few words."""
    known = [action.estimate for action in buying if action.estimate is not None]
    whole = total(known)
    if whole is None:
        return "unknown"
    usd = code(f"≈ {dollars(whole.usd)}")
    unknown = len(buying) - len(known)
    return f"unknown for {unknown:,} of {len(buying):,}, {usd} for the others" if unknown else usd


def grounds(plan: Plan) -> str:
    """What the estimate is taken from; empty where there is none."""
    whole = total(action.estimate for action in plan.actions if action.buys and action.estimate is not None)
    return f"\nEstimated {prose(str(whole).partition(', ')[2])}.\n" if whole else ""


def limits(results: Sequence[LimitResult]) -> str:
    """Each limit and what it says."""
    if not results:
        return "Limits: none are declared.\n"
    rows = [row(code(item.limit.name), item.limit.level.value, _result(item)) for item in results]
    return header("Limit", "Level", "Result") + "".join(rows)


def _result(item: LimitResult) -> str:
    if item.passed:
        return f"✓ {prose(item.found)}"
    if item.override:
        return f"✗ {prose(item.found)}; **overridden**: {prose(item.override)}"
    if item.limit.level is not Level.SOFT:
        return f"✗ {prose(item.found)}"
    return f"✗ {prose(item.found)}; it needs {code(f'--override {item.limit.name} --reason TEXT')}"


def changes(plan: Plan) -> Iterator[Part]:
    """What is not destructive. Purchases that are new are the first to be left out, those that the branch did not cause
    before others.
    """
    order = {Kind.CREATE: 2, Kind.RETRY: 1}
    numbered = [item for item in enumerate(plan.actions) if not is_destructive(item[1])]
    if not numbered:
        return
    compared = plan.revision.base is not None
    by_weight = sorted(numbered, key=lambda item: (order.get(item[1].kind, 0), compared and item[1].foreign))
    rows = ((at, _change_row(action, compared)) for at, action in by_weight)

    def hidden(shown_rows: int) -> str:
        counts = Counter(action.kind for _, action in by_weight[shown_rows:])
        parts = ", ".join(f"{counts[kind]:,} to {kind}" for kind in Kind if counts[kind])
        more = "more " if shown_rows else ""
        return f"**{counted(sum(counts.values()), f'{more}change')} not shown**: {parts}."

    title = "### Other changes\n\n" if len(numbered) < len(plan.actions) else "### Changes\n\n"
    yield Part(title, header("Action", "Address", "Why", "Where"), rows, len(numbered), hidden, rank=4)


def _change_row(action: Action, compared: bool) -> str:
    waits = f"; wave {action.wave}, waits for {prose(dependencies(action.depends_on))}" if action.depends_on else ""
    return row(action.kind.value, code(action.address), f"{_why(action, compared)}{waits}", _place(action.source))


def _why(action: Action, compared: bool) -> str:
    foreign = f"{FOREIGN}: " if compared and action.foreign else ""
    return f"{foreign}{prose(action.reason)}"


def _where(source: Source | None) -> str:
    return f" ({_place(source)})" if source else ""


def _place(source: Source | None) -> str:
    return code(f"{source.file}:{source.line}") if source else "–"


def unmet(plan: Plan) -> Iterator[Part]:
    """Addresses that are not as declared, and stay so."""
    found = [item for item in plan.unmet if item.kind not in _OUTSIDE]
    rows = (row(item.kind, code(item.address), prose(item.reason), _place(item.source)) for item in found)
    head = header("Standing", "Address", "Why", "Where")
    if found:
        yield _table("### Unmet, and left as they are\n\n", head, rows, len(found), "unmet run", rank=3)


def outside(plan: Plan) -> Iterator[Part]:
    """What somebody did past this tool. That there is nothing is said as well; but not where nobody looked."""
    gone = [item for item in plan.unmet if item.kind in _OUTSIDE]
    count = len(plan.drift) + len(gone)
    if not count:
        said = "none." if plan.refreshed else "not known, for the service was not asked."
        yield Part(f"Changed outside Git: {said}\n", "", (), 0, lambda _: "", rank=0)
        return
    rows = [row(code(item.address), _drifted(item.run_id, item.changes)) for item in plan.drift]
    rows += [row(code(item.address), _gone(item)) for item in gone]
    title = f"### Changed outside Git: {counted(count, 'run')}\n\n"
    yield _table(title, header("Address", "What"), rows, count, "run", rank=2)


def _drifted(run_id: str, found: Sequence[FieldChange]) -> str:
    told = "; ".join(f"{change.field} {shown(change.before)} → {shown(change.after)}" for change in found)
    return f"run {code(run_id)} reports {prose(told)}"


def _gone(item: Unmet) -> str:
    return f"{item.kind}: {prose(item.reason)}"


def errors(found: Sequence[Diagnostic]) -> Iterator[Part]:
    """Why it can't be applied, and the lines of TOML that help."""
    wrong = [item for item in found if item.severity is Severity.ERROR]
    if wrong:
        yield _table("### Errors\n\n", _HEAD, map(_diagnostic, wrong), len(wrong), "error", rank=0)
    if blocks := [fenced(item.proposal, "toml") for item in wrong if item.proposal]:
        yield _table("These lines may be copied:\n\n", "", blocks, len(blocks), "proposal", rank=1)


def warnings(found: Sequence[Diagnostic]) -> Iterator[Part]:
    """The first warnings and notices."""
    others = [item for item in found if item.severity is not Severity.ERROR]
    if others:
        rows = map(_diagnostic, others[:_WARNINGS])
        yield _table("### Warnings\n\n", _HEAD, rows, len(others), "warning", rank=3)


def _diagnostic(item: Diagnostic) -> str:
    where = [_place(item.source)] if item.source else []
    where += [code(item.address)] if item.address else []
    said = f"{item.summary}: {item.detail}" if item.detail else item.summary
    fix = f" {prose(item.fix)}" if item.fix else ""
    return row(" ".join(where) or "–", f"{prose(said)}{fix}")


def _table(title: str, head: str, rows: Iterable[str], count: int, noun: str, *, rank: int) -> Part:
    def hidden(shown_rows: int) -> str:
        more = "more " if shown_rows else ""
        return f"**{counted(count - shown_rows, f'{more}{noun}')} not shown.**"

    return Part(title, head, enumerate(rows), count, hidden, rank)


def diffs(plan: Plan) -> Iterator[Part]:
    """The fields of each run that change, folded; destructive changes first, what the branch did not cause last."""
    found = [action for action in plan.actions if _has_fields(action)]
    if not found:
        return
    compared = plan.revision.base is not None
    found.sort(key=lambda action: (not is_destructive(action), compared and action.foreign))
    count = counted(len(found), "run")
    head = f"<details>\n<summary>Field by field: {count}</summary>\n\n"
    rows = (
        (at, f"**{action.kind}** {code(action.address)}\n\n{fenced(_fields(action), 'diff')}\n")
        for at, action in enumerate(found)
    )

    def hidden(shown_rows: int) -> str:
        more = "more " if shown_rows else ""
        return f"Fields of **{counted(len(found) - shown_rows, f'{more}run')} not shown.**"

    yield Part("", head, rows, len(found), hidden, rank=5, tail="</details>\n")


def _has_fields(action: Action) -> bool:
    new = action.kind in (Kind.CREATE, Kind.RETRY) and action.after is not None
    return new or bool(action.changes) or (action.kind is Kind.UPDATE and action.lifecycle != action.lifecycle_before)


def _fields(action: Action) -> Iterator[str]:
    new = action.kind in (Kind.CREATE, Kind.RETRY)
    if new and action.after:
        origin = " (as before)" if action.kind is Kind.RETRY else " (the newest)"
        for name, value in action.after.fields:
            yield f"+ {name}: {shown(value)}{origin if name in action.inferred else ''}"
    for change in action.changes:
        if change.before is not None or change.origin in ORIGINS:
            yield f"- {change.field}: {shown(change.before)}{ORIGINS.get(change.origin, '')}"
        if change.after is not None:
            yield f"+ {change.field}: {shown(change.after)}"
    for name, ref in action.secrets if action.buys else ():
        yield f"{'+' if new else ' '} {name}: (secret, from {ref})"
    if action.kind is Kind.UPDATE and action.lifecycle and action.lifecycle_before:
        before = asdict(action.lifecycle_before)
        for name, value in asdict(action.lifecycle).items():
            if before[name] != value:
                yield f"- lifecycle.{name}: {shown(before[name])}"
                yield f"+ lifecycle.{name}: {shown(value)}"
