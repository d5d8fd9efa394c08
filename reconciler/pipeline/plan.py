"""Load, expand, validate, refresh, diff, plan: from a project to its plan."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from reconciler.applying.settle import foresee
from reconciler.applying.settling import Verdict, outlook
from reconciler.clock import now
from reconciler.dataframer.client import Client, Listing
from reconciler.guards import guard_of, refuse_others_workspace, refuse_vanishing_state
from reconciler.model.changes import Action, Plan
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.errors import UsageError
from reconciler.planning.diff import diff, needs_history
from reconciler.planning.plan import Circumstances, plan
from reconciler.planning.refresh import Observed, fetch, lay_over, refresh, unanswered
from reconciler.planning.specs import fetch_specs, remembered, resolved
from reconciler.project import Project
from reconciler.views.times import local
from reconciler.wiring import examiner, rescue
from state.errors import StateMissing
from state.records import Meta, Phase, Snapshot
from state.store import Store


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What a plan may ask. ``ask_service``: list runs and specs; ``offline``: say so, and use no key."""

    replace: tuple[str, ...] = ()
    ask_service: bool = True
    offline: bool = False


def make_plan(project: Project, options: PlanOptions) -> Plan:
    """Plan: takes no lock, writes nothing. Errors: StateError, ServiceError, SecretError, UsageError."""
    _check_addresses(project, options.replace)
    store: Store | None = None
    others: tuple[str, ...] = ()
    try:
        store = project.open_state(read_only=True)
    except StateMissing as missing:
        others = missing.others
        if not options.offline:
            refuse_vanishing_state(project)
    client = None if options.offline else project.connect()
    try:
        return _Planning(project, options, store, client, others).run()
    finally:
        if store is not None:
            store.close()
        if client is not None:
            client.close()


class _Planning:
    def __init__(
        self, project: Project, options: PlanOptions, store: Store | None, client: Client | None, others: Sequence[str]
    ) -> None:
        self._project = project
        self._options = options
        self._store = store
        self._client = client
        self._asked = client if options.ask_service else None
        self._others = others  # workspaces that are there, where ours is not

    def run(self) -> Plan:
        options, store = self._options, self._store
        at = now()
        snapshot = store.snapshot() if store else _no_state(self._project.settings.base_url)
        refuse_others_workspace(self._project, snapshot)
        read = snapshot
        observed = refresh(self._asked, snapshot, at) if self._asked else Observed(at)
        specs = remembered(snapshot.specs, observed.listed or ())
        instances, specs, found = resolved(self._client, specs, self._project.desired.instances)
        found += self._project.desired.diagnostics
        found += observed.diagnostics
        busy = store is not None and store.holder() is not None
        opened = snapshot.open
        snapshot, verdicts = self._foresee(snapshot, observed, busy)
        resubmits = self._project.settings.resubmit_absent_after is not None
        foreseen = {a: outlook(opened[a], verdict, resubmits=resubmits) for a, verdict in verdicts.items()}
        recorded = lay_over(snapshot, (), observed, busy, foreseen)
        needy = [*needs_history(instances, recorded, options.replace), *(owed.address for owed in snapshot.owed)]
        history = store.attempts(needy) if store and needy else []
        if history:
            recorded = lay_over(snapshot, history, observed, busy, foreseen)
        wanted: list[str] = []
        if self._asked and needy:
            asking = set(needy)
            wanted = unanswered([item for item in instances if item.address in asking], recorded, observed)
        if self._asked and wanted:
            observed = fetch(self._asked, observed, wanted)
            recorded = lay_over(snapshot, history, observed, busy, foreseen)
        decisions = diff(instances, recorded, options.replace)
        found += self._untracked(decisions.actions, observed, verdicts.values(), read)
        found += self._rescued(read.meta.lineage)
        if self._client is not None:
            spec_ids = [a.after.spec_id for a in decisions.actions if a.buys and a.after]
            specs, unknown = fetch_specs(self._client, specs, spec_ids)
            found += unknown
        base_url, meta = self._project.settings.base_url, read.meta if store else None
        where = self._project.desired.where
        around = Circumstances(base_url, at, self._asked is not None, meta, where, self._heading(busy))
        return plan(instances, decisions, specs, found, around)

    def _foresee(self, snapshot: Snapshot, observed: Observed, busy: bool) -> tuple[Snapshot, dict[str, Verdict]]:
        """What will become of unknown submissions, as an apply would settle them now; in memory. By address."""
        if self._asked is None or self._store is None or not snapshot.open or observed.listed is None:
            return snapshot, {}
        ours = {a: attempt for a, attempt in snapshot.open.items() if not (busy and attempt.phase is Phase.SENDING)}
        looking = examiner(self._project, self._store, self._asked)
        looking.patience = replace(looking.patience, lists=1)  # one list must do for a forecast
        verdicts = looking.examine(replace(snapshot, open=ours), Listing(observed.listed, None))
        return foresee(snapshot, verdicts), {a: verdicts[attempt.attempt_id] for a, attempt in ours.items()}

    def _untracked(
        self, actions: Sequence[Action], observed: Observed, verdicts: Collection[Verdict], read: Snapshot
    ) -> list[Diagnostic]:
        """Where the state may have lost runs: those on the service that would do for a purchase."""
        if self._asked is None or observed.listed is None:
            return []
        spoken_for = {
            run.id for verdict in verdicts for run in (*verdict.candidates, *([verdict.run] if verdict.run else []))
        }
        guard = guard_of(self._store, self._asked, read)
        return guard(actions, Listing(observed.listed, None), spoken_for) if guard else []

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
        if self._options.offline:
            heading.append("Offline: the service was not asked; runs are taken as they were recorded.")
        elif self._asked is None:
            heading.append("Not refreshed: runs are taken as they were recorded.")
        if self._store is None:
            only = "declarations only; " if self._options.offline else ""
            heading.append(f"There is no state yet: {only}applying creates it.")
            if self._others:
                heading.append(f"The database has other workspaces: {', '.join(self._others)}. Is the name right?")
        holder = self._store.holder() if self._store and busy else None
        if holder is not None:
            who = f"{holder.user}@{holder.host}, process {holder.pid}"
            heading.append(
                f"An apply is at work ({who}, since {local(holder.since)}): what it does may change this plan."
            )
        return tuple(heading)


def _check_addresses(project: Project, addresses: Collection[str]) -> None:
    from reconciler.dataframer.catalogue import close_names

    declared = [instance.address for instance in project.desired.instances]
    for address in addresses:
        if address not in declared:
            near = close_names(address, declared, cutoff=0.5)
            guess = f" Did you mean {near[0]}?" if near else ""
            raise UsageError(f"--replace {address}: no such run is declared.{guess}")


def _no_state(base_url: str) -> Snapshot:
    return Snapshot(Meta(0, "", 0, base_url, ""), {}, {}, {}, (), {})
