"""``reconciler refresh``, ``show`` and ``output``: what is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.options import format_options, open_project, project_options
from reconciler.cli.output import to_json
from reconciler.cli.session import Session, pass_session

if TYPE_CHECKING:
    from reconciler.project import Project


@click.command()
@click.option("--accept-missing", is_flag=True, help="Record runs as gone, however many are missing at once.")
@project_options
@pass_session
def refresh(session: Session, accept_missing: bool) -> None:
    """Ask the service for every recorded run, and record how it stands. Changes nothing on the service.

    \b
    Example:
      reconciler refresh
    """
    from reconciler.bookkeeping import refresh_state
    from reconciler.views.paint import one_line

    done = refresh_state(open_project(session, records_only=True), session.caution, accept_missing=accept_missing)
    for line in done.told:
        session.say(one_line(line))
    session.tell(f"Refreshed: {done.runs:,} run{'' if done.runs == 1 else 's'} looked at.")


@click.command()
@click.argument("planfile", required=False, type=click.Path(path_type=Path))
@format_options
@project_options
@click.pass_context
@pass_session
def show(session: Session, ctx: click.Context, planfile: Path | None, form: str, max_bytes: int) -> None:
    """Show a saved plan in any format, or the state.

    \b
    Examples:
      reconciler show
      reconciler show tonight.plan --format markdown
      reconciler show tonight.plan --json
    """
    from reconciler.cli.rendering import render
    from reconciler.model.errors import UsageError
    from reconciler.planning.planfile import read_plan
    from reconciler.views.plan_text import as_saved
    from reconciler.views.state_view import state_json, state_text

    if planfile is not None:
        made = read_plan(planfile)
        code = render(session, as_saved(made) if form == "text" else made, form, max_bytes)
        if form == "text":
            session.tell(f"Digest: {made.digest}")
        ctx.exit(code)
    if form not in ("text", "json"):
        raise UsageError(f"--format {form} is for plans: name a saved one. The state has text and json.")
    project = open_project(session, records_only=True)
    store = project.open_state_if_any()
    if store is None:
        session.say("{}" if form == "json" else "There is no state yet; `reconciler apply` creates it.")
        _tell_others(session, project)
        return
    snapshot = store.snapshot()
    store.close()
    session.say(to_json(state_json(snapshot)) if form == "json" else state_text(snapshot))


@click.command()
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@project_options
@pass_session
def output(session: Session, addresses: tuple[str, ...], as_json: bool) -> None:
    """Show recorded runs as data for scripts: ids, statuses, samples, costs, files.

    ADDRESS may be a glob; the name of a declaration stands for all of its instances.

    \b
    Examples:
      reconciler output --json
      reconciler output run.tickets_eval 'run.sweep*' --json
    """
    from reconciler.surgery import chosen
    from reconciler.views.state_view import output_json, output_text

    project = open_project(session, records_only=True)
    store = project.open_state_if_any()
    found = []
    if store is not None:
        snapshot = store.snapshot()
        store.close()
        known = sorted(snapshot.instances)
        bought = [name for name in known if name in snapshot.current]
        found = output_json(snapshot, chosen(addresses, known) if addresses else bought)
    else:
        chosen(addresses, [])
        _tell_others(session, project)
    session.say(to_json(found) if as_json else output_text(found))


def _tell_others(session: Session, project: Project) -> None:
    """Nothing was found: where the database has other workspaces, the name may be wrong."""
    others = project.other_workspaces()
    if others:
        session.warn([f"The database has other workspaces: {', '.join(others)}. Is the name right?"])
