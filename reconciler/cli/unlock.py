"""``reconciler unlock``."""

from __future__ import annotations

import click

from reconciler.cli.options import open_project, project_options
from reconciler.cli.session import Session, pass_session


@click.command()
@click.argument("lock_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask on a terminal.")
@project_options
@pass_session
def unlock(session: Session, lock_id: str, yes: bool) -> None:
    """Break the state's lock, after showing who holds it. ID is that of the message which said that it is locked.

    Only for a holder that hangs for good: a lock is gone with its process. The holder can record nothing more from
    then on; what it was submitting is settled by the next apply.

    \b
    Example:
      reconciler unlock 3f0c5a9b12de
    """
    from reconciler.model.errors import UsageError
    from reconciler.views.paint import escape
    from reconciler.views.times import local
    from state.errors import StateLockDiffers

    project = open_project(session, records_only=True)
    store = project.open_state()
    try:
        holder = store.holder()
        if holder is not None and holder.lock_id != lock_id:
            raise StateLockDiffers(lock_id, holder)
        if holder is not None:
            session.say(
                escape(
                    f"The state is locked by {holder.user}@{holder.host}, process {holder.pid}, {holder.command!r},"
                    f" since {local(holder.since)} (lock {holder.lock_id})."
                )
            )
            if session.interactive and not yes and _answer() != "yes":
                raise UsageError("The lock stays. Nothing was done.")
        store.unlock(lock_id)  # raises where there is none, and says of which state
    finally:
        store.close()
    session.say("The lock is broken; that command can record nothing more. Next: `reconciler apply`.")


def _answer() -> str:
    try:
        return input("Break it? Only 'yes' is accepted: ").strip()
    except EOFError:
        return ""
