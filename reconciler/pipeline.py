"""Runs the stages in order: load, expand, validate, refresh, diff, plan, apply. The only module that knows all."""

from __future__ import annotations

import getpass
import socket
import time
import urllib.parse
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from reconciler.applying.apply import apply
from reconciler.applying.interruption import Interruption
from reconciler.applying.record import Author, Recorder
from reconciler.applying.resolve import Decision
from reconciler.applying.resolve import resolve as resolve_submissions
from reconciler.applying.sending import Sender
from reconciler.applying.settle import Examiner, Settler, foresee
from reconciler.applying.settling import DEAD_SECONDS, SETTLE_SECONDS, Patience, in_words
from reconciler.applying.submission import Pace
from reconciler.applying.tools import Options, Tools
from reconciler.clock import now
from reconciler.config.settings import is_loopback
from reconciler.dataframer.client import Client, Listing
from reconciler.git import git_state
from reconciler.model.changes import Plan
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.errors import PlanError, PlanOutdated, UsageError
from reconciler.model.events import Event, Report
from reconciler.model.request import Instance
from reconciler.model.run import is_final
from reconciler.planning.diff import diff, needs_history
from reconciler.planning.plan import Circumstances, plan
from reconciler.planning.refresh import Observed, fetch, lay_over, refresh, unanswered
from reconciler.planning.specs import Specs, fetch_specs, look_up_names, remembered, resolve
from reconciler.project import Project
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
    store = project.open_state_if_any()
    client = None if options.offline else project.connect()
    try:
        return _Planning(project, options, store, client).run()
    finally:
        if store is not None:
            store.close()
        if client is not None:
            client.close()


class _Planning:
    def __init__(self, project: Project, options: PlanOptions, store: Store | None, client: Client | None) -> None:
        self._project = project
        self._options = options
        self._store = store
        self._client = client
        self._asked = client if options.ask_service else None

    def run(self) -> Plan:
        options, store = self._options, self._store
        at = now()
        snapshot = store.snapshot() if store else _no_state(self._project.settings.base_url)
        observed = refresh(self._asked, snapshot, at) if self._asked else Observed(at)
        specs = remembered(snapshot.specs, observed.listed or ())
        instances, specs, found = self._resolved(specs)
        found += self._project.desired.diagnostics
        found += observed.diagnostics
        busy = store is not None and store.holder() is not None
        snapshot, foreseen = self._foresee(snapshot, observed, busy)
        recorded = lay_over(snapshot, (), observed, busy, foreseen)
        needy = [*needs_history(instances, recorded, options.replace), *(owed.address for owed in snapshot.owed)]
        history = store.attempts(needy) if store and needy else []
        recorded = lay_over(snapshot, history, observed, busy, foreseen)
        if self._asked:
            wanted = unanswered([item for item in instances if item.address in set(needy)], recorded, observed)
            observed = fetch(self._asked, observed, wanted)
            recorded = lay_over(snapshot, history, observed, busy, foreseen)
        decisions = diff(instances, recorded, options.replace)
        if self._client is not None:
            spec_ids = [a.after.spec_id for a in decisions.actions if a.buys and a.after]
            specs, unknown = fetch_specs(self._client, specs, spec_ids)
            found += unknown
        base_url, meta = self._project.settings.base_url, store.meta() if store else None
        where = self._project.desired.where
        around = Circumstances(base_url, at, self._asked is not None, meta, where, self._heading(busy))
        return plan(instances, decisions, specs, found, around)

    def _foresee(self, snapshot: Snapshot, observed: Observed, busy: bool) -> tuple[Snapshot, dict[str, str]]:
        """What will become of unknown submissions, as an apply would settle them now; in memory."""
        if self._asked is None or self._store is None or not snapshot.open or observed.listed is None:
            return snapshot, {}
        ours = {a: attempt for a, attempt in snapshot.open.items() if not (busy and attempt.phase is Phase.SENDING)}
        examiner = _examiner(self._project, self._store, self._asked)
        examiner.patience = replace(examiner.patience, lists=1)  # one list must do for a forecast
        verdicts = examiner.examine(replace(snapshot, open=ours), Listing(observed.listed, None))
        words = {a: in_words(a, verdicts[attempt.attempt_id]) for a, attempt in ours.items()}
        return foresee(snapshot, verdicts), words

    def _resolved(self, specs: Specs) -> tuple[list[Instance], Specs, list[Diagnostic]]:
        """Instances with their specs, after asking for followed versions and seed datasets that are not known."""
        instances = self._project.desired.instances
        if self._client is None:
            named, found = resolve(instances, specs)
            return named, specs, found
        specs = look_up_names(self._client, specs, instances)
        asking = [
            item.request.spec_id or next(iter(specs.ids.get(item.spec_name or "", ())), "")
            for item in instances
            if item.follows_latest or (item.legacy_revisions and item.request.spec_id not in specs.seeded)
        ]
        specs, found = fetch_specs(self._client, specs, filter(None, asking))
        named, more = resolve(instances, specs)
        return named, specs, found + more

    def _heading(self, busy: bool) -> tuple[str, ...]:
        heading = []
        if self._options.offline:
            heading.append("Offline: the service was not asked; runs are taken as they were recorded.")
        elif self._asked is None:
            heading.append("Not refreshed: runs are taken as they were recorded.")
        if self._store is None:
            only = "declarations only; " if self._options.offline else ""
            heading.append(f"There is no state yet: {only}applying creates it.")
        holder = self._store.holder() if self._store and busy else None
        if holder is not None:
            who = f"{holder.user}@{holder.host}, process {holder.pid}"
            heading.append(f"An apply is at work ({who}, since {holder.since}): what it does may change this plan.")
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


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How to apply. ``wait_seconds``: None = until every run rests, 0 = do not follow."""

    parallelism: int | None = None
    wait_seconds: float | None = None
    lock_seconds: float = 0.0


def apply_plan(
    project: Project,
    approved: Plan,
    options: ApplyOptions,
    interruption: Interruption,
    tell: Callable[[Event], None],
) -> Report:
    """Perform a plan. Errors: PlanError, PlanOutdated, StateError, ServiceError, SecretError."""
    refuse_errors(approved)
    settings = project.settings
    client = project.connect()
    store = project.open_state(create=True)
    try:
        meta = store.meta()
        if approved.lineage and approved.lineage != meta.lineage:
            raise PlanOutdated("The plan was made from another state (its lineage differs). Plan again.")
        if approved.base_url != settings.base_url:
            raise PlanOutdated(f"The plan was made for {approved.base_url}, the project names {settings.base_url}.")
        recorder = _recorder(project, store, "apply")
        sender = Sender(client, recorder, settings.timeout, project.secret, tell)
        sender.check_secrets(ref for action in approved.actions for _, ref in action.secrets)
        recorder.specs(approved.specs)
        settler = Settler(_examiner(project, store, client), recorder, settings.resubmit_absent_after)
        tools = Tools(store, client, recorder, sender, settler, interruption, tell, now)
        pace = Pace(options.parallelism or settings.parallelism, settings.submit_rate)
        unknown = any(item.kind == "unknown" for item in approved.unmet)
        wait, lock = options.wait_seconds, options.lock_seconds
        return apply(approved, tools, Options(pace, settings.max_active, wait, lock, unknown=unknown))
    finally:
        client.close()
        store.close()


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


def resolve_unknown(project: Project, pattern: str, decision: Decision, lock_seconds: float) -> list[str]:
    """Carry out a person's decision about unknown submissions; returns a line for each. Raises UsageError."""
    client = project.connect()
    store = project.open_state()
    try:
        with store.lock("resolve", lock_seconds):
            examiner = _examiner(project, store, client)
            return resolve_submissions(pattern, decision, examiner, _recorder(project, store, "resolve"))
    finally:
        client.close()
        store.close()


def refresh_state(project: Project) -> int:
    """Ask for every recorded run, and record what the service says; returns how many runs were asked for."""
    client = project.connect()
    store = project.open_state()
    try:
        recorder = _recorder(project, store, "refresh")
        snapshot = store.snapshot()
        observed = refresh(client, snapshot, now())
        recorder.observe(list(observed.reports.values()))
        unread = [a.run_id for a in store.snapshot().current.values() if a.run_id and a.status and not a.reported_json]
        details = fetch(client, Observed(observed.at), unread)
        recorder.observe(list(details.reports.values()))
        return len(observed.reports)
    finally:
        client.close()
        store.close()


def refuse_errors(made: Plan) -> None:
    """A plan with errors can't be applied. Raises PlanError."""
    if not made.valid:
        raise PlanError(made.diagnostics)


def _examiner(project: Project, store: Store, client: Client) -> Examiner:
    return Examiner(store, client, patience(project), project.settings.timeout, time.time)


def patience(project: Project) -> Patience:
    """How long unknown submissions are waited for. Tests may shorten it, where nothing real can be bought."""
    base_url = project.settings.base_url
    if not (project.settings.emulated or is_loopback(urllib.parse.urlsplit(base_url).hostname or "")):
        return Patience()
    settle, dead = (project.environ.get(f"RECONCILER_{name}_SECONDS") for name in ("SETTLE", "DEAD"))
    try:
        return Patience(float(settle or SETTLE_SECONDS), float(dead or DEAD_SECONDS))
    except ValueError:
        raise UsageError("RECONCILER_SETTLE_SECONDS and RECONCILER_DEAD_SECONDS are numbers of seconds.") from None


def _recorder(project: Project, store: Store, command: str) -> Recorder:
    commit, dirty = git_state(project.root)
    return Recorder(store, Author(command, getpass.getuser(), socket.gethostname(), commit, dirty), now)


def working_runs(made: Plan) -> int:
    """Runs that work already, as an apply would follow them."""
    return sum(1 for item in made.unchanged if item.progress and not is_final(item.progress.status))
