"""``reconciler emulator``: the built-in service, for any client on this machine."""

from __future__ import annotations

import signal
import sys
from contextlib import closing
from pathlib import Path
from types import FrameType

import click

from reconciler.cli.session import Session, pass_session


@click.group()
def emulator() -> None:
    """The built-in emulator of the service."""


@emulator.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8321, show_default=True, help="0 takes a free one.")
@click.option("--database", type=click.Path(path_type=Path), metavar="FILE", help="Where its runs are kept.")
@pass_session
def serve(session: Session, port: int, database: Path | None) -> None:
    """Offer the emulator over HTTP on loopback, for any client. Any key is right. Runs survive a restart.

    \b
    Example:
      reconciler emulator serve --port 8321
    """
    from reconciler.dataframer.connect import EMULATOR_DATABASE, open_emulator
    from reconciler.dataframer.emulator.server import EmulatorServer
    from reconciler.model.errors import UsageError

    if database is None and not session.root.is_dir():
        raise UsageError(f"There is no folder {session.root}.")  # a slip of -C must not make one
    core = open_emulator(database or session.root / EMULATOR_DATABASE)
    try:
        server = EmulatorServer(core, port)
    except OSError as problem:
        raise UsageError(f"Port {port} on loopback can't be taken: {problem.strerror}. Use --port 0.") from None

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(0)  # between two requests or in one: every change is committed before it is answered

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    session.say(f"The emulator listens on {server.url}; Ctrl-C ends it. In another terminal:")
    session.say(f"  export DATAFRAMER_BASE_URL={server.url} DATAFRAMER_API_KEY=any")
    session.say(f'For reconciler itself: [api] base_url = "{server.url}" in reconciler.toml.')
    sys.stdout.flush()
    with closing(core), server:
        server.serve_forever()
