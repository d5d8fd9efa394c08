"""What a plan learns from the service. Offline none of this is imported."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from reconciler.applying.settle import foresee
from reconciler.applying.settling import Verdict, outlook
from reconciler.dataframer.client import Client, Listing
from reconciler.guards import guard_of
from reconciler.model.changes import Action, Kind
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.plan import Outlook
from reconciler.model.request import Instance, by_address
from reconciler.planning.diff import Recorded
from reconciler.planning.imports import Adoptions, adopt
from reconciler.planning.refresh import Observed, fetch, refresh, unanswered
from reconciler.project import Project
from reconciler.wiring import examiner
from state.records import Phase, Snapshot
from state.store import Store


class Foreseen(Struct, frozen=True):
    """What will become of unknown submissions, as an apply would settle them now; in memory."""

    snapshot: Snapshot
    verdicts: tuple[Verdict, ...] = ()
    outlooks: dict[str, Outlook] | None = None  # by address


class Asking:
    """The service, as a plan asks it. ``store``: the state, if there is one; ``at``: now, as ISO 8601."""

    def __init__(self, project: Project, store: Store | None, client: Client, at: str) -> None:
        self._project, self._store, self._client, self._at = project, store, client, at

    def refresh(self, snapshot: Snapshot) -> Observed:
        """One list call."""
        return refresh(self._client, snapshot, self._at)

    def answered(self, instances: Iterable[Instance], recorded: Recorded, observed: Observed) -> Observed:
        """With what only single GETs can tell of these instances."""
        wanted = unanswered(instances, recorded, observed)
        return fetch(self._client, observed, wanted) if wanted else observed

    def adopted(self, adoptions: Adoptions, instances: Sequence[Instance], recorded: Recorded) -> Adoptions:
        """The runs of the ``[[import]]`` blocks that are not done, each fetched."""
        runs = {block.run_id: self._client.get_run(block.run_id) for block in adoptions.blocks.values()}
        return adopt(adoptions, by_address(instances), recorded, runs, self._at)

    def foresee(self, snapshot: Snapshot, observed: Observed, busy: bool) -> Foreseen:
        """What an apply would make of the submissions that are unknown. ``busy``: another one is at work."""
        if self._store is None or not snapshot.open or observed.listed is None:
            return Foreseen(snapshot)
        ours = {a: attempt for a, attempt in snapshot.open.items() if not (busy and attempt.phase is Phase.SENDING)}
        looking = examiner(self._project, self._store, self._client)
        looking.patience = replace(looking.patience, lists=1)  # one list must do for a forecast
        verdicts = looking.examine(replace(snapshot, open=ours), Listing(observed.listed, None))
        found = {address: verdicts[attempt.attempt_id] for address, attempt in ours.items()}
        resubmits = self._project.settings.resubmit_absent_after is not None
        outlooks = {a: outlook(ours[a], verdict, resubmits=resubmits) for a, verdict in found.items()}
        return Foreseen(foresee(snapshot, verdicts), tuple(found.values()), outlooks)

    def untracked(
        self, actions: Sequence[Action], observed: Observed, verdicts: Collection[Verdict], read: Snapshot
    ) -> list[Diagnostic]:
        """Where the state may have lost runs: those on the service that would do for a purchase."""
        if observed.listed is None:
            return []
        spoken_for = {
            run.id for verdict in verdicts for run in (*verdict.candidates, *([verdict.run] if verdict.run else []))
        }
        spoken_for |= {action.reused_run for action in actions if action.kind is Kind.IMPORT and action.reused_run}
        guard = guard_of(self._store, self._client, read)
        return guard(actions, Listing(observed.listed, None), spoken_for) if guard else []
