"""What keeps a state that may be incomplete from buying again what was bought already."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from reconciler.model.changes import Action
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.errors import UsageError
from reconciler.project import Project
from state.postgres.url import DEFAULT_WORKSPACE, is_postgres, names_workspace
from state.records import PROJECT, Snapshot
from state.store import Store

if TYPE_CHECKING:  # a plan that is made offline needs none of these
    from reconciler.applying.record import Recorder
    from reconciler.applying.tools import Guard
    from reconciler.dataframer.client import Client, Listing
    from reconciler.planning.untracked import Search


def guard_of(store: Store | None, client: Client, snapshot: Snapshot | None = None) -> Guard | None:
    """What keeps a state that may have lost runs from buying them again; None for one that can't have lost any.

    ``snapshot``: what was read of the state already.
    """
    from reconciler.planning import untracked
    from reconciler.safekeeping import highest_serial

    has_attempts, since = False, None
    if store is not None:
        snapshot = snapshot or store.snapshot()
        if not untracked.is_due(snapshot, highest_serial(snapshot.meta.lineage)):
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


def search_of(store: Store | None, client: Client, since: str | None = None) -> Search:
    """A search for runs that the state does not record."""
    from reconciler.planning import untracked

    if store is None:
        return untracked.Search(client, lambda run_ids: [], lambda run_ids: {}, since)
    return untracked.Search(client, store.attempts_of_runs, store.recorded_elsewhere, since)


def refuse_others_workspace(project: Project, snapshot: Snapshot) -> None:
    """Two projects that leave the workspace out would end each other's runs. Raises UsageError where that is likely."""
    theirs = snapshot.marks.get(PROJECT)
    if theirs is None or not _is_unnamed(project) or not snapshot.instances:
        return
    declared = project.desired.instances
    if any(one.address in snapshot.instances for one in declared) or theirs.value == project.name:
        return
    raise UsageError(
        f"Workspace {DEFAULT_WORKSPACE!r} of the database records {len(snapshot.instances):,} run(s) of project"
        f" {theirs.value}, and this project, {project.name}, declares none of them. Name a workspace of"
        f' your own ([state] workspace = "NAME"); or, if they are yours, say so: workspace = "{DEFAULT_WORKSPACE}".'
    )


def note_project(project: Project, snapshot: Snapshot, recorder: Recorder) -> None:
    """Record which project uses a workspace that nobody named."""
    if _is_unnamed(project) and PROJECT not in snapshot.marks:
        recorder.mark(PROJECT, project.name)


def _is_unnamed(project: Project) -> bool:
    return is_postgres(project.state_url) and project.workspace is None and not names_workspace(project.state_url)


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
