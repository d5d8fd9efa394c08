"""Load, expand, validate, refresh, diff, plan: from a project to its plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from reconciler.clock import now
from reconciler.config.settings import Settings
from reconciler.guards import refuse_others_workspace, refuse_vanishing_state
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.plan import NO_CHECKOUT, Plan, Revision
from reconciler.model.request import Instance, by_address
from reconciler.planning.decide import Wishes, decide
from reconciler.planning.declared import (
    Declarations,
    as_declared,
    as_if_bought,
    mark_foreign,
    without_runs,
)
from reconciler.planning.diff import NOT_DECLARED, Decisions, Recorded, needs_history
from reconciler.planning.drift import drifted
from reconciler.planning.estimate import CONSIDERED, estimator
from reconciler.planning.imports import Adoptions, due
from reconciler.planning.moves import Moves, move
from reconciler.planning.plan import Circumstances, plan
from reconciler.planning.refresh import Observed, lay_over
from reconciler.planning.renames import mention_forgotten
from reconciler.planning.repeats import numbered
from reconciler.planning.selection import chosen, select
from reconciler.planning.specs import fetch_specs, remembered, resolved
from reconciler.project import Project
from reconciler.rescuing import rescue
from reconciler.views.times import local
from state.errors import StateMissing, StateUnreachable
from state.records import AttemptRecord, Snapshot
from state.store import Store

if TYPE_CHECKING:
    from reconciler.dataframer.client import Client
    from reconciler.pipeline.asking import Asking
    from reconciler.revisions import Base


class Mode(StrEnum):
    """What a plan is for."""

    NORMAL = "normal"
    DESTROY = "destroy"  # as if every declaration were gone
    REFRESH_ONLY = "refresh-only"  # what the service says otherwise than the state; no action


class PlanOptions(Struct, frozen=True):
    """What a plan may ask. ``ask_service``: list runs and specs; ``offline``: say so, and use no key. ``replace``,
    ``target`` and ``exclude`` hold patterns of addresses. Without a service and a state, ``base`` is what is there.
    """

    mode: Mode = Mode.NORMAL
    replace: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    allow_duplicates: bool = False
    ask_service: bool = True
    offline: bool = False
    revision: Revision = NO_CHECKOUT
    base: Base | None = None  # what the branch is compared with


def make_plan(project: Project, options: PlanOptions) -> Plan:
    """Plan: takes no lock, writes nothing. Errors: StateError, ServiceError, SecretError, UsageError."""
    declared = [instance.address for instance in project.desired.instances]
    replaced = frozenset(chosen("--replace", options.replace, dict.fromkeys(declared)))
    store: Store | None = None
    why = ""
    try:
        store = project.open_state(read_only=True)
    except StateMissing as missing:
        why = project.unset or _other_workspaces(missing)
        if not options.offline:
            refuse_vanishing_state(project)
    except StateUnreachable as problem:
        if not (options.offline and options.base):
            raise
        why = str(problem)
    client = None if options.offline else project.connect()
    try:
        return _Planning(project, options, replaced, store, client, why).run()
    finally:
        if store is not None:
            store.close()
        if client is not None:
            client.close()


class _Planning:
    def __init__(
        self,
        project: Project,
        options: PlanOptions,
        replaced: frozenset[str],
        store: Store | None,
        client: Client | None,
        why_none: str,
    ) -> None:
        self._project = project
        self._options = options
        self._replaced = replaced
        self._store = store
        self._client = client
        self._at = now()
        self._service: Asking | None = None
        if client is not None:
            from reconciler.pipeline.asking import Asking

            self._service = Asking(project, store, client, self._at)
        self._asking = self._service if options.ask_service else None  # how runs stand
        self._why_none = why_none  # what is to be said of a state that is not there
        self._declared_only = store is None and options.offline

    def run(self) -> Plan:
        options, store, desired = self._options, self._store, self._project.desired
        read = store.snapshot() if store else self._no_state()
        refuse_others_workspace(self._project, read)
        asking = self._asking
        observed = asking.refresh(read) if asking else Observed(self._at)
        specs = remembered(read.specs, observed.listed or ())
        wanted = desired.instances if options.mode is Mode.NORMAL else ()
        instances, specs, found = resolved(self._client, specs, as_declared(wanted) if self._declared_only else wanted)
        found += [*desired.diagnostics, *observed.diagnostics]
        busy = store is not None and store.holder() is not None
        moves = move(read, desired.moved if options.mode is Mode.NORMAL else ())
        foreseen = asking.foresee(moves.snapshot, observed, busy) if asking else None
        snapshot = foreseen.snapshot if foreseen else moves.snapshot
        laid = partial(lay_over, busy=busy, foreseen=foreseen.outlooks if foreseen else None)
        recorded, observed = self._recorded(instances, moves, snapshot, observed, laid)
        if options.mode is Mode.REFRESH_ONLY:
            drift = Decisions((), (), (), drifted(read.current, recorded), ())
            decisions = select(drift, instances, recorded.instances, options.target, options.exclude)
        else:
            adoptions = self._adoptions(instances, moves, recorded)
            why = "to be destroyed" if options.mode is Mode.DESTROY else NOT_DECLARED
            wishes = Wishes(self._replaced, options.target, options.exclude, options.allow_duplicates, why)
            decisions, forbidding = decide(instances, recorded, moves, adoptions, wishes)
            found += forbidding
        decisions = self._compared(decisions)
        if asking and foreseen:
            found += asking.untracked(decisions.actions, observed, foreseen.verdicts, read)
        found += self._rescued(read.meta.lineage)
        buying = [action.after.spec_id for action in decisions.actions if action.buys and action.after]
        if self._client is not None:
            specs, unknown = fetch_specs(self._client, specs, buying)
            found += unknown
        finished = store.newest_runs(CONSIDERED) if store and buying else ()
        if not options.allow_duplicates:
            known = {*read.instances, *recorded.instances}
            found += mention_forgotten(decisions.actions, by_address(instances), known, finished, self._replaced)
        around = Circumstances(
            base_url=self._project.settings.base_url,
            timestamp=self._at,
            refreshed=asking is not None,
            meta=read.meta if store else None,
            where=desired.where,
            heading=self._heading(busy),
            limits=self._project.settings.limits,
            mode=options.mode,
            environment=self._project.settings.environment or "",
            estimate=estimator(finished),
            revision=options.revision,
        )
        made = plan(instances, decisions, specs, found, around)
        return replace(made, actions=numbered(made.actions, store.done_actions)) if store else made

    def _recorded(
        self,
        instances: Sequence[Instance],
        moves: Moves,
        snapshot: Snapshot,
        observed: Observed,
        laid: Callable[[Snapshot, Iterable[AttemptRecord], Observed], Recorded],
    ) -> tuple[Recorded, Observed]:
        """The recorded side, with the history where it matters and what only single GETs can answer."""
        store, recorded = self._store, laid(snapshot, (), observed)
        needy = [*needs_history(instances, recorded, self._replaced), *(owed.address for owed in snapshot.owed)]
        history = moves.history(store.attempts(moves.addresses(needy))) if store and needy else []
        if history:
            recorded = laid(snapshot, history, observed)
        if self._asking and needy:
            wanted = set(needy)
            known, observed = (
                observed,
                self._asking.answered([item for item in instances if item.address in wanted], recorded, observed),
            )
            if observed is not known:
                recorded = laid(snapshot, history, observed)
        return recorded, observed

    def _no_state(self) -> Snapshot:
        """What there is to compare with where there is no state: nothing, or, of declarations alone, the base."""
        base = self._options.base
        known = as_declared(base.desired.instances) if self._declared_only and base and base.desired else []
        return as_if_bought(known, self._project.settings.base_url)

    def _compared(self, decisions: Decisions) -> Decisions:
        """The decisions, with what the base of the branch says of them."""
        base = self._options.base
        if self._declared_only:
            return without_runs(decisions)
        if base is None or base.desired is None:
            return decisions
        if _place(self._project.desired.settings) != _place(base.desired.settings):
            return decisions  # the branch goes elsewhere, so all of it is the branch's
        head, before = (
            Declarations(desired.instances, desired.moved, desired.imports)
            for desired in (self._project.desired, base.desired)
        )
        return replace(decisions, actions=mark_foreign(decisions.actions, head, before))

    def _adoptions(self, instances: Sequence[Instance], moves: Moves, recorded: Recorded) -> Adoptions:
        """The ``[[import]]`` blocks that are not done, with their runs if the service is asked."""
        blocks = self._project.desired.imports if self._options.mode is Mode.NORMAL else ()
        run_ids = [block.run_id for block in blocks]
        owners = moves.history(self._store.attempts_of_runs(run_ids)) if self._store and run_ids else []
        adoptions = due(blocks, owners)
        if self._service is None or not adoptions.blocks:
            return adoptions
        return self._service.adopted(adoptions, instances, recorded)

    def _rescued(self, lineage: str) -> list[Diagnostic]:
        if self._store is None:
            return []
        waiting = rescue(self._project, lineage).waiting(lineage)
        recorded = {a.run_id for a in self._store.attempts_of_runs(i.run_id for i in waiting)} if waiting else set()
        said = "It could not be recorded when it was bought, and is recorded by the next apply or refresh."
        return [
            Diagnostic(Severity.WARNING, "A rescued run", f"Run {item.run_id}: {said}", address=item.address)
            for item in waiting
            if item.run_id not in recorded
        ]

    def _heading(self, busy: bool) -> tuple[str, ...]:
        heading = []
        if self._options.mode is Mode.DESTROY:
            what = "everything that is recorded is to end, as if nothing were"
            if self._options.target or self._options.exclude:
                what = "what is chosen here is to end, as if it were not"
            heading.append(f"To destroy: {what} declared.")
        if self._options.mode is Mode.REFRESH_ONLY:
            heading.append("Refresh only: what the service says otherwise than the state records; nothing is planned.")
        if self._options.offline:
            known = "nothing is known of runs" if self._store is None else "runs are taken as they were recorded"
            heading.append(f"Offline: the service was not asked; {known}.")
        elif self._asking is None:
            heading.append("Not refreshed: runs are taken as they were recorded.")
        base = self._options.base
        if base is not None and base.trouble:
            heading.append(f"--base {base.trouble}.")
        if self._declared_only and base is not None and not base.trouble:
            heading.append(f"Declarations only, compared with {base.name}.")
        elif self._store is None:
            only = "declarations only; " if self._options.offline else ""
            creates = f": {only}applying creates it" if self._options.mode is Mode.NORMAL else ""
            heading.append(f"There is no state yet{creates}.")
        if self._why_none:
            heading.append(self._why_none)
        holder = self._store.holder() if self._store and busy else None
        if holder is not None:
            who = f"{holder.user}@{holder.host}, process {holder.pid}"
            heading.append(
                f"An apply is at work ({who}, since {local(holder.since)}): what it does may change this plan."
            )
        return tuple(heading)


def _place(settings: Settings) -> tuple[object, ...]:
    """What records and runs a plan is about."""
    return settings.base_url, settings.api_key, settings.state_url, settings.workspace


def _other_workspaces(missing: StateMissing) -> str:
    if not missing.others:
        return ""
    return f"The database has other workspaces: {', '.join(missing.others)}. Is the name right?"
