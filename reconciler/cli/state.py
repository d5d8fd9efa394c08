"""``reconciler state``: backups and restoring; ``cli.transfer`` moves a state, ``cli.surgery`` changes addresses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.options import Duration, open_project, project_options
from reconciler.cli.session import Session, pass_session
from reconciler.cli.surgery import list_, mv, rm, show
from reconciler.cli.transfer import pull, push

if TYPE_CHECKING:
    from reconciler.safekeeping import Restored
    from state.records import AttemptRecord

_SHOWN = 20  # runs by name; more are counted


@click.group()
def state() -> None:
    """Look into the state, rename and forget addresses, back it up, restore a backup, move it elsewhere."""


for _command in (list_, show, mv, rm, pull, push):
    state.add_command(_command)


@state.command()
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Into this file, which must not exist.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@project_options
@pass_session
def backup(session: Session, out: Path | None, dry_run: bool) -> None:
    """Back the state up, also while others work on it. Backups that are made by hand are never dropped.

    Without --out the file goes to the user's data folder, where `state restore` finds it.

    \b
    Examples:
      reconciler state backup
      reconciler state backup --out /mnt/backups/runs.db
    """
    from reconciler.datafolder import data_folder
    from reconciler.safekeeping import back_up_by_hand

    project = open_project(session, records_only=True)
    if dry_run:
        project.open_state(read_only=True).close()
        session.say(f"Would back the state up to {out or data_folder()}. Nothing was done.")
        return
    session.say(f"Backed the state up: {back_up_by_hand(project, out)}")


@state.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be restored and lost.")
@click.option("--list", "as_list", is_flag=True, help="Only list the backups, newest first.")
@click.option("--lock-timeout", type=Duration(), default=0.0, metavar="TIME", help="Wait so long for the state's lock.")
@project_options
@pass_session
def restore(session: Session, file: Path | None, dry_run: bool, as_list: bool, lock_timeout: float) -> None:
    """Put a backup in the place of the state. Without FILE: the newest that was not made by a restore.

    The present state is backed up first, so that this can be undone; a damaged one is moved aside. The next plan looks
    for runs that the restored state does not know.

    \b
    Examples:
      reconciler state restore --list
      reconciler state restore --dry-run
      reconciler state restore
    """
    from reconciler.safekeeping import restorable, restore
    from reconciler.views.paint import escape
    from reconciler.views.times import local

    project = open_project(session, records_only=True)
    if as_list:
        for found in restorable(project):
            held = "unreadable" if found.attempts is None else f"{found.attempts:,} attempts"
            session.say(escape(f"{local(found.at)}  serial {found.serial}  {found.why}  {held}  {found.path}"))
        return
    for line in _lines(restore(project, file, dry_run, lock_timeout), dry_run):
        session.say(escape(line))


def _lines(done: Restored, dry_run: bool) -> list[str]:
    """What was done, what is lost, how to undo it, what comes next."""
    would = "Would restore" if dry_run else "Restored"
    lines = [
        f"{would} {done.backup} (serial {done.backup_serial}, {done.attempts:,} attempts);"
        f" the state's serial {'would be' if dry_run else 'is'} {done.serial} from now on."
    ]
    if done.aside is not None:
        lines.append(f"The damaged database {'would be moved aside' if dry_run else f'was moved aside: {done.aside}'}.")
    if done.lost:
        lines.append(f"The backup lacks what the state {'has' if dry_run else 'had'} since:")
        lines += [f"  {_lost(attempt)}" for attempt in done.lost[:_SHOWN]]
        lines += [f"  … and {len(done.lost) - _SHOWN:,} more"] if len(done.lost) > _SHOWN else []
    if dry_run:
        return [*lines, "Nothing was done."]
    if done.approvals:
        lines.append(f"Its {done.approvals:,} approval(s) count no more. What is suspended stays suspended.")
    if done.kept is not None:
        lines.append(f"To undo this: reconciler state restore {done.kept}")
    return [*lines, "Next: `reconciler plan`; it looks for runs that this state does not know."]


def _lost(attempt: AttemptRecord) -> str:
    return f"{attempt.address}: " + (
        f"run {attempt.run_id} ({attempt.status or 'not looked at yet'})"
        if attempt.run_id
        else f"a submission that is {attempt.phase}"
    )
