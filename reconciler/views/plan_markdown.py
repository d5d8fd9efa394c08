"""A plan as a comment of a pull request: what a reviewer must know first, and never more than a comment may hold.

Marker, verdict, what is destructive, totals, limits, the way to apply and where the plan comes from are never left out.
The fields of runs go first, then purchases are summed up, then the other lists; a line says how many are not shown.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler import __version__
from reconciler.model.changes import Action
from reconciler.model.diagnostics import Diagnostic, errors, ordered
from reconciler.model.limits import Level, LimitResult
from reconciler.model.marker import Marker
from reconciler.model.money import dollars
from reconciler.model.plan import Plan, Revision
from reconciler.views import markdown_parts as parts
from reconciler.views.markdown import CUT, Part, code, fenced, fit, prose, size
from reconciler.views.plan_text import counted, summary
from reconciler.views.times import utc

# Bytes that are always enough for marker, verdict, totals and the count of what is destructive, with names of 64
# characters. Of less no use can be made.
MINIMUM_BYTES: Final = 1_500
_SHOWN_COMMIT = 12


class Comment(Struct, frozen=True):
    """``complete``: whether all is there that must be; with False nobody can review by it."""

    text: str
    complete: bool


def plan_markdown(plan: Plan, max_bytes: int = 65_000) -> Comment:
    """The comment of a plan: Markdown of at most ``max_bytes`` bytes of UTF-8 (at least MINIMUM_BYTES)."""
    marker = Marker.of(plan, truncated=False)
    first = [f"{marker}\n", f"{_verdict(plan)}\n", *_notes(plan.heading)]
    destructive = [action for action in plan.actions if parts.is_destructive(action)]
    told = [f"\n{_destructive(plan, destructive, max_bytes)}"] if destructive else []
    told += [f"\n{parts.totals(plan)}", parts.grounds(plan)] if plan.actions else []
    told.append(f"\n{parts.limits(plan.limits)}")
    last = [f"\n{_how_to_apply(plan, marker.digest)}", f"\n{_provenance(plan)}"]
    problems = ordered(plan.diagnostics)
    lists = [*parts.errors(problems), *parts.changes(plan), *parts.outside(plan), *parts.unmet(plan)]
    lists += [*parts.warnings(problems), *parts.diffs(plan)]
    found = _within(max_bytes, [*first, *told], lists, last)
    if found is not None:
        return Comment(_finished(found[0], marker, whole=found[1]), complete=True)
    return Comment(_shortest(plan, marker, destructive, max_bytes), complete=False)


def failed_markdown(
    diagnostics: Iterable[Diagnostic], *, environment: str, revision: Revision, max_bytes: int = 65_000
) -> Comment:
    """The comment where no plan could be made: why, with the places."""
    found = ordered(diagnostics)
    marker = Marker(environment, revision.folder, "", "", 0, revision.commit, truncated=False)
    count = counted(len(errors(found)), "error") if errors(found) else "no plan could be made"
    verdict = _heading([f"Blocked: {count}", _named(revision.folder, environment)])
    commit = f" at {_commit(revision)}" if revision.commit else ""
    last = f"\nNo plan could be made{commit}: nothing is known of what would be done. reconciler {code(__version__)}.\n"
    made = _within(max_bytes, [f"{marker}\n", f"{verdict}\n"], [*parts.errors(found), *parts.warnings(found)], [last])
    if made is not None:
        return Comment(_finished(made[0], marker, whole=made[1]), complete=True)
    return Comment(_first_that_fits(max_bytes, marker, [verdict], f"## Blocked: {count}"), complete=False)


def _within(
    max_bytes: int, first: Sequence[str], lists: Sequence[Part], last: Sequence[str]
) -> tuple[str, bool] | None:
    room = max_bytes - sum(map(size, [*first, *last]))
    fitted = fit(lists, room)
    return None if fitted is None else ("".join([*first, *fitted[0], *last]), fitted[1])


def _finished(text: str, marker: Marker, *, whole: bool) -> str:
    """With a marker that says whether something is missing; it is no longer than the one that says that nothing is."""
    whole = whole and CUT not in text
    _, _, rest = text.partition("\n")
    return f"{replace(marker, truncated=not whole)}\n{rest}".replace(CUT, "…")


def _verdict(plan: Plan) -> str:
    counts = summary(plan).removesuffix(".")
    buying = [action for action in plan.actions if action.buys]
    samples = counted(plan.samples, "sample") if buying else ""
    known = plan.cost
    unknown = f"unknown for {sum(action.estimate is None for action in buying):,} of {len(buying):,}"
    money = f"estimated cost {code(f'≈ {dollars(known.usd)}') if known else unknown}" if buying else ""
    return _heading([_blocked(plan), _place(plan), counts, samples, money])


def _heading(said: Sequence[str]) -> str:
    return f"## {' · '.join(filter(None, said))}"


def _blocked(plan: Plan) -> str:
    """What forbids applying it; empty where nothing does."""
    found = errors(plan.diagnostics)
    names = [f"{code(item.limit.name)} ({item.limit.level.value})" for item in _exceeded(plan)]
    why = [*([counted(len(found), "error")] if found else []), *names]
    return f"Blocked: {', '.join(why)}" if why else ""


def _exceeded(plan: Plan) -> list[LimitResult]:
    return [item for item in plan.exceeded if not item.override]


def _place(plan: Plan) -> str:
    return _named(plan.revision.folder, plan.environment)


def _named(folder: str, environment: str) -> str:
    return " ".join(code(name) for name in (folder, environment) if name)


def _notes(heading: Sequence[str]) -> list[str]:
    lines = [f"> {'- ' if len(heading) > 1 else ''}{prose(line)}\n" for line in heading]
    return ["\n> [!NOTE]\n", *lines] if lines else []


def _destructive(plan: Plan, found: Sequence[Action], max_bytes: int) -> str:
    """Every destructive change; no more of them are made than are enough to see that they do not fit."""
    lines, used = [parts.destructive_head(found)], 0
    for action in found:
        lines.append(parts.destructive_row(action, plan.revision.base is not None))
        used += size(lines[-1])
        if used > max_bytes:
            break
    return "".join(lines)


def _how_to_apply(plan: Plan, digest: str) -> str:
    if errors(plan.diagnostics):
        return "It can't be applied while there are errors.\n"
    if plan.mode == "refresh-only":
        return "Nothing is planned here: `reconciler refresh` records what the service says.\n"
    if not plan.has_changes:
        return "Nothing is to be applied.\n"
    exceeded = _exceeded(plan)
    if any(item.limit.level is Level.HARD for item in exceeded):
        return "It can't be applied: a hard limit forbids it. Change what is declared, or the limit, and plan again.\n"
    if not plan.refreshed and not plan.lineage:
        return "Declarations only, for there is no state: plan where the state is, and apply that.\n"
    words = [*_project(plan), "destroy" if plan.mode == "destroy" else "apply", "--expect-digest", digest]
    lines = [f"reconciler {' '.join(words)}"]
    lines += [f'  --override {shlex.quote(item.limit.name)} --reason "…"' for item in exceeded]
    return (
        f"### How to apply\n\n{fenced([f'{line} {chr(92)}' for line in lines[:-1]] + lines[-1:], 'sh')}\n"
        "It plans again, and goes on only if that comes to the same digest.\n"
    )


def _project(plan: Plan) -> list[str]:
    folder = ["-C", shlex.quote(plan.revision.folder)] if plan.revision.folder else []
    return [*folder, *(["--env", shlex.quote(plan.environment)] if plan.environment else [])]


def _provenance(plan: Plan) -> str:
    revision = plan.revision
    commit = f" from commit {_commit(revision)}" if revision.commit else ""
    base = f", compared with {code(revision.base[:_SHOWN_COMMIT])}" if revision.base else ""
    state = f"state {code(plan.lineage)}, serial {plan.serial:,}" if plan.lineage else "no state yet"
    planned = f"Planned at {prose(utc(plan.timestamp))} by reconciler {code(plan.tool_version)}"
    return f"{planned}{commit}{base}; {state}; service {code(plan.base_url)}.\n"


def _commit(revision: Revision) -> str:
    dirty = " **and changes that are not committed**" if revision.dirty else ""
    return f"{code((revision.commit or '')[:_SHOWN_COMMIT])}{dirty}"


def _shortest(plan: Plan, marker: Marker, destructive: Sequence[Action], max_bytes: int) -> str:
    """What is told where a plan does not fit: not enough to review it."""
    counts = ""
    if destructive:
        count = counted(len(destructive), "destructive change")
        counts = f"> [!CAUTION]\n> **{count}, not shown here:** read the whole plan before you approve it.\n"
    verdict = f"{_verdict(plan)}\n"
    plainly = f"## {'Blocked: ' if _blocked(plan) else ''}{summary(plan)}\n"
    totals = parts.totals(plan)
    return _first_that_fits(max_bytes, marker, [verdict, counts, totals], plainly)


def _first_that_fits(max_bytes: int, marker: Marker, wanted: Sequence[str], plainly: str) -> str:
    """``wanted``, or its first texts, or at least one line. The marker too where names of odd length leave room."""
    said = [text for text in wanted if text]
    texts = ["\n".join(said[:count]) for count in range(len(said), 0, -1)]
    for body in (*(f"{marker}\n{text}" for text in (*texts, plainly)), plainly):
        if size(body) <= max_bytes:
            return _finished(body, marker, whole=False) if body.startswith("<!--") else body.replace(CUT, "…")
    return ""
