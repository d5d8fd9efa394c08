"""``reconciler state list``, ``show``, ``mv`` and ``rm``: addresses of the recorded side."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from reconciler.cli.options import Duration, open_project, project_options
from reconciler.cli.output import to_json
from reconciler.cli.session import Session, pass_session

if TYPE_CHECKING:
    from pathlib import Path

    from state.records import AttemptRecord, Snapshot

_SHOWN = 20  # cautions; more are counted
_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be done.")
_lock_timeout = click.option(
    "--lock-timeout", type=Duration(), default=0.0, metavar="TIME", help="Wait so long for the state's lock."
)


@click.command("list")
@click.argument("patterns", nargs=-1, metavar="[ADDRESS]...")
@click.option("-l", "--long", "long", is_flag=True, help="With status, samples, cost, run and time.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@project_options
@pass_session
def list_(session: Session, patterns: tuple[str, ...], long: bool, as_json: bool) -> None:
    """List the recorded addresses, one a line.

    ADDRESS may be a glob; the name of a declaration stands for all of its instances.

    \b
    Examples:
      reconciler state list
      reconciler state list -l 'run.tickets*'
    """
    from reconciler.surgery import chosen
    from reconciler.views.paint import joined
    from reconciler.views.state_view import list_json, list_text

    snapshot = _snapshot(session)
    found = chosen(patterns, sorted(snapshot.instances) if snapshot else [])
    if snapshot is None or not (long or as_json):
        if as_json or found:
            session.say("[]" if as_json else joined(found))
    else:
        session.say(to_json(list_json(snapshot, found)) if as_json else list_text(snapshot, found))


@click.command()
@click.argument("address")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@project_options
@pass_session
def show(session: Session, address: str, as_json: bool) -> None:
    """Show everything that is recorded of one address, also of one that was forgotten.

    Its run, what was sent and what is in effect, its lifecycle, and every attempt.

    \b
    Examples:
      reconciler state show run.tickets_eval
      reconciler state show 'run.languages["de"]' --json
    """
    from reconciler.inspection import recorded
    from reconciler.views.address_view import address_json, address_text

    found = recorded(open_project(session), address)
    session.say(to_json(address_json(found)) if as_json else address_text(found))


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@_dry_run
@_lock_timeout
@project_options
@pass_session
def mv(session: Session, source: str, target: str, dry_run: bool, lock_timeout: float) -> None:
    """Call a recorded address by another name: its run, its attempts and what it owes go along.

    Two names without keys stand for all of their instances. TO must not be recorded. Nothing happens on the service.

    \b
    Examples:
      reconciler state mv run.old_name run.new_name
      reconciler state mv --dry-run run.tickets 'run.languages["de"]'
    """
    from reconciler.surgery import move
    from reconciler.views.paint import joined

    done = move(open_project(session), source, target, session.caution, dry_run, lock_timeout)
    session.warn(f"Note: {caution}" for caution in done.cautions[:_SHOWN])
    if len(done.cautions) > _SHOWN:
        session.warn([f"Note: … and {len(done.cautions) - _SHOWN:,} more of this kind."])
    lines = [f"{one} -> {other}{_run(current)}" for one, other, current in done.pairs]
    count = _count(len(done.pairs))
    if dry_run:
        session.say(joined([*lines, f"Would move {count}. Nothing was done."]))
        return
    back = [f"reconciler state mv {shlex.quote(other)} {shlex.quote(one)}" for one, other, _ in done.pairs]
    undone = [f"To undo this: {back[0]}"] if len(back) == 1 else _undone(done.kept)
    session.say(joined([*lines, f"Moved {count}.", *undone]))


@click.command()
@click.argument("patterns", nargs=-1, required=True, metavar="ADDRESS...")
@_dry_run
@_lock_timeout
@project_options
@pass_session
def rm(session: Session, patterns: tuple[str, ...], dry_run: bool, lock_timeout: float) -> None:
    """Forget recorded addresses. Their attempts are kept, and nothing happens on the service: a run at work goes on.

    ADDRESS may be a glob. An address that is still declared is found again by the next apply, which then buys nothing.
    Refused for one that is protected, or whose submission is not settled.

    \b
    Examples:
      reconciler state rm --dry-run 'run.sweep*'
      reconciler state rm run.tickets_eval
    """
    from reconciler.surgery import forget
    from reconciler.views.paint import joined, one_line, wrapped

    done = forget(open_project(session), patterns, session.caution, dry_run, lock_timeout)
    lines = [one_line(f"{address}: {' '.join(fate)}") for address, _, fate in done.items]
    width = session.width(sys.stdout)
    lines = lines if width is None else [part for line in lines for part in wrapped(line, width)]
    count = _count(len(done.items))
    if dry_run:
        session.say(joined([*lines, f"Would forget {count}. Nothing was done."]))
        return
    session.say(joined([*lines, f"Forgot {count}.", *_undone(done.kept)]))


def _snapshot(session: Session) -> Snapshot | None:
    store = open_project(session, records_only=True).open_state_if_any()
    if store is None:
        return None
    try:
        return store.snapshot()
    finally:
        store.close()


def _run(current: AttemptRecord | None) -> str:
    if current is None or current.run_id is None:
        return ""
    return f"  (run {current.run_id}, {current.status or 'not looked at yet'})"


def _count(number: int) -> str:
    return f"{number:,} address{'' if number == 1 else 'es'}"


def _undone(kept: Path | None) -> list[str]:
    return [f"To undo this: reconciler state restore {kept}"] if kept else []
