"""``reconciler download``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.options import Duration, open_project, project_options
from reconciler.cli.session import Session, pass_session

if TYPE_CHECKING:
    from reconciler.cli.transfers import Telling


@click.command()
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where to (default: outputs in the project).",
)
@click.option(
    "--parallelism",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    metavar="N",
    help="Transfers at once.",
)
@click.option(
    "--wait-timeout",
    type=Duration(),
    default=600.0,
    metavar="TIME",
    help="Wait at most so long for the service to pack an archive (default: 10m).",
)
@project_options
@click.pass_context
@pass_session
def download(
    session: Session,
    ctx: click.Context,
    addresses: tuple[str, ...],
    out: Path | None,
    parallelism: int,
    wait_timeout: float,
) -> None:
    """Bring the files of runs that SUCCEEDED, each run into a folder of its own, with a provenance.json.

    Without ADDRESS those of every recorded run; an ADDRESS may be a glob, or a declaration's name for all of its
    instances. What is there and whole is not fetched again; what was interrupted goes on where it was.

    \b
    Examples:
      reconciler download
      reconciler download run.tickets_eval 'run.sweep[*]' --out /data/runs
    """
    from reconciler.cli.exits import DONE, ERROR
    from reconciler.cli.signals import interrupted_by_signals
    from reconciler.outputs import How, download_outputs

    project = open_project(session, records_only=True)
    telling = _telling(session)
    with interrupted_by_signals():
        try:
            download_outputs(project, addresses, How(out, parallelism, wait_timeout), telling.event)
        finally:
            telling.stop()
    session.tell(telling.tally.summary())
    ctx.exit(ERROR if telling.tally.failed else DONE)


def _telling(session: Session) -> Telling:
    """A live display on a terminal, plain lines elsewhere."""
    from reconciler.cli.transfers import LiveTransfers, PlainTransfers
    from reconciler.views.paint import Paint

    paint = Paint(session.colour(sys.stdout))
    if session.quiet or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return PlainTransfers(session, paint)
    return LiveTransfers(session, paint)
