"""``reconciler watch``."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from reconciler.cli.session import Session, pass_session

if TYPE_CHECKING:
    from reconciler.watching.happenings import Observer

_CONFIG: Final = "watch.toml"


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="How to work.  [default: watch.toml]",
)
@click.option("--once", is_flag=True, help="One pass, then leave: for cron. Exit code 1 if something failed.")
@click.option("--json", "as_json", is_flag=True, help="What happens as JSON, one object a line.")
@click.pass_context
@pass_session
def watch(session: Session, ctx: click.Context, config: Path | None, once: bool, as_json: bool) -> None:
    """Follow a branch of a git remote, and report, or apply, what it declares. It works until it is stopped.

    What it may do is said in watch.toml, which belongs to whoever runs it, never in what it follows. It keeps its files
    in .reconciler-watch, in the folder of -C.

    \b
    Examples:
      reconciler watch --once
      reconciler watch --once --config /etc/reconciler/watch.toml --json
    """
    from reconciler.applying.interruption import Interruption
    from reconciler.cli.signals import stop_on_signals
    from reconciler.model.errors import UsageError

    try:
        from reconciler.watching.assembly import Assembly
        from reconciler.watching.settings import read_settings
    except ImportError as error:
        raise UsageError(
            f"watch needs its extra, which is not installed ({error}): pip install 'reconciler[watch]'."
        ) from None
    path = config or session.root / _CONFIG
    if session.state_url is not None or session.environment is not None:
        raise UsageError(f"watch takes its environment and its state from {path}: [project] environment and state.")
    settings = read_settings(path, os.environ)
    interruption = Interruption()
    log = _log(session, as_json)
    with (
        stop_on_signals(interruption),
        Assembly(settings, session.root, os.environ, interruption, log, listen=not once) as assembly,
    ):
        assembly.controller.run(once=once)
    failed = once and assembly.controller.status.troubles
    ctx.exit(130 if interruption.reason == "SIGINT" else 1 if failed else 0)


def _log(session: Session, as_json: bool) -> Observer:
    """Where happenings are told; any thread may."""
    from reconciler.cli.output import to_json
    from reconciler.clock import now
    from reconciler.views.apply_text import PlainLines
    from reconciler.views.events_json import version_event
    from reconciler.views.paint import Paint, one_line
    from reconciler.watching.happenings import Happening
    from reconciler.watching.words import json_of, lines_of

    guard, plain = threading.Lock(), PlainLines(Paint(session.colour(sys.stdout)))

    def write_json(happened: Happening) -> None:
        found: dict[str, Any] = json_of(happened, now())
        with guard:
            session.say(to_json(found, None))
            sys.stdout.flush()

    def write(happened: Happening) -> None:
        with guard:
            for line in lines_of(happened, plain):
                session.say(one_line(f"{now()} {line}"))
            sys.stdout.flush()

    if as_json:
        session.say(to_json(version_event(now()), None))
    return write_json if as_json else write
