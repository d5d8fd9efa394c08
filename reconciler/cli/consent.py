"""``reconciler approve``, ``suspend`` and ``resume``: what a controller may do, recorded in the state."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from reconciler.cli.options import Duration, digest_of, given, open_project, project_options
from reconciler.cli.output import to_json
from reconciler.cli.session import Session, pass_session

if TYPE_CHECKING:
    from reconciler.project import Project

_json = click.option("--json", "as_json", is_flag=True, help="With --list: every one as JSON, with times in UTC.")
_every = click.option("--every-environment", is_flag=True, help="In the state of each of environments/*.toml.")


def _digest(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    return value if value is None else digest_of(ctx, param, value)


def _patterns(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """An empty one may be a script's variable that was not set, and must not stand for everything."""
    if not all(pattern.strip() for pattern in value):
        raise click.BadParameter("it is empty. Name an address or a pattern; leave it out for everything.")
    return value


@click.command()
@click.argument("digest", callback=_digest, required=False)
@click.option("--reason", default="", metavar="TEXT", help="Why; it is recorded.")
@click.option("--for", "seconds", type=Duration(), metavar="TIME", help="It counts so long (8h); else until revoked.")
@click.option("--revoke", is_flag=True, help="Take it back.")
@click.option("--list", "listed", is_flag=True, help="Only list what is approved, newest first.")
@_json
@project_options
@pass_session
def approve(
    session: Session, digest: str | None, reason: str, seconds: float | None, revoke: bool, listed: bool, as_json: bool
) -> None:
    """Let a controller (`reconciler watch`) apply the plan with this digest, and no other.

    It is recorded in the state, with who and when. Limits, caps, deny windows and suspensions hold all the same.

    \b
    Examples:
      reconciler approve "$DIGEST" --reason "agreed in the review"
      reconciler approve "$DIGEST" --revoke
      reconciler approve --list
    """
    from reconciler import consenting
    from reconciler.model.errors import UsageError
    from reconciler.views.consent_view import approvals_json, approvals_text

    _refuse_mixture(listed, as_json, bool(digest or reason or seconds or revoke))
    project = open_project(session, records_only=True)
    if listed:
        found = consenting.listed_approvals(project)
        session.say(to_json(approvals_json(found)) if as_json else approvals_text(found))
        return
    if digest is None:
        raise UsageError("DIGEST is missing: the controller tells it, as do `plan --out` and the plan comment.")
    if revoke:
        consenting.revoke(project, digest)
        session.tell(f"{digest} is no longer approved.")
        return
    made = consenting.approve(project, digest, reason.strip(), seconds)
    session.tell(f"{digest} is approved by {made.user}@{made.host}{_until(made.until)}.")


@click.command()
@click.argument("patterns", nargs=-1, metavar="[ADDRESS]...", callback=_patterns)
@click.option("--reason", default="", metavar="TEXT", help="Why; whoever meets it later is told. Required.")
@click.option("--for", "seconds", type=Duration(), metavar="TIME", help="So long (8h); else until resumed.")
@_every
@click.option("--list", "listed", is_flag=True, help="Only list what is suspended, newest first.")
@_json
@project_options
@pass_session
def suspend(
    session: Session,
    patterns: tuple[str, ...],
    reason: str,
    seconds: float | None,
    every_environment: bool,
    listed: bool,
    as_json: bool,
) -> None:
    """Let a controller (`reconciler watch`) leave addresses alone; without any, everything of this state.

    With --env it is that environment's state, and so that environment. A person's own `apply` is not held back.

    \b
    Examples:
      reconciler suspend --reason "the bill is looked at"
      reconciler suspend "run.sweep*" --reason "the spec is being mended" --for 8h
      reconciler suspend --list
    """
    from reconciler import consenting
    from reconciler.model.errors import UsageError
    from reconciler.views.consent_view import suspensions_json, suspensions_text

    _refuse_mixture(listed, as_json, bool(patterns or reason or seconds or every_environment))
    if listed:
        found = consenting.listed_suspensions(open_project(session, records_only=True))
        session.say(to_json(suspensions_json(found)) if as_json else suspensions_text(found))
        return
    if not reason.strip():
        raise UsageError("--reason is missing: whoever meets the suspension later wants to know.")

    def do(project: Project, where: str) -> None:
        for scope in patterns or (consenting.EVERYTHING,):
            made = consenting.suspend(project, scope, reason, seconds)
            what = f"{where}{made.scope or 'Everything'} is suspended by {made.user}@{made.host}{_until(made.until)}."
            longer = "; " in made.reason and made.reason != reason.strip()
            session.tell(f"{what} It was suspended for longer already, and stays so." if longer else what)
        for scope in consenting.unmatched(project, patterns):
            session.caution(f"warning: {where}{scope} names nothing that is declared or recorded now.")

    _do(session, every_environment, "suspended", do)


@click.command()
@click.argument("patterns", nargs=-1, metavar="[ADDRESS]...", callback=_patterns)
@_every
@project_options
@pass_session
def resume(session: Session, patterns: tuple[str, ...], every_environment: bool) -> None:
    """End suspensions: those of these addresses, as they were given; without any, all of this state.

    \b
    Example:
      reconciler resume
    """
    from reconciler import consenting

    def do(project: Project, where: str) -> None:
        ended = consenting.resume(project, patterns)
        for one in ended:
            session.tell(f"{where}{one.scope or 'Everything'} is resumed.")
        if not ended:
            session.tell(f"{where}Nothing was suspended.")

    _do(session, every_environment, "resumed", do)


def _do(session: Session, every: bool, done: str, do: Callable[[Project, str], None]) -> None:
    """In the project's state, or in that of each environment: there what fails somewhere is told, and the rest done."""
    from reconciler.consenting import each_environment
    from reconciler.model.errors import ReconcilerError, UsageError
    from state.errors import StateError, StateMissing

    if not every:
        do(open_project(session, records_only=True), "")
        return
    if session.environment is not None or session.state_url is not None:
        raise UsageError("--every-environment names the states itself: it goes with neither --env nor --state.")
    failed, worked = [], 0
    for name, project in each_environment(session.root, os.environ, given(session)):
        try:
            if isinstance(project, ReconcilerError):
                raise project
            do(project, f"{name}: ")
            worked += 1
        except StateMissing:
            session.tell(f"{name}: there is no state yet; skipped.")
        except (ReconcilerError, StateError) as problem:
            failed.append(name)
            session.caution(f"{name}: {problem}")
    if failed:
        raise UsageError(f"Nothing, or not all, was {done} in {', '.join(failed)}: see above.")
    if not worked:
        raise UsageError("No environment has a state yet: its first `apply`, or its controller, makes it.")


def _refuse_mixture(listed: bool, as_json: bool, more: bool) -> None:
    from reconciler.model.errors import UsageError

    if listed and more:
        raise UsageError("--list records nothing: it goes with --json alone.")
    if as_json and not listed:
        raise UsageError("--json goes with --list.")


def _until(until: str | None) -> str:
    from reconciler.views.times import local

    return f" until {local(until)}" if until else ""
