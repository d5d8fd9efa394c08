"""One look at a project: plan it, and apply the plan if it may be. The controller's loop says when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from reconciler.applying.interruption import Interruption
from reconciler.bookkeeping import refresh_state
from reconciler.model.address import matching
from reconciler.model.changes import Action, Kind
from reconciler.model.errors import LimitExceeded, PlanError, PlanOutdated
from reconciler.model.events import Event, Report, Told
from reconciler.model.plan import Plan, Revision
from reconciler.pipeline.apply import ApplyOptions, apply_plan, expect, has_unsettled
from reconciler.pipeline.plan import PlanOptions, make_plan
from reconciler.planning.moves import renamed
from reconciler.project import Project
from reconciler.watching.consent import consent
from reconciler.watching.happenings import Applied, Observer, Waits, Worked
from reconciler.watching.known import Known, Rules, moment_of
from reconciler.watching.status import Held, Hold, Planned
from reconciler.watching.withdrawing import Consents, Withdrawn, stopped_by
from reconciler.watching.words import SHOWN
from state.errors import StateLocked
from state.records import ApprovalRecord

_APPROVALS = 50  # the newest ones: of each a plan may be what is left
_LOCK_SECONDS = 5.0  # somebody else's apply may take hours: the next pass asks again


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a look at a project ended. ``kind``: "unchanged" | "held" | "applied"; ``rejected``: what the service, or
    the state, would not take, a line each.
    """

    kind: str
    planned: Planned
    held: Held | None = None
    rejected: tuple[str, ...] = ()


def settle(project: Project, tell: Observer) -> None:
    """Record how runs stand, and what became of submissions that are not certain, where there are such. Errors:
    AccountMismatch, StateError, ServiceError, SecretError.
    """

    def told(text: str) -> None:
        tell(Worked(Told(text)))

    if has_unsettled(project):
        for line in refresh_state(project, told).told:
            told(line)


def reconcile(
    project: Project,
    revision: Revision,
    rules: Rules,
    known: Known,
    interruption: Interruption,
    tell: Observer,
    leads: Callable[[], bool] = lambda: True,
) -> Outcome:
    """Errors: StateError, ServiceError, SecretError, UsageError."""

    def event(happened: Event) -> None:
        tell(Worked(happened))

    made = make_plan(project, PlanOptions(exclude=_left_alone(project, known), revision=revision))
    planned = _planned(made)
    if not made.has_changes and made.valid:
        return Outcome("unchanged", planned)
    plan, approval = _approved(project, made, known.approvals)
    held = consent(plan, rules.mode, rules.prune, rules.caps, moment_of(known, rules, approval))
    if held is not None:
        tell(Waits(planned, held))
        return Outcome("held", planned, held)
    consents = Consents(project, plan, rules, known, approval, leads)
    options = ApplyOptions(wait_seconds=0, lock_seconds=_LOCK_SECONDS, permitted=consents.check)
    try:
        with stopped_by(interruption, consents.withdrawn) as stop:
            report = apply_plan(project, plan, options, stop, event)
    except Withdrawn as problem:
        tell(Waits(planned, problem.held))
        return Outcome("held", planned, problem.held)
    except StateLocked as problem:
        return Outcome("held", planned, Held(Hold.LOCKED, str(problem)))
    except (PlanError, LimitExceeded) as problem:  # what only comes out under the lock
        held = Held(Hold.ERRORS if isinstance(problem, PlanError) else Hold.LIMIT, str(problem))
        tell(Waits(planned, held))
        return Outcome("held", planned, held)
    except PlanOutdated as problem:  # the next pass plans afresh
        event(Told(str(problem)))
        return Outcome("held", planned, Held(Hold.LOCKED, str(problem)))
    tell(_applied(plan, report, revision, approval))
    rejected = tuple(f"{one.address}: {one.message}" for one in report.troubles("rejected", "error"))
    left = planned if report.failures or report.stopped else _nothing_left(planned)
    stopped = [report.stopped] if report.stopped and not report.interrupted else []
    return Outcome("applied", left, None, (*rejected, *stopped))


def _left_alone(project: Project, known: Known) -> tuple[str, ...]:
    """The addresses that are suspended, as they are called from now on: a rename ends no suspension."""
    desired = project.desired
    now_called = renamed(known.addresses, desired.moved)
    everything = {*known.addresses, *(instance.address for instance in desired.instances)}
    return tuple(sorted({now_called.get(one, one) for scope in known.scopes for one in matching(scope, everything)}))


def _approved(project: Project, made: Plan, approvals: Sequence[ApprovalRecord]) -> tuple[Plan, ApprovalRecord | None]:
    """The plan as one that a person approved: exactly that one, or what is left of it."""
    if not made.valid:
        return made, None
    exactly = [one for one in approvals if one.digest == made.digest]
    for approval in (*exactly, *approvals[:_APPROVALS]):
        try:
            return expect(project, made, approval.digest, None), approval
        except PlanOutdated:
            continue
    return made, None


def _nothing_left(planned: Planned) -> Planned:
    return replace(planned, actions=dict.fromkeys(planned.actions, 0), lines=(), samples=0, cost=0.0)


def _line(action: Action) -> str:
    bought = f": {action.after.samples:,} samples" if action.buys and action.after else ""
    return f"{action.kind} {action.address}{bought}"


def _planned(plan: Plan) -> Planned:
    counts = {kind.value: count for kind, count in plan.counts().items()}
    lines = tuple(map(_line, plan.actions[:SHOWN]))
    cost = plan.cost.usd if plan.cost else None if any(action.buys for action in plan.actions) else 0.0
    return Planned(
        plan.digest, counts, lines, plan.samples, cost, len(plan.unmet), len(plan.drift), len(plan.unchanged)
    )


def _applied(plan: Plan, report: Report, revision: Revision, approval: ApprovalRecord | None) -> Applied:
    return Applied(
        revision.commit or "",
        plan.known_as,
        {kind.value: report.done.get(kind, 0) for kind in Kind},
        plan.cost.usd if plan.cost else None,
        f"{approval.user}@{approval.host}" if approval else None,
        tuple(_lines(report)),
    )


def _lines(report: Report) -> Iterable[str]:
    for failure in report.failures:
        yield f"{failure.address}: {failure.message}"
    if report.stopped:
        yield report.stopped
    for item in report.unsettled:
        yield f"{item.address}: its submission is unknown: {item.outlook.why}"
