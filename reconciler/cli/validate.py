"""``reconciler validate``."""

from __future__ import annotations

import os

import click

from reconciler.cli.collector import paused
from reconciler.cli.options import given, project_options
from reconciler.cli.output import to_json
from reconciler.cli.session import Session, pass_session


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Every finding as JSON.")
@project_options
@click.pass_context
@pass_session
def validate(session: Session, ctx: click.Context, as_json: bool) -> None:
    """Check the project's files: offline, without a key, all problems at once.

    \b
    Example:
      reconciler validate --json
    """
    from reconciler.cli.exits import DONE, ERROR
    from reconciler.model.errors import ConfigurationError
    from reconciler.project import check_project
    from reconciler.views.diagnostics import validation_json

    runs = 0
    try:
        with paused():
            desired = check_project(session.root, os.environ, given(session))
        diagnostics, runs = desired.diagnostics, len(desired.instances)
    except ConfigurationError as problem:
        diagnostics = problem.diagnostics
    checked = validation_json(diagnostics)
    if as_json:
        session.say(to_json(checked))
    else:
        session.report(diagnostics)
        if checked["valid"]:
            session.tell(f"Valid: {runs:,} run{'' if runs == 1 else 's'} declared.")
        else:
            count = checked["error_count"]
            session.warn([f"{count:,} error{'' if count == 1 else 's'}."])
    ctx.exit(DONE if checked["valid"] else ERROR)
