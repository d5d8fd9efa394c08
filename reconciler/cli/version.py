"""``reconciler version``."""

from __future__ import annotations

import platform
import sys

import click

from reconciler import __version__
from reconciler.cli.output import to_json
from reconciler.cli.session import Session, pass_session


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@pass_session
def version(session: Session, as_json: bool) -> None:
    """Show the version.

    \b
    Example:
      reconciler version --json
    """
    if as_json:
        python = ".".join(map(str, sys.version_info[:3]))
        session.say(to_json({"version": __version__, "python": python, "platform": platform.system().lower()}))
    else:
        session.say(f"reconciler {__version__}")
