"""What happens in a controller, in words: a line for its log and for chats, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from reconciler.model.changes import Kind
from reconciler.model.money import dollars
from reconciler.views.apply_text import PlainLines
from reconciler.views.events_json import event_json
from reconciler.views.paint import one_line
from reconciler.watching.happenings import (
    Applied,
    Followed,
    Happening,
    Led,
    Listening,
    Passed,
    Recovered,
    Refused,
    Stumbled,
    Waits,
    Worked,
)
from reconciler.watching.status import Part, Planned

_COMMIT = 12  # characters that tell one from another
_SHOWN = 10
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
            more = len(happened.problems) - _SHOWN
            shown = [f"  {one}" for one in happened.problems[:_SHOWN]]
            return [
                f"Revision {happened.commit[:_COMMIT]} is not taken; {stays}:",
                *shown,
                *([f"  … and {more:,} more"] if more > 0 else []),
            ]
        case Stumbled():
            times = "" if happened.failures == 1 else f" ({happened.failures:,} times in a row)"
            again = f"Again in {happened.again:,.0f} s."
            return [f"{_PARTS[happened.part].capitalize()} fails{times}: {happened.message.rstrip('.')}. {again}"]
        case Recovered():
            return [f"{_PARTS[happened.part].capitalize()} works again."]
        case Waits():
            return [f"{planned_words(happened.planned)}. It waits: {happened.held.message}"]
        case Applied():
            return list(_applied(happened))
        case Worked():
            line = plain.line(happened.event) if plain else None
            return [] if line is None else [line]
        case Passed():
            return []


def planned_words(planned: Planned) -> str:
    """``Plan sha256:…: 3 create, 1 cancel; 300 samples, ≈ $12.00``."""
    counts = [f"{count:,} {kind}" for kind, count in planned.actions.items() if count]
    cost = f", ≈ {dollars(planned.cost)}" if planned.cost else "" if planned.cost == 0 else ", cost unknown"
    bought = f"; {planned.samples:,} samples{cost}" if planned.samples else ""
    return f"Plan {planned.digest}: {', '.join(counts) or 'no changes'}{bought}"


def _applied(happened: Applied) -> list[str]:
    done = [f"{count:,} {kind}" for kind, count in happened.done.items() if count]
    by = f", approved by {happened.approved_by}" if happened.approved_by else ""
    where = happened.commit[:_COMMIT]
    return [
        f"Applied {happened.digest} of {where}{by}: {', '.join(done) or 'nothing was done'}.",
        *(f"  {line}" for line in happened.failures[:_SHOWN]),
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
