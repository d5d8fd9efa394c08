"""``reconciler history``."""

from __future__ import annotations

import shutil
import sys

import click

from reconciler.cli.options import open_project, project_options
from reconciler.cli.output import to_json
from reconciler.cli.session import Session, pass_session


@click.command()
@click.argument("patterns", nargs=-1, metavar="[ADDRESS]...")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with times in UTC.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N entries.")
@project_options
@pass_session
def history(session: Session, patterns: tuple[str, ...], as_json: bool, limit: int | None) -> None:
    """Show what happened: every attempt and every event, newest last, and what the runs cost in all.

    When, who, by which command, from which commit and plan; run, status and cost. ADDRESS may be a glob; addresses that
    were forgotten are known as well.

    \b
    Examples:
      reconciler history
      reconciler history run.tickets_eval --limit 20
      reconciler history --json | jq '.entries[] | select(.type == "override")'
    """
    from reconciler.inspection import history as read
    from reconciler.views.history import history_json, history_text
    from reconciler.views.paint import Paint

    found = read(open_project(session, records_only=True), patterns, limit)
    if as_json:
        session.say(to_json(history_json(found)))
        return
    terminal = sys.stdout.isatty()
    width = max(40, shutil.get_terminal_size().columns) if terminal else None
    session.say(history_text(found, Paint(session.colour(sys.stdout)), width))
