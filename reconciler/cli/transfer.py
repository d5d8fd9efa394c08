"""``reconciler state pull`` and ``push``: the whole state as a text."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from reconciler.cli.options import Duration, open_project, project_options
from reconciler.cli.session import Session, pass_session

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from reconciler.transfer import Pulled, Pushed


@click.command()
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Into this file, which must not exist.")
@click.option("--dry-run", is_flag=True, help="Only say what would be written.")
@project_options
@pass_session
def pull(session: Session, out: Path | None, dry_run: bool) -> None:
    """Write the whole state as text, for `state push` elsewhere.

    For another place, another machine or another kind of database. One line for each row, to standard output or to a
    file that only you may read; it holds no secrets. Others may go on working: what they record later is not in it.

    \b
    Examples:
      reconciler state pull --out runs.state
      reconciler state pull | reconciler --state sqlite:////mnt/local/runs.db state push
    """
    from reconciler.model.errors import UsageError
    from reconciler.transfer import pull
    from state.files import new_file

    project = open_project(session, records_only=True)
    if dry_run:
        done = pull(project, lambda text: None)
        session.warn(done.cautions)
        session.say(f"Would write {_described(done)}. Nothing was done.")
    elif out is not None:
        with new_file(out) as path, path.open("w", encoding="ascii", newline="\n") as file:
            done = pull(project, file.write)
        session.warn(done.cautions)
        session.say(f"Wrote {_described(done)}: {out}")
    else:
        try:
            session.warn(pull(project, session.hand_over).cautions)
        except OSError as problem:
            raise UsageError(f"Only a part of the state could be written ({problem.strerror}).") from None


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--lock-timeout", type=Duration(), default=0.0, metavar="TIME", help="Wait so long for the state's lock.")
@project_options
@pass_session
def push(session: Session, file: Path | None, dry_run: bool, lock_timeout: float) -> None:
    """Put a state that `state pull` wrote in the place of this one. Without FILE, or with -: from standard input.

    It must be the same state and newer, or the present one must be empty; no recorded run is ever lost by it. A SQLite
    state is backed up first. The next plan looks for runs that the state does not know.

    \b
    Examples:
      reconciler state push --dry-run runs.state
      reconciler --state sqlite:////mnt/local/runs.db state push runs.state
      reconciler state pull | reconciler -C ../elsewhere state push
    """
    from reconciler.transfer import push
    from reconciler.views.paint import escape

    project = open_project(session, records_only=True)
    with _opened(file) as stream:
        done = push(project, stream, str(file) if _is_file(file) else "standard input", dry_run, lock_timeout)
    if done.warning:
        session.caution(done.warning)
    for line in _lines(done, dry_run):
        session.say(escape(line))


def _is_file(file: Path | None) -> bool:
    return file is not None and str(file) != "-"


def _opened(file: Path | None) -> AbstractContextManager[BinaryIO]:
    from reconciler.model.errors import UsageError

    if file is not None and _is_file(file):
        try:
            return file.open("rb")
        except OSError as problem:
            raise UsageError(f"{file} can't be read: {problem.strerror}.") from None
    if file is None and sys.stdin.isatty():
        raise UsageError("Name the file that `reconciler state pull --out FILE` wrote, or pipe it in.")
    return nullcontext(sys.stdin.buffer)


def _described(done: Pulled) -> str:
    return f"serial {done.meta.serial} of the state ({_rows(done.counts)}, lineage {done.meta.lineage})"


def _rows(counts: Counter[str]) -> str:
    return f"{counts['attempts']:,} attempts, {counts['instances']:,} addresses"


def _lines(done: Pushed, dry_run: bool) -> list[str]:
    """What was done, what speaks for care, how to undo it, what comes next."""
    theirs, ours = done.incoming, done.present
    if done.same:
        return [f"Nothing to do: the state has this content already (serial {theirs.serial})."]
    made = "a new state" if ours is None else f"the state (its serial {'is' if dry_run else 'was'} {ours.serial})"
    lines = [
        f"{'Would push' if dry_run else 'Pushed'} {_rows(done.counts)} into {made}; the serial"
        f" {'would be' if dry_run else 'is'} {done.serial} from now on (lineage {theirs.lineage})."
    ]
    if done.serial != theirs.serial:
        lines.append(
            f"This machine knows serial {done.serial - 1} of this state, and what was pushed has {theirs.serial}: what"
            " was decided in between is not in it."
        )
    if dry_run:
        return [*lines, "Nothing was done."]
    if ours is not None and ours.lineage == theirs.lineage:
        lines.append(
            f"To undo this: reconciler state restore {done.kept}"
            if done.kept
            else "No backup was made of what was there: it is no SQLite file."
        )
    return [
        *lines,
        "Do not use the state any more that this came from: two states that declare the same runs both buy them.",
        "Next: `reconciler plan`; it looks for runs that this state does not know.",
    ]
