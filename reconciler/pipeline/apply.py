"""From a plan to runs and records: apply, and what has to be known before it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Final

from msgspec import Struct

from reconciler import safekeeping
from reconciler.applying.apply import apply
from reconciler.applying.interruption import Interruption
from reconciler.applying.performed import performed
from reconciler.applying.rescue import Rescued
from reconciler.applying.rows import override_digest
from reconciler.applying.sending import Sender
from reconciler.applying.settle import Settler
from reconciler.applying.submission import Pace
from reconciler.applying.tools import Options, Tools
from reconciler.clock import now
from reconciler.guards import guard_of, note_project, refuse_vanishing_state
from reconciler.model.address import nearest
from reconciler.model.changes import Action
from reconciler.model.errors import LimitExceeded, PlanError, PlanOutdated, UsageError
from reconciler.model.events import Event, Report, Told
from reconciler.model.limits import Override
from reconciler.model.plan import Plan
from reconciler.model.run import is_final
from reconciler.planning.expected import Approval, expected
from reconciler.planning.limits import overridden
from reconciler.project import Project
from reconciler.rescuing import rescue
from reconciler.wiring import Books, books
from state.errors import StateError, StateMissing
from state.records import AttemptRecord
from state.sqlite.backups import Why
from state.store import Store

OVERRIDDEN_BEFORE: Final = "when this plan was begun; the history has the reason"


class ApplyOptions(Struct, frozen=True):
    """How to apply. ``wait_seconds``: None = until every run rests, 0 = do not follow. ``permitted`` is called under
    the lock, before anything is done, and raises what speaks against it.
    """

    parallelism: int | None = None
    wait_seconds: float | None = None
    lock_seconds: float = 0.0
    overrides: tuple[Override, ...] = ()
    reviewed: tuple[Action, ...] = ()  # of the saved plan that was reviewed, where the plan is what is left of it
    permitted: Callable[[], None] = lambda: None


def apply_plan(
    project: Project,
    approved: Plan,
    options: ApplyOptions,
    interruption: Interruption,
    tell: Callable[[Event], None],
) -> Report:
    """Perform a plan. Errors: PlanError, PlanOutdated, StateError, ServiceError, SecretError, UsageError."""
    refuse_environment(project, approved)
    refuse_errors(approved)
    approved = with_overrides(project, approved, options.overrides)
    refuse_limits(project, approved)
    settings = project.settings
    refuse_vanishing_state(project)

    def told(text: str) -> None:
        tell(Told(text))

    with books(project, "apply", told, create=True) as opened:
        store, recorder, meta = opened.store, opened.recorder, opened.store.meta()
        if approved.lineage and approved.lineage != meta.lineage:
            raise PlanOutdated("The plan was made from another state (its lineage differs). Plan again.")
        if approved.base_url != settings.base_url:
            raise PlanOutdated(f"The plan was made for {approved.base_url}, the project names {settings.base_url}.")
        sender = Sender(opened.client, recorder, settings.timeout, project.secret, tell, _saving(opened, meta.lineage))
        sender.check_secrets(ref for action in approved.actions for _, ref in action.secrets)
        if approved.has_changes:
            _back_up(project, store, told)
        recorder.specs(approved.specs)
        settler = Settler(opened.examiner, recorder, settings.resubmit_absent_after)
        tools = Tools(
            store, opened.client, recorder, sender, settler, interruption, tell, now,
            guard=partial(guard_of, store, opened.client), take_in=opened.take_in,
        )  # fmt: skip
        pace = Pace(options.parallelism or settings.parallelism, settings.submit_rate)
        # Not what the plan says of it: the plan may foresee an adoption that nobody has recorded yet.
        snapshot = store.snapshot()
        note_project(project, snapshot, recorder)
        unknown = bool(snapshot.open or opened.rescue.waiting(meta.lineage))
        wait, lock = options.wait_seconds, options.lock_seconds
        exceeded = {item.limit.name for item in approved.exceeded}
        overrides = tuple(override for override in options.overrides if override.name in exceeded)
        how = Options(
            pace, settings.max_active, wait, lock, unknown=unknown, overrides=overrides, reviewed=options.reviewed,
            permitted=options.permitted,
        )  # fmt: skip
        return apply(approved, tools, how)


def _saving(opened: Books, lineage: str) -> Callable[[AttemptRecord, str], str]:
    """What becomes of a run id that the state can't take."""

    def save(attempt: AttemptRecord, run_id: str) -> str:
        return opened.rescue.save(Rescued(lineage, attempt.attempt_id, attempt.address, run_id, now()))

    return save


def _back_up(project: Project, store: Store, tell: Callable[[str], None]) -> None:
    """A state that can't be backed up is no reason not to work with it; people are told."""
    try:
        safekeeping.back_up(project, store, Why.BEFORE_APPLY)
    except StateError as problem:
        tell(f"The state could not be backed up: {problem}")


def await_lock(project: Project, seconds: float) -> None:
    """Wait until nobody else submits, so that what is planned next is not about to change. Raises StateLocked."""
    try:
        store = project.open_state()
    except StateMissing:
        return
    try:
        if store.holder() is not None:
            with store.lock("apply", seconds):
                pass
    finally:
        store.close()


def refuse_environment(project: Project, made: Plan) -> None:
    """A saved plan is for the state of one environment, also before that exists. Raises PlanOutdated for another."""
    here = project.settings.environment or ""
    if made.environment != here:
        planned, now_ = (f"--env {name}" if name else "no environment" for name in (made.environment, here))
        raise PlanOutdated(f"The plan was made for {planned}, and this is for {now_}, which has another state.")


def refuse_errors(made: Plan) -> None:
    """A plan with errors can't be applied. Raises PlanError."""
    if not made.valid:
        raise PlanError(made.diagnostics)


def with_overrides(project: Project, made: Plan, overrides: Collection[Override]) -> Plan:
    """The plan with the soft limits that it may pass all the same: overridden now, or when the saved or reviewed plan
    was begun. Raises UsageError for an override of what is no limit.
    """
    declared = {limit.name for limit in project.settings.limits}
    for override in overrides:
        if override.name not in declared:
            raise UsageError(
                f"--override {override.name}: [limits] has no such limit.{nearest(override.name, declared)}"
            )
    if not made.exceeded:
        return made
    reasons = {override.name: override.reason for override in overrides}
    store = project.open_state_if_any()
    if store is not None:
        begun = {record.action_digest for record in store.plan_actions(made.key)}
        store.close()
        for item in made.exceeded:
            if override_digest(item.limit.name) in begun:
                reasons.setdefault(item.limit.name, OVERRIDDEN_BEFORE)
    return overridden(made, reasons)


def refuse_limits(project: Project, made: Plan) -> None:
    """A plan over a limit can't be applied, unless each such limit is soft and overridden. Raises LimitExceeded;
    PlanOutdated where the limits are not those that the plan was made under.
    """
    declared = {limit.name: (limit.value, limit.level) for limit in project.settings.limits}
    held = {item.limit.name: (item.limit.value, item.limit.level) for item in made.limits}
    if declared != held:
        raise PlanOutdated("The project's [limits] are not those that the plan was made under. Plan again.")
    if made.forbidding:
        raise LimitExceeded(made.forbidding)


def expect(project: Project, fresh: Plan, digest: str, reviewed: Plan | None) -> Plan:
    """The fresh plan as what people reviewed: the plan with this digest, or what is left of it. ``reviewed``: that plan
    as it was saved. Raises PlanOutdated, with the difference, where it is neither.
    """
    if reviewed is not None:
        refuse_environment(project, reviewed)
    store = project.open_state_if_any()
    if store is None:
        return expected(fresh, Approval(digest, reviewed))
    try:
        before = performed(store, digest)
    finally:
        store.close()
    if reviewed is not None and before.spent and not any(not action.deposed for action in fresh.actions):
        raise PlanOutdated("The reviewed plan is spent: all of it is done. Plan again.")
    begun = before.known if before.limits else None
    return expected(fresh, Approval(digest, reviewed, begun, before.limits, before.done))


def is_overtaken(project: Project, made: Plan) -> bool:
    """Whether the state has moved on since the plan was made: another apply may have done what it foresees."""
    store = project.open_state_if_any()
    if store is None:
        return False
    try:
        meta = store.meta()
    finally:
        store.close()
    return (meta.lineage, meta.serial) != (made.lineage, made.serial)


def has_unsettled(project: Project) -> bool:
    """Whether submissions have to be settled, or runs to be recorded that were rescued, or that came to rest while
    nobody looked, whatever the plan says.
    """
    store = project.open_state_if_any()
    if store is None:
        return False
    try:
        snapshot = store.snapshot()
    finally:
        store.close()
    unfinished = any(a.run_id and not is_final(a.status) and not a.gone_at for a in snapshot.current.values())
    return bool(unfinished or snapshot.open or rescue(project, snapshot.meta.lineage).waiting(snapshot.meta.lineage))
