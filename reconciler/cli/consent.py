"""``reconciler approve``, ``suspend`` and ``resume``: what a controller may do, recorded in the state."""

from __future__ import annotations

import click

from reconciler.cli.options import Duration, digest_of, open_project, project_options
from reconciler.cli.session import Session, pass_session


@click.command()
@click.argument("digest", callback=digest_of)
@click.option("--reason", default="", metavar="TEXT", help="Why; it is recorded.")
@click.option("--for", "seconds", type=Duration(), metavar="TIME", help="It counts so long (8h); else until revoked.")
@click.option("--revoke", is_flag=True, help="Take it back.")
@project_options
@pass_session
def approve(session: Session, digest: str, reason: str, seconds: float | None, revoke: bool) -> None:
    """Let a controller (`reconciler watch`) apply the plan with this digest, and no other.

    It is recorded in the state, with who and when. Limits, caps, deny windows and suspensions hold all the same.

    \b
    Examples:
      reconciler approve "$DIGEST" --reason "agreed in the review"
      reconciler approve "$DIGEST" --revoke
    """
    from reconciler import consenting

    project = open_project(session, records_only=True)
    if revoke:
        consenting.revoke(project, digest)
        session.tell(f"{digest} is no longer approved.")
        return
    made = consenting.approve(project, digest, reason.strip(), seconds)
    until = f" until {made.until}" if made.until else ""
    session.tell(f"{digest} is approved by {made.user}@{made.host}{until}.")


@click.command()
@click.argument("patterns", nargs=-1, metavar="[ADDRESS]...")
@click.option("--reason", required=True, metavar="TEXT", help="Why; whoever meets it later is told.")
@click.option("--for", "seconds", type=Duration(), metavar="TIME", help="So long (8h); else until resumed.")
@project_options
@pass_session
def suspend(session: Session, patterns: tuple[str, ...], reason: str, seconds: float | None) -> None:
    """Let a controller (`reconciler watch`) leave addresses alone; without any, everything of this state.

    With --env it is that environment's state, and so that environment. A person's own `apply` is not held back.

    \b
    Examples:
      reconciler suspend --reason "the bill is looked at"
      reconciler suspend "run.sweep*" --reason "the spec is being mended" --for 8h
    """
    from reconciler import consenting

    project = open_project(session, records_only=True)
    for scope in patterns or (consenting.EVERYTHING,):
        made = consenting.suspend(project, scope, reason, seconds)
        until = f" until {made.until}" if made.until else ""
        session.tell(f"{made.scope or 'Everything'} is suspended by {made.user}@{made.host}{until}.")


@click.command()
@click.argument("patterns", nargs=-1, metavar="[ADDRESS]...")
@project_options
@pass_session
def resume(session: Session, patterns: tuple[str, ...]) -> None:
    """End suspensions: those of these addresses, as they were given; without any, all of this state.

    \b
    Example:
      reconciler resume
    """
    from reconciler import consenting

    project = open_project(session, records_only=True)
    ended = [one for scope in patterns or (None,) for one in consenting.resume(project, scope)]
    for one in ended:
        session.tell(f"{one.scope or 'Everything'} is resumed.")
    if not ended:
        session.tell("Nothing was suspended.")
