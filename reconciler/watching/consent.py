"""Whether a plan may be applied now, and why not. Pure: what is known of the moment is given."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.diagnostics import errors
from reconciler.model.money import dollars
from reconciler.model.plan import Plan
from reconciler.watching.status import NOTHING_SPENT, Held, Hold, Mode, Spent, Suspended

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Caps:
    """What may be bought within a sliding window of so many seconds. None: as much as anybody wants."""

    window: float = 86_400.0
    runs: int | None = None
    samples: int | None = None
    cost: float | None = None  # US dollars


@dataclass(frozen=True, slots=True)
class Moment:
    """What counts now. ``spent``: within the window; ``unpriced``: how many of those runs have a cost that nobody
    knows; ``denied``: until when, in words, and why nothing is done at this time; ``approved``: a person approved just
    this plan.
    """

    spent: Spent = NOTHING_SPENT
    unpriced: int = 0
    denied: str = ""
    suspended: Suspended | None = None  # everything is
    approved: bool = False


def consent(plan: Plan, mode: Mode, prune: bool, caps: Caps, moment: Moment) -> Held | None:
    """None: apply it. Nothing consents to more than a person would be asked for: a plan that is held is held whole."""
    if mode is Mode.REPORT:
        return Held(Hold.REPORT, 'the mode is "report", so nothing is applied')
    if moment.suspended is not None:
        return Held(Hold.SUSPENDED, _suspended(moment.suspended))
    if not plan.valid:
        found = errors(plan.diagnostics)
        said = [f"{f'{one.source}: ' if one.source else ''}{one.summary}: {one.detail}" for one in found[:_SHOWN]]
        more = f" … and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        return Held(Hold.ERRORS, f"the plan has errors. {' '.join(said)}{more}")
    if mode is Mode.APPROVE and not moment.approved:
        return Held(Hold.APPROVAL, f"nobody approved it yet: {_approve(plan)}")
    if moment.denied:
        return Held(Hold.WINDOW, moment.denied)
    stopping = [action for action in plan.actions if action.stops and not action.deposed]
    if stopping and not (prune or moment.approved):
        first = f"{stopping[0].kind} {stopping[0].address}{', …' if len(stopping) > 1 else ''}"
        return Held(
            Hold.PRUNE,
            f"it cancels or deletes {len(stopping):,} run{'' if len(stopping) == 1 else 's'} ({first}), which needs a"
            f" person: {_approve(plan)}; or prune = true",
        )
    if plan.forbidding:
        said = [f"{item.limit.name}: {item.found}" for item in plan.forbidding]
        return Held(Hold.LIMIT, f"[limits] forbids it. {'; '.join(said)}")
    if exceeded := _exceeded(plan, caps, moment):
        return Held(Hold.CAP, exceeded)
    return None


def _approve(plan: Plan) -> str:
    """What a person types, in a checkout that has the same state."""
    return f"reconciler {f'--env {plan.environment} ' if plan.environment else ''}approve {plan.digest}"


def _suspended(found: Suspended) -> str:
    until = f" until {found.until}" if found.until else ""
    return f"suspended by {found.by} since {found.since}{until}: {found.reason}. To go on: reconciler resume"


def _exceeded(plan: Plan, caps: Caps, moment: Moment) -> str:
    """Which cap the purchases of a plan would pass, together with what was bought within the window."""
    buying = [action for action in plan.actions if action.buys]
    if not buying:
        return ""
    spent, hours = moment.spent, f"{caps.window / 3600:g} h"
    for most, before, new, noun in (
        (caps.runs, spent.runs, len(buying), "runs"),
        (caps.samples, spent.samples, plan.samples, "samples"),
    ):
        if most is not None and before + new > most:
            alone = "; this plan alone is too large, whenever it comes" if new > most else ""
            return f"{before:,} {noun} were bought in {hours}, {new:,} more are over the cap of {most:,}{alone}"
    if caps.cost is None:
        return ""
    cost = plan.cost
    if cost is None or moment.unpriced:
        what = "what this plan costs" if cost is None else f"what {moment.unpriced:,} runs of the last {hours} cost"
        return f"{what} is not known, and the cap is {dollars(caps.cost)} in {hours}: a person has to apply it"
    if spent.cost + cost.usd > caps.cost:
        alone = "; this plan alone is too dear, whenever it comes" if cost.usd > caps.cost else ""
        return (
            f"{dollars(spent.cost)} were spent in {hours}, ≈ {dollars(cost.usd)} more are over the cap of"
            f" {dollars(caps.cost)}{alone}"
        )
    return ""
