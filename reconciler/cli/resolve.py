"""``reconciler resolve``."""

from __future__ import annotations

import click

from reconciler.cli.options import Duration, open_project, project_options
from reconciler.cli.session import Session, pass_session


@click.command()
@click.argument("address")
@click.option("--adopt", metavar="RUN_ID", help="This run came of it.")
@click.option("--abandon", is_flag=True, help="Give it up; bought again only by rerun or --replace.")
@click.option("--resubmit", is_flag=True, help="Nothing came of it; the next apply sends it again.")
@click.option("--lock-timeout", type=Duration(), default=0.0, metavar="TIME", help="Wait so long for the state's lock.")
@project_options
@pass_session
def resolve(
    session: Session, address: str, adopt: str | None, abandon: bool, resubmit: bool, lock_timeout: float
) -> None:
    """Decide what became of a submission whose outcome is unknown. ADDRESS may be a glob.

    The service is listed anew first. With a glob --resubmit takes those that are absent, and leaves the others.

    \b
    Examples:
      reconciler resolve run.tickets_eval --adopt 3c90c3cc-0d44-4b50-8888-8dd25736052a
      reconciler resolve 'run.*' --resubmit
    """
    from reconciler.applying.resolve import Abandon, Adopt, Decision, Resubmit
    from reconciler.bookkeeping import resolve_unknown
    from reconciler.model.errors import UsageError

    if (adopt is not None) + abandon + resubmit != 1:
        raise UsageError("Choose one of --adopt RUN_ID, --abandon and --resubmit.")
    decision: Decision = Adopt(adopt) if adopt is not None else Abandon() if abandon else Resubmit()
    for line in resolve_unknown(open_project(session), address, decision, lock_timeout, session.caution):
        session.say(line)
