"""Commands that change what is recorded and nothing on the service: refresh, resolve, import, a fresh state."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable

from msgspec import Struct, field

from reconciler.applying.resolve import Decision
from reconciler.applying.resolve import resolve as resolve_submissions
from reconciler.applying.settle import Settler
from reconciler.applying.settling import Standing, in_words
from reconciler.clock import now
from reconciler.guards import search_of
from reconciler.model.address import Address, nearest, spelled
from reconciler.model.errors import UsageError
from reconciler.model.request import Instance
from reconciler.model.run import Run, is_final
from reconciler.pipeline.plan import PlanOptions, make_plan
from reconciler.planning.imports import objection
from reconciler.planning.refresh import Observed, fetch, refresh
from reconciler.planning.specs import remembered, resolved
from reconciler.planning.untracked import assign
from reconciler.project import Project
from reconciler.wiring import Books, Tell, books, recorder
from state.errors import StateLocked
from state.records import UNTRACKED, AttemptRecord, Snapshot

_SECOND_LIST_SECONDS = 5.0  # what is due later is left to the next command


class Refreshed(Struct):
    """How many runs were asked for, and what else is to be told, a line each."""

    runs: int
    told: list[str] = field(default_factory=list)


def refresh_state(project: Project, tell: Tell, *, accept_missing: bool = False) -> Refreshed:
    """Ask for every recorded run, record what the service says, and settle what is unknown if nobody else works.

    Errors: AccountMismatch, StateError, ServiceError, SecretError.
    """
    with books(project, "refresh", tell) as opened:
        store = opened.store
        before = store.snapshot()
        working = {a.run_id for a in before.current.values() if not is_final(a.status)}
        observed = refresh(opened.client, before, now(), accept_missing=accept_missing)
        opened.recorder.observe(list(observed.reports.values()))
        resting = {run_id for run_id, report in observed.reports.items() if is_final(report.status)} & working
        current = store.snapshot().current.values()
        unread = [a.run_id for a in current if a.run_id and (a.run_id in resting or _is_unread(a))]
        details = fetch(opened.client, Observed(observed.at), unread)
        opened.recorder.observe(list(details.reports.values()))
        done = Refreshed(len(observed.reports))
        if store.snapshot().open or opened.rescue.waiting(store.meta().lineage):
            try:
                with store.lock("refresh"):
                    opened.recorder.begin()
                    done.told += opened.take_in()
                    done.told += _settled(
                        Settler(opened.examiner, opened.recorder, project.settings.resubmit_absent_after)
                    )
            except StateLocked as problem:
                done.told.append(f"What is unknown was not settled: {problem.message}")
        return done


def _is_unread(attempt: AttemptRecord) -> bool:
    """Whether a run was only ever seen in lists: its parameters and files come with a GET."""
    unread = not attempt.reported_json or (is_final(attempt.status) and not attempt.files_json)
    return attempt.status is not None and attempt.gone_at is None and unread


def _settled(settler: Settler) -> Iterable[str]:
    settled = settler.settle()
    # That a submission came to nothing takes two lists: the second one is asked for at once, or it would never come.
    if settler.due is not None and (left := settler.due - time.time()) <= _SECOND_LIST_SECONDS:
        time.sleep(max(left, 0.0))
        settled = settler.settle()
    for attempt_id, verdict in settled.verdicts.items():
        address = settled.attempts[attempt_id].address
        if attempt_id in settled.resubmitted:
            yield f"{address}: nothing came of its submission; the next apply sends it again"
            continue
        certain = verdict.standing is Standing.ADOPT and verdict.confirmed and verdict.run
        yield (
            f"{address}: run {verdict.run.id} is adopted"
            if certain and verdict.run
            else (f"{address}: unknown so far; {in_words(address, verdict)}")
        )


def resolve_unknown(project: Project, pattern: str, decision: Decision, lock_seconds: float, tell: Tell) -> list[str]:
    """Carry out a person's decision about unknown submissions; returns a line for each. Raises UsageError."""
    with books(project, "resolve", tell) as opened, opened.store.lock("resolve", lock_seconds):
        opened.recorder.begin()
        return [*opened.take_in(), *resolve_submissions(pattern, decision, opened.examiner, opened.recorder)]


def import_run(project: Project, address: str, run_id: str, lock_seconds: float, tell: Tell) -> str:
    """Adopt an existing run for a declared address; returns what was done. Raises UsageError where it would not do."""
    with books(project, "import", tell, create=True) as opened, opened.store.lock("import", lock_seconds):
        opened.take_in()
        instance = _instance(opened, project, address)
        run = opened.client.get_run(run_id)
        if run is None:
            raise UsageError(f"The service has no run {run_id} for this key.")
        return _import(opened, instance, run, opened.store.snapshot())


def import_matches(project: Project, dry_run: bool, lock_seconds: float, tell: Tell) -> list[str]:
    """Adopt the untracked runs that would do for what is declared and not recorded; returns a line for each."""
    found = _matches(project)
    if dry_run or not found:
        return [f"{address}: run {run.id} ({run.status}) would be adopted" for address, run in found.items()]
    with books(project, "import", tell, create=True) as opened, opened.store.lock("import", lock_seconds):
        opened.take_in()
        snapshot, instances = opened.store.snapshot(), _instances(opened, project)
        return [_import(opened, instances[address], run, snapshot) for address, run in found.items()]


def _matches(project: Project) -> dict[Address, Run]:
    """Untracked runs by the address that they would do for; writes nothing."""
    buying = [action for action in make_plan(project, PlanOptions()).actions if action.buys]
    client, store = project.connect(), project.open_state_if_any()
    try:
        found = search_of(store, client).matches(buying, client.list_runs())
        return assign(match for match in found if match.workspace is None)
    finally:
        client.close()
        if store is not None:
            store.close()


def start_fresh(project: Project) -> None:
    """Make a new state, and record that it knows nothing of existing runs on purpose. Raises UsageError for one that
    has attempts.
    """
    store = project.open_state(create=True)
    try:
        if store.attempts():
            raise UsageError(
                "This state has recorded submissions, so it is not fresh. Adopt runs that it does not know with "
                "`reconciler import --match`; or name another state in [state] url."
            )
        made = recorder(project, store, "init --fresh")
        made.mark(UNTRACKED, "fresh")
        made.note("fresh", "a new state, which knows nothing of existing runs on purpose")
    finally:
        store.close()


def _instances(opened: Books, project: Project) -> dict[str, Instance]:
    specs = remembered(opened.store.snapshot().specs, ())
    found, _, _ = resolved(opened.client, specs, project.desired.instances)
    return {instance.address: instance for instance in found}


def _instance(opened: Books, project: Project, address: str) -> Instance:
    instances, address = _instances(opened, project), spelled(address)
    if address in instances:
        return instances[address]
    guess = nearest(address, instances)
    raise UsageError(
        f"{address} is not declared, so the next apply would end what is imported.{guess} Declare it first."
    )


def _import(opened: Books, instance: Instance, run: Run, snapshot: Snapshot) -> str:
    address, current = instance.address, snapshot.current.get(instance.address)
    if current is not None and current.run_id == run.id:
        return f"{address}: run {run.id} is recorded already"
    owners = opened.store.attempts_of_runs([run.id])
    if owners:
        old = owners[0].address
        fix = f"If that is its old name: reconciler state mv {shlex.quote(old)} {shlex.quote(address)}"
        raise UsageError(f"Run {run.id} belongs to {old} already. {fix}")
    problem = objection(instance, run, current, unknown=address in snapshot.open)
    if problem:
        raise UsageError(problem)
    opened.recorder.import_run(instance, run, opened.store.attempts([address]))
    return f"{address}: run {run.id} ({run.status}) is adopted"
