"""``--expect-digest``: whether a fresh plan is the one that people reviewed, or what is left of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import asdict, replace

from reconciler.model.changes import Action, Kind, Precondition, Progress, StatusClass
from reconciler.model.errors import PlanOutdated
from reconciler.model.plan import Plan

_SHOWN = 20  # lines of a difference
_EXACTLY = "Give the reviewed plan as well (apply PLANFILE --expect-digest …), and the difference is told exactly."


class Approval(Struct, frozen=True):
    """What is known of the plan with this digest. ``reviewed``: the saved plan, if it was given; ``begun``: the
    addresses of its actions by their digests, and ``limits``, as an earlier apply of it recorded them; ``done``: the
    digests of those that are done.
    """

    digest: str
    reviewed: Plan | None = None
    begun: Mapping[str, str] | None = None
    limits: str = ""
    done: AbstractSet[str] = frozenset()


def expected(fresh: Plan, approval: Approval) -> Plan:
    """The fresh plan, known by the digest that was reviewed. Raises PlanOutdated where it does more or other than that
    plan, or where that plan was done already.
    """
    if (reviewed := approval.reviewed) is not None:
        if reviewed.digest != approval.digest:
            raise PlanOutdated(
                "The saved plan is not the one that was reviewed. Nothing was done. Give the file or the digest that "
                "belongs to the other, or the digest alone.",
                (f"reviewed:       {approval.digest}", f"the saved plan: {reviewed.digest}"),
            )
        if reviewed.lineage not in ("", fresh.lineage):
            raise PlanOutdated("The saved plan was made from another state (its lineage differs). Plan again.")
        known = {action.digest for action in reviewed.actions if not action.deposed}  # the digest covers no other
        limits = reviewed.limits_digest
    elif fresh.digest == approval.digest:
        known, limits = {action.digest for action in fresh.actions if not action.deposed}, fresh.limits_digest
    elif approval.begun is not None:
        known, limits = set(approval.begun), approval.limits
    else:
        raise _refused(approval, fresh, "The plan is not the one that was reviewed.", _planned(fresh), _EXACTLY)
    fresh = replace(fresh, actions=tuple(_as_it_was(action, known) for action in fresh.actions))
    wanted = [action for action in fresh.actions if not action.deposed]  # owed cancels were decided before
    again = [action for action in wanted if any(digest in approval.done for digest in _digests(action))]
    more = [action for action in wanted if action.digest not in known]
    if again:
        raise _refused(approval, fresh, "The reviewed plan is spent: this was done by it before.", map(_line, again))
    if more or fresh.limits_digest != limits:
        difference = [line for action in more for line in _difference(action, approval)]
        if fresh.limits_digest != limits:
            difference += _limits(fresh, reviewed)
        if reviewed is not None:
            difference += _not_any_more(fresh, reviewed, approval.done)
        if len(more) < len(wanted) and fresh.limits_digest == limits:
            difference.append("To do the rest, which was reviewed, leave these out: --exclude ADDRESS.")
        raise _refused(approval, fresh, "The plan is not the one that was reviewed.", difference)
    return replace(fresh, reviewed=approval.digest)


def _digests(action: Action) -> Iterator[str]:
    """Its digest, and those that it had before it was done."""
    return (replace(action, repeats=times).digest for times in range(action.repeats + 1))


def _as_it_was(action: Action, known: AbstractSet[str]) -> Action:
    """What is left of ending a run that worked when that was reviewed, and rests by now, as it was reviewed: the run
    may have been asked to stop by an earlier apply. One that SUCCEEDED meanwhile is not deleted.
    """
    run_id, status = action.precondition.run_id, action.precondition.status
    if action.deposed or run_id is None or action.digest in known:
        return action
    ends: list[Kind] = []
    if action.kind is Kind.FORGET:
        ends = [Kind.CANCEL, Kind.DELETE] if status is StatusClass.GONE else [Kind.CANCEL]
    elif action.kind is Kind.DELETE and status is StatusClass.CANCELED:
        ends = [Kind.DELETE]
    working = Precondition(run_id, StatusClass.WORKING)
    subject = action.subject or Progress(run_id, status.value.upper())
    before = (replace(action, kind=kind, precondition=working, subject=subject) for kind in ends)
    return next((item for item in before if item.digest in known), action)


def _refused(approval: Approval, planned: Plan, why: str, difference: Iterable[str], *hint: str) -> PlanOutdated:
    lines = list(difference)
    more = len(lines) - _SHOWN
    shown = [*lines[:_SHOWN], *([f"… and {more:,} lines more"] if more > 0 else [])]
    digests = (f"reviewed:    {approval.digest}", f"planned now: {planned.digest}")
    return PlanOutdated(f"{why} Nothing was done. Review the plan as it is now.", (*digests, *shown, *hint))


def _planned(fresh: Plan) -> Iterator[str]:
    """Of a digest alone nothing can be told but what there is instead."""
    if not fresh.actions:
        yield "There is nothing to do: it was done otherwise, or this is not the state that it was planned for."
    yield from map(_line, fresh.actions)


def _line(action: Action) -> str:
    return f"{action.kind} {action.address}: {action.reason}"


def _difference(action: Action, approval: Approval) -> Iterator[str]:
    """How an action differs from what was reviewed for its address."""
    yield f"not reviewed: {_line(action)}"
    actions = approval.reviewed.actions if approval.reviewed else ()
    before = [item for item in actions if item.address == action.address and not item.deposed]
    if approval.reviewed is not None and not before:
        yield f"    nothing was reviewed for {action.address}"
    for old in before:
        was, now = _facts(old), _facts(action)
        for name in dict.fromkeys([*was, *now]):
            if was.get(name) != now.get(name):
                yield f"    {name}: {_shown(was.get(name))} when it was reviewed, {_shown(now.get(name))} now"


def _facts(action: Action) -> dict[str, object]:
    """Everything that an action's digest is made of, by what people call it."""
    facts: dict[str, object] = {"action": action.kind.value}
    if action.after is not None:
        facts |= action.after.body()
        facts["rerun"] = action.after.rerun
    if action.lifecycle is not None:
        facts |= {f"lifecycle.{name}": value for name, value in asdict(action.lifecycle).items()}
    facts |= {name: f"(secret, from {ref})" for name, ref in action.secrets}
    facts["the spec's content"] = action.spec_content or None
    facts["the current run"] = _standing(action.precondition)
    facts["the run that it concerns"] = action.subject.run_id if action.subject else None
    facts["the run to take"] = action.reused_run
    facts["done before"] = f"{action.repeats} times" if action.repeats else None
    facts["moved from"] = action.moved_from
    return facts


def _standing(precondition: Precondition) -> str | None:
    if precondition.run_id is None:
        return None
    working = precondition.status is StatusClass.WORKING
    return f"{precondition.run_id} ({'at work' if working else precondition.status.value.upper()})"


def _shown(value: object) -> str:
    return "none" if value is None else ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _limits(fresh: Plan, reviewed: Plan | None) -> Iterator[str]:
    if reviewed is None:
        yield "the limits in [limits] are others than when it was begun"
        return
    was = {item.limit.name: f"{_shown(item.limit.value)} ({item.limit.level})" for item in reviewed.limits}
    now = {item.limit.name: f"{_shown(item.limit.value)} ({item.limit.level})" for item in fresh.limits}
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            yield f"limit {name}: {was.get(name, 'none')} when it was reviewed, {now.get(name, 'none')} now"


def _not_any_more(fresh: Plan, reviewed: Plan, done: AbstractSet[str]) -> Iterator[str]:
    """What needs not be done any more; no reason to refuse, but it may explain the rest."""
    left = {action.digest for action in fresh.actions} | done
    addresses = {action.address for action in fresh.actions}
    for action in reviewed.actions:
        if action.digest not in left and action.address not in addresses and not action.deposed:
            yield f"reviewed, and not planned any more: {action.kind} {action.address}"
