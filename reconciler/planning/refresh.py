"""Stage 4: what the service says now, laid over the records in memory. Nothing is recorded here.

One list call answers for all runs; a run is fetched by itself only when the list can't answer: it is missing there, or
its effective parameters decide a comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.dataframer.observation import absence, check_account, observation
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.plan import Outlook
from reconciler.model.request import Instance
from reconciler.model.run import Run, is_final, is_known_status
from reconciler.planning.comparison import is_open, needs_report
from reconciler.planning.diff import Recorded
from state.records import AttemptRecord, Snapshot
from state.rules import observe
from state.writes import Observe

if TYPE_CHECKING:
    from reconciler.dataframer.client import Client

_FETCHES_AT_ONCE = 10


class Observed(Struct, frozen=True):
    """Reports by run id. ``listed`` is None when the service was not asked."""

    at: str
    reports: Mapping[str, Observe] = field(default_factory=dict)
    listed: tuple[Run, ...] | None = None
    diagnostics: tuple[Diagnostic, ...] = ()


def refresh(client: Client, snapshot: Snapshot, at: str, *, accept_missing: bool = False) -> Observed:
    """Ask for every run that the state follows. ``at``: now, as ISO 8601. Errors: ServiceError; AccountMismatch where
    too many unfinished runs are missing at once, unless ``accept_missing``.
    """
    listing = client.list_runs()
    tracked = {attempt.run_id: attempt for attempt in _tracked(snapshot) if attempt.run_id}
    reports = {run.id: observation(run, at) for run in listing.runs if run.id in tracked}
    told = tuple(diagnostic for run in listing.runs if run.id in tracked for diagnostic in _odd(run, tracked[run.id]))
    observed = Observed(at, reports, listing.runs, told)
    missing = [run_id for run_id, attempt in tracked.items() if run_id not in reports and not attempt.gone_at]
    listed = {run.id for run in listing.runs}
    missing += [owed.run_id for owed in snapshot.owed if owed.run_id not in listed]
    observed = fetch(client, observed, missing)
    if not accept_missing:
        unfinished = [a.run_id for a in tracked.values() if a.run_id and not is_final(a.status) and not a.gone_at]
        absent = sum(bool(observed.reports[run_id].gone) for run_id in unfinished if run_id in observed.reports)
        check_account(absent, len(unfinished))
    return observed


def fetch(client: Client, observed: Observed, run_ids: Iterable[str]) -> Observed:
    """Fetch these runs one by one, for what the list can't answer."""
    wanted = list(dict.fromkeys(run_ids))
    if not wanted:
        return observed
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_FETCHES_AT_ONCE) as pool:
        answers = pool.map(client.get_run, wanted)
        fresh = {
            run_id: absence(run_id, observed.at) if run is None else observation(run, observed.at)
            for run_id, run in zip(wanted, answers, strict=True)
        }
    return replace(observed, reports={**observed.reports, **fresh})


def unanswered(instances: Iterable[Instance], recorded: Recorded, observed: Observed) -> list[str]:
    """Runs that a decision depends on and the list does not answer for: reports, and older runs that are not listed."""
    listed = {run.id for run in observed.listed or ()}
    wanted: list[str] = []
    for instance in instances:
        current = recorded.current.get(instance.address)
        candidates = (*recorded.history.get(instance.address, ()), *((current,) if current else ()))
        for attempt in candidates:
            run_id = attempt.run_id
            if run_id is None or attempt.gone_at is not None:
                continue
            unseen = run_id not in listed and run_id not in observed.reports
            if unseen or needs_report(instance.request, attempt):
                wanted.append(run_id)
    return wanted


def lay_over(
    snapshot: Snapshot,
    history: Iterable[AttemptRecord],
    observed: Observed,
    busy: bool,
    foreseen: Mapping[str, Outlook] | None = None,
) -> Recorded:
    """The recorded side as it is now. ``foreseen``: what will become of open submissions, by address."""
    listed = {run.id: run for run in observed.listed or ()}

    def now(attempt: AttemptRecord) -> AttemptRecord:
        if attempt.run_id is None:
            return attempt
        report = observed.reports.get(attempt.run_id)
        if report is None and attempt.run_id in listed:
            report = observation(listed[attempt.run_id], observed.at)
        return attempt if report is None else observe(attempt, report)

    by_address: dict[str, list[AttemptRecord]] = {}
    for attempt in history:
        by_address.setdefault(attempt.address, []).append(now(attempt))
    owners = {attempt.run_id: attempt for attempts in by_address.values() for attempt in attempts}
    return Recorded(
        instances=snapshot.instances,
        current={address: now(attempt) for address, attempt in snapshot.current.items()},
        open={address: now(attempt) for address, attempt in snapshot.open.items()},
        history={address: tuple(attempts) for address, attempts in by_address.items()},
        owed=tuple((owed, owners.get(owed.run_id)) for owed in snapshot.owed),
        busy=busy,
        foreseen=foreseen or {},
    )


def _tracked(snapshot: Snapshot) -> Iterable[AttemptRecord]:
    yield from snapshot.current.values()
    yield from (attempt for attempt in snapshot.open.values() if is_open(attempt))


def _odd(run: Run, attempt: AttemptRecord) -> Iterable[Diagnostic]:
    if is_final(attempt.status) and run.status_word and run.status != attempt.status:
        said = f"Run {run.id} was {attempt.status}, and is reported as {run.status_word} now. Final is final."
        yield Diagnostic(Severity.WARNING, "A final status went back", said, address=attempt.address)
    if run.status_word and not is_known_status(run.status_word):
        said = f'Run {run.id} has the status "{run.status_word}", which this version does not know: taken as working.'
        yield Diagnostic(Severity.WARNING, "Unknown status", said, address=attempt.address)
