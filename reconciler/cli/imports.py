"""``reconciler import``."""

from __future__ import annotations

import click

from reconciler.cli.options import Duration, open_project, project_options
from reconciler.cli.session import Session, pass_session


@click.command("import")
@click.argument("address", required=False)
@click.argument("run_id", required=False)
@click.option("--match", is_flag=True, help="Every run that is not recorded and would do for a declaration.")
@click.option("--dry-run", is_flag=True, help="With --match: only show what would be adopted.")
@click.option("--lock-timeout", type=Duration(), default=0.0, metavar="TIME", help="Wait so long for the state's lock.")
@project_options
@pass_session
def import_(
    session: Session, address: str | None, run_id: str | None, match: bool, dry_run: bool, lock_timeout: float
) -> None:
    """Adopt runs that exist on the service, so that they are not bought again.

    A run is adopted for a declared ADDRESS if it is what the declaration asks for, as far as the service reports it.

    \b
    Examples:
      reconciler import run.tickets_eval 3c90c3cc-0d44-4b50-8888-8dd25736052a
      reconciler import --match
    """
    from reconciler.bookkeeping import import_matches, import_run
    from reconciler.model.errors import UsageError
    from reconciler.views.paint import one_line

    if match == (address is not None) or (address is None) != (run_id is None):
        raise UsageError("Name ADDRESS and RUN_ID, or use --match.")
    if dry_run and not match:
        raise UsageError("--dry-run belongs to --match.")
    project = open_project(session)
    if address is not None and run_id is not None:
        session.say(one_line(import_run(project, address, run_id, lock_timeout, session.caution)))
        return
    told = import_matches(project, dry_run, lock_timeout, session.caution)
    for line in told:
        session.say(one_line(line))
    if not told:
        session.tell("Nothing to adopt: no run that is not recorded would do for what is declared.")
