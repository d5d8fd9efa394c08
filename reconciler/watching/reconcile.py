"""One look at a project: plan it, and apply the plan if it may be. The controller's loop says when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from reconciler.applying.interruption import Interruption
from reconciler.bookkeeping import refresh_state
from reconciler.clock import now
from reconciler.consenting import approved, suspended
from reconciler.model.address import matching
from reconciler.model.changes import Action, Kind
from reconciler.model.errors import LimitExceeded, PlanError, PlanOutdated
from reconciler.model.events import Event, Report, Told
from reconciler.model.plan import Plan, Revision
from reconciler.model.run import is_final
from reconciler.pipeline.apply import ApplyOptions, apply_plan, expect, has_unsettled
from reconciler.pipeline.plan import PlanOptions, make_plan
from reconciler.planning.estimate import CONSIDERED, estimator
from reconciler.project import Project
from reconciler.watching.consent import Caps, Moment, consent
from reconciler.watching.happenings import Applied, Ending, Observer, Rested, Waits, Worked
from reconciler.watching.spending import spending
from reconciler.watching.status import NOTHING_SPENT, Held, Hold, Mode, Planned, Spent, Suspended
from reconciler.watching.words import SHOWN
from state.errors import StateLocked
from state.records import ApprovalRecord, AttemptRecord, SuspensionRecord

_APPROVALS = 50  # each is compared with a plan that it is not
_LOCK_SECONDS = 5.0  # somebody else's apply may take hours: the next pass asks again


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator lets the controller do. ``denied``: why nothing is done at a moment; empty where it may be."""

    mode: Mode
    prune: bool = False
    caps: Caps = field(default_factory=Caps)
    denied: Callable[[datetime], str] = lambda at: ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a look at a project ended. ``kind``: "unchanged" | "held" | "applied"; ``rejected``: what the service, or
    the state, would not take, a line each.
    """

    kind: str
    planned: Planned
    held: Held | None = None
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What the state says before anything is planned."""

    runs: Mapping[str, int]
    spent: Spent
    unpriced: int
    suspended: tuple[Suspended, ...]
    approvals: tuple[ApprovalRecord, ...]  # that count now, newest first
    addresses: frozenset[str]
    current: Mapping[str, AttemptRecord] = field(default_factory=dict)  # by address

    @property
    def everything(self) -> Suspended | None:
        """That everything is suspended."""
        return next((item for item in self.suspended if not item.scope), None)


def known_of(project: Project, caps: Caps) -> Known:
    """Read it. Raises StateError."""
    store = project.open_state_if_any()
    if store is None:
        return Known({}, NOTHING_SPENT, 0, (), (), frozenset())
    with closing(store):
        at = now()
        snapshot = store.snapshot()
        spent, unpriced = spending(store.bought_since(_before(caps.window)), estimator(store.newest_runs(CONSIDERED)))
        return Known(
            dict(Counter(map(_standing, snapshot.current.values()))),
            spent,
            unpriced,
            tuple(map(_suspended, suspended(store.suspensions(), at))),
            tuple(approved(store, at)[:_APPROVALS]),
            frozenset(snapshot.instances),
            snapshot.current,
        )


def settle(project: Project, tell: Observer) -> None:
    """Record how runs stand, and what became of submissions that are not certain, where there are such. Errors:
    AccountMismatch, StateError, ServiceError, SecretError.
    """

    def told(text: str) -> None:
        tell(Worked(Told(text)))

    if has_unsettled(project):
        for line in refresh_state(project, told).told:
            told(line)


def rested(before: Known, after: Known) -> Rested | None:
    """Which current runs came to rest between two looks; None: none did."""
    endings = []
    for address, was in before.current.items():
        now_is = after.current.get(address)
        if now_is is None or now_is.run_id != was.run_id or was.run_id is None or _rests(was) or not _rests(now_is):
            continue
        endings.append(Ending(address, was.run_id, _standing(now_is), now_is.samples_completed, now_is.total_cost))
    return Rested(tuple(endings)) if endings else None


def _rests(attempt: AttemptRecord) -> bool:
    return bool(attempt.gone_at) or is_final(attempt.status)


def reconcile(
    project: Project,
    revision: Revision,
    rules: Rules,
    known: Known,
    interruption: Interruption,
    tell: Observer,
) -> Outcome:
    """Errors: StateError, ServiceError, SecretError, UsageError."""

    def event(happened: Event) -> None:
        tell(Worked(happened))

    declared = [instance.address for instance in project.desired.instances]
    scopes = [item.scope for item in known.suspended if item.scope]
    exclude = tuple(scope for scope in scopes if matching(scope, {*known.addresses, *declared}))
    made = make_plan(project, PlanOptions(exclude=exclude, revision=revision))
    planned = _planned(made)
    if not made.has_changes and made.valid:
        return Outcome("unchanged", planned)
    plan, approval = _approved(project, made, known.approvals)
    moment = Moment(
        spent=known.spent,
        unpriced=known.unpriced,
        denied=rules.denied(datetime.now(UTC)),
        suspended=known.everything,
        approved=approval is not None,
    )
    held = consent(plan, rules.mode, rules.prune, rules.caps, moment)
    if held is not None:
        tell(Waits(planned, held))
        return Outcome("held", planned, held)
    try:
        report = apply_plan(
            project, plan, ApplyOptions(wait_seconds=0, lock_seconds=_LOCK_SECONDS), interruption, event
        )
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
    return Outcome("applied", left, None, (*rejected, *([report.stopped] if report.stopped else ())))


def _approved(project: Project, made: Plan, approvals: Sequence[ApprovalRecord]) -> tuple[Plan, ApprovalRecord | None]:
    """The plan as one that a person approved: exactly that one, or what is left of it."""
    if not made.valid:
        return made, None
    for approval in sorted(approvals, key=lambda item: item.digest != made.digest):
        try:
            return expect(project, made, approval.digest, None), approval
        except PlanOutdated:
            continue
    return made, None


def _suspended(record: SuspensionRecord) -> Suspended:
    return Suspended(record.scope, record.reason, f"{record.user}@{record.host}", record.at, record.until)


def _standing(attempt: AttemptRecord) -> str:
    return "GONE" if attempt.gone_at else attempt.status or "UNKNOWN"


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


def _before(seconds: float) -> str:
    at = datetime.now(UTC) - timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
