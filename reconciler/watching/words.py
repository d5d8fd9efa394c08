"""What happens in a controller, in words: a line for its log and for chats, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from reconciler.model.changes import Kind
from reconciler.model.money import dollars
from reconciler.model.run import RunStatus
from reconciler.views.apply_text import PlainLines
from reconciler.views.events_json import event_json
from reconciler.views.paint import one_line
from reconciler.watching.happenings import (
    Applied,
    Ending,
    Followed,
    Happening,
    Led,
    Listening,
    Passed,
    Recovered,
    Refused,
    Rested,
    Stumbled,
    Waits,
    Worked,
)
from reconciler.watching.status import Part, Planned

_COMMIT = 12  # characters that tell one from another
SHOWN: Final = 10  # lines of a list
_PARTS: Mapping[Part, str] = {
    Part.GIT: "the remote",
    Part.SOURCE: "the project",
    Part.STATE: "the state",
    Part.SERVICE: "the service",
}


def lines_of(happened: Happening, plain: PlainLines | None = None) -> list[str]:
    """The lines that a log gets; none for what says nothing new. ``plain``: what an apply has told so far."""
    match happened:
        case Listening():
            return [f"Listening on {happened.url}."]
        case Led(leader=True):
            return ["This replica leads."]
        case Led():
            return ["This replica leads no more."]
        case Followed(before=None):
            return [f"The branch is at {happened.commit[:_COMMIT]}."]
        case Followed():
            return [f"The branch went from {(happened.before or '')[:_COMMIT]} to {happened.commit[:_COMMIT]}."]
        case Refused():
            stays = f"{happened.stays[:_COMMIT]} stays" if happened.stays else "there is no earlier one that could stay"
            refused = f"Revision {happened.commit[:_COMMIT]} is not taken; {stays}:"
            return [refused, *_listed(happened.problems, len(happened.problems))]
        case Stumbled():
            times = "" if happened.failures == 1 else f" ({happened.failures:,} times in a row)"
            again = f"Again in {happened.again:,.0f} s."
            return [f"{_PARTS[happened.part].capitalize()} fails{times}: {happened.message.rstrip('.')}. {again}"]
        case Recovered():
            return [f"{_PARTS[happened.part].capitalize()} works again."]
        case Waits():
            waits = f"{planned_words(happened.planned)}. It waits: {happened.held.message}"
            return [waits, *_listed(happened.planned.lines, sum(happened.planned.actions.values()))]
        case Rested():
            return list(_rested(happened))
        case Applied():
            return list(_applied(happened))
        case Worked():
            line = plain.line(happened.event) if plain else None
            return [] if line is None else [line]
        case Passed():
            return []


def planned_words(planned: Planned) -> str:
    """``Plan 067c62014fcf: 3 create, 1 cancel; 300 samples, ≈ $12.00``."""
    counts = [f"{count:,} {kind}" for kind, count in planned.actions.items() if count]
    cost = f", ≈ {dollars(planned.cost)}" if planned.cost else "" if planned.cost == 0 else ", cost unknown"
    bought = f"; {planned.samples:,} samples{cost}" if planned.samples else ""
    return f"Plan {_short(planned.digest)}: {', '.join(counts) or 'no changes'}{bought}"


def _short(digest: str) -> str:
    """Enough to tell one from another; whoever has to type it is told the whole of it."""
    return digest.removeprefix("sha256:")[:_COMMIT]


def _listed(lines: Sequence[str], count: int) -> Iterator[str]:
    """The first of ``count`` lines, indented, and how many more there are."""
    shown = lines[:SHOWN]
    yield from (f"  {line}" for line in shown)
    if count > len(shown):
        yield f"  … and {count - len(shown):,} more"


def _rested(happened: Rested) -> Iterator[str]:
    endings = sorted(happened.endings, key=lambda ending: ending.status == RunStatus.SUCCEEDED)  # bad news first
    counts = Counter(ending.status for ending in endings)
    told = ", ".join(f"{count:,} {status}" for status, count in counts.items())
    yield f"{len(endings):,} run{' rests' if len(endings) == 1 else 's rest'}: {told}."
    yield from _listed([_ending(ending) for ending in endings], len(endings))


def _ending(ending: Ending) -> str:
    samples = "" if ending.samples_completed is None else f", {ending.samples_completed:,} samples"
    cost = "" if ending.total_cost is None else f", {dollars(ending.total_cost)}"
    return f"{ending.address}: {ending.status}{samples}{cost}, run {ending.run_id}"


def _applied(happened: Applied) -> list[str]:
    done = [f"{count:,} {kind}" for kind, count in happened.done.items() if count]
    by = f", approved by {happened.approved_by}" if happened.approved_by else ""
    where = happened.commit[:_COMMIT]
    return [
        f"Applied plan {_short(happened.digest)} of {where}{by}: {', '.join(done) or 'nothing was done'}.",
        *_listed(happened.failures, len(happened.failures)),
    ]


def json_of(happened: Happening, at: str) -> dict[str, Any]:
    """One object of the stream of ``--json``, which ``docs/schemas/watch.schema.json`` describes."""
    if isinstance(happened, Worked):
        return event_json(happened.event, at)
    level = "error" if isinstance(happened, (Stumbled, Refused)) else "info"
    message = next(iter(lines_of(happened)), "") or f"A pass ended: {getattr(happened, 'outcome', '')}"
    return {
        "@level": level,
        "@message": one_line(message),
        "@timestamp": at,
        "type": f"watch_{type(happened).__name__.lower()}",
        **asdict(happened),
    }


def bought(happened: Applied) -> int:
    """How many runs an apply bought."""
    return sum(happened.done.get(kind.value, 0) for kind in (Kind.CREATE, Kind.REPLACE, Kind.RETRY))
