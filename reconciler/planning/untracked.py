"""Runs that the state does not know, and that would do for what is about to be bought.

A state that was lost, restored or never brought along would buy everything again. So a new state, a restored one, and
one that is behind what this machine remembers, look for such runs before anything is bought.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from msgspec import Struct, field

from reconciler.dataframer.client import Client, Listing
from reconciler.dataframer.observation import imported
from reconciler.model.address import Address
from reconciler.model.changes import Action, declared_request
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.request import Lifecycle, Request
from reconciler.model.run import Run, moment
from reconciler.planning.comparison import compare, satisfies, works_on
from state.records import UNTRACKED, AttemptRecord, MarkRecord, Snapshot

MOST: Final = 200  # the newest of them are compared
_AT_ONCE = 10
_SHOWN = 20
_CLOCK_TOLERANCE: Final = 300.0  # seconds between our clock and the service's


def is_due(snapshot: Snapshot, highest_serial: int) -> bool:
    """Whether the state may have lost runs. ``highest_serial``: the highest that this machine remembers of it."""
    mark = snapshot.marks.get(UNTRACKED)
    return mark is None or mark.value == "due" or snapshot.restarted or snapshot.meta.serial < highest_serial


def consent(snapshot: Snapshot) -> MarkRecord | None:
    """Where somebody said that the state knows nothing of the runs before that, on purpose."""
    mark = snapshot.marks.get(UNTRACKED)
    return mark if mark is not None and mark.value == "fresh" else None


class Match(Struct, frozen=True):
    """A run that this state does not record, and a purchase that it would make needless."""

    action: Action
    run: Run
    workspace: str | None = None  # another one of the same database, which records the run


class Search(Struct):
    """Finds such runs. ``owners``: the attempts that own these run ids; ``elsewhere``: those that another workspace of
    the database records, by its name; ``since`` (ISO 8601): older ones are left out. Errors: ServiceError, StateError.
    """

    client: Client
    owners: Callable[[Iterable[str]], list[AttemptRecord]]
    elsewhere: Callable[[Iterable[str]], Mapping[str, str]]
    since: str | None = None
    _details: dict[str, Run | None] = field(default_factory=dict)

    def matches(self, actions: Iterable[Action], listing: Listing, spoken_for: Collection[str] = ()) -> list[Match]:
        """Every pair of a purchase and an untracked run that satisfies it or works on it. ``spoken_for``: runs that may
        be those of unknown submissions, which are settled and not bought again anyway.
        """
        buying = [(action, request) for action in actions if action.buys and (request := declared_request(action))]
        specs = {request.spec_id for _, request in buying}
        there = (run for run in listing.runs if run.spec_id and run.spec_id.lower() in specs)
        listed = [run for run in there if run.id not in spoken_for and not self._is_before(run)]
        if not listed:
            return []
        owned = {attempt.run_id for attempt in self.owners(run.id for run in listed)}
        unowned = [run for run in listed if run.id not in owned]
        unowned.sort(key=lambda run: run.created_at or "", reverse=True)
        by_size: dict[tuple[str, object], list[Run]] = {}
        for run in self._in_full(unowned[:MOST]):
            size = (run.runtime_params or {}).get("number_of_samples")
            by_size.setdefault(((run.spec_id or "").lower(), size), []).append(run)
        found = [
            (action, run)
            for action, request in buying
            for run in by_size.get((request.spec_id, request.samples), ())
            if would_do(request, action.lifecycle or Lifecycle(), run, action.address)
        ]
        elsewhere = self.elsewhere({run.id for _, run in found}) if found else {}
        return [Match(action, run, elsewhere.get(run.id)) for action, run in found]

    def _is_before(self, run: Run) -> bool:
        since, made = moment(self.since), moment(run.created_at)
        return since is not None and made is not None and made < since - _CLOCK_TOLERANCE

    def _in_full(self, runs: Sequence[Run]) -> list[Run]:
        wanted = [run.id for run in runs if run.id not in self._details]
        if wanted:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                self._details |= zip(wanted, pool.map(self.client.get_run, wanted), strict=True)
        return [full for run in runs if (full := self._details[run.id]) is not None]


def would_do(request: Request, lifecycle: Lifecycle, run: Run, address: str) -> bool:
    """Whether a run satisfies a request, or works on it."""
    attempt = imported(run, address, request, 1, "")
    comparison = compare(request, attempt)
    return satisfies(comparison, attempt, lifecycle) or works_on(comparison, attempt)


def assign(matches: Iterable[Match]) -> dict[Address, Run]:
    """A run for each address, each run once: finished ones before those at work, newer ones first."""
    found: dict[Address, Run] = {}
    taken: set[str] = set()
    for match in sorted(matches, key=lambda match: not match.run.status.final):
        if match.action.address not in found and match.run.id not in taken:
            found[match.action.address] = match.run
            taken.add(match.run.id)
    return found


def refusals(matches: Iterable[Match], has_attempts: bool) -> list[Diagnostic]:
    """Why nothing is bought, an address each, and once the ways out. ``has_attempts``: the state is not empty."""
    by_address: dict[Address, list[Match]] = {}
    for match in matches:
        by_address.setdefault(match.action.address, []).append(match)
    if not by_address:
        return []
    shown = list(by_address.items())[:_SHOWN]
    more = len(by_address) - len(shown)
    found = [
        Diagnostic(
            Severity.ERROR,
            "A run that is not recorded would do",
            f"{'; '.join(map(_words, matching[:5]))}{' …' if len(matching) > 5 else ''}.",
            address=address,
            source=matching[0].action.source,
        )
        for address, matching in shown
    ]
    lost = (
        "bring it back (`reconciler state restore --list`; PostgreSQL: the database's own backups), or adopt such runs"
    )
    fix = f"If it was lost: {lost} with `reconciler import --match`."
    if not has_attempts:
        fix += (
            " If it is new on purpose, as for another environment: `reconciler init --fresh` (with the same --env);"
            " then it buys runs of its own; what another state records is not to be adopted."
        )
    detail = f"{f'And so it is with {more:,} more addresses. ' if more else ''}Nothing is bought twice."
    return [*found, Diagnostic(Severity.ERROR, "The state may have lost runs", detail, fix)]


def _words(match: Match) -> str:
    run = match.run
    made = f", {run.samples_completed:,} samples" if run.samples_completed is not None else ""
    who = f" by {run.created_by_email}" if run.created_by_email else ""
    where = f", recorded in workspace {match.workspace} of the same database" if match.workspace else ""
    return f"run {run.id} ({run.status}{made}, made {run.created_at or 'at an unknown time'}{who}{where})"
