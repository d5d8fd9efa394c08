"""What keeps a state that may be incomplete from buying again what was bought already."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from reconciler import safekeeping
from reconciler.applying.tools import Guard
from reconciler.dataframer.client import Client, Listing
from reconciler.model.changes import Action
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.errors import UsageError
from reconciler.planning import untracked
from reconciler.project import Project
from state.postgres.url import DEFAULT_WORKSPACE, is_postgres, names_workspace
from state.records import Snapshot
from state.store import Store


def guard_of(store: Store | None, client: Client, snapshot: Snapshot | None = None) -> Guard | None:
    """What keeps a state that may have lost runs from buying them again; None for one that can't have lost any.

    ``snapshot``: what was read of the state already.
    """
    has_attempts, since = False, None
    if store is not None:
        snapshot = snapshot or store.snapshot()
        if not untracked.is_due(snapshot, safekeeping.highest_serial(snapshot.meta.lineage)):
            return None
        has_attempts = bool(snapshot.current or snapshot.open or store.newest_runs(1))
        said = untracked.consent(snapshot)
        since = said.at if said else None
    search = search_of(store, client, since)

    def guard(actions: Sequence[Action], listing: Listing, spoken_for: Collection[str]) -> list[Diagnostic]:
        found = search.matches(actions, listing, spoken_for)
        # Two workspaces may want the same run twice. A state that is new may be one whose workspace has a wrong name.
        lost = [match for match in found if not (has_attempts and match.workspace)]
        return untracked.refusals(lost, has_attempts)

    return guard


def search_of(store: Store | None, client: Client, since: str | None = None) -> untracked.Search:
    """A search for runs that the state does not record."""
    if store is None:
        return untracked.Search(client, lambda run_ids: [], lambda run_ids: {}, since)
    return untracked.Search(client, store.attempts_of_runs, store.recorded_elsewhere, since)


def refuse_others_workspace(project: Project, snapshot: Snapshot) -> None:
    """Two projects that leave the workspace out would end each other's runs. Raises UsageError where that is likely."""
    named = project.workspace is not None or names_workspace(project.state_url)
    if named or not is_postgres(project.state_url) or not snapshot.instances:
        return
    if project.desired.instances and not any(one.address in snapshot.instances for one in project.desired.instances):
        raise UsageError(
            f"Workspace {DEFAULT_WORKSPACE!r} of the database records {len(snapshot.instances):,} runs, and this"
            " project declares none of them: they seem to be another project's. Name a workspace of your own"
            f' ([state] workspace = "NAME"); or, if they are yours, say so: workspace = "{DEFAULT_WORKSPACE}".'
        )


def refuse_vanishing_state(project: Project) -> None:
    """In CI a new SQLite file is gone with the job, and the next job buys everything again. Raises UsageError."""
    ci = project.environ.get("CI", "").lower() not in ("", "0", "false")
    if not ci or project.settings.emulated or not project.state_url.startswith("sqlite:"):
        return
    store = project.open_state_if_any()
    if store is not None:
        store.close()
        return
    raise UsageError(
        "There is no state here, and CI is set: a new SQLite file would be gone with this job, and the next job would"
        ' buy everything again. Keep the state in PostgreSQL ([state] url = "postgresql://…"), or on a path that'
        " persists; if this path does persist, make the state once with `reconciler init --fresh`."
    )
