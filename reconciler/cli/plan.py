"""``reconciler plan``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from reconciler.cli.collector import paused
from reconciler.cli.options import format_options, given, mode_options, open_project, planning_options, project_options
from reconciler.cli.session import Session, pass_session

if TYPE_CHECKING:
    from reconciler.model.plan import Plan
    from reconciler.pipeline.plan import PlanOptions


@click.command()
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Save the plan, for `apply FILE`.")
@format_options
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when changes are planned.")
@click.option("--base", metavar="REF", help="Compare with this revision: mark what the branch did not cause.")
@click.option("--offline", is_flag=True, help="No network and no key: against the records alone.")
@project_options
@mode_options
@planning_options
@click.pass_context
@pass_session
def plan(
    session: Session,
    ctx: click.Context,
    out: Path | None,
    form: str,
    max_bytes: int,
    detailed_exitcode: bool,
    base: str | None,
    planning: PlanOptions,
    strict: bool,
) -> None:
    """Show what an apply would do, and why. Takes no lock, writes nothing.

    \b
    Examples:
      reconciler plan
      reconciler plan --out tonight.plan
      reconciler plan --replace run.tickets_eval
      reconciler plan --target 'run.sweep*' --exclude 'run.*["openai*"]'
      reconciler plan --refresh-only --detailed-exitcode
      reconciler plan --base origin/main --format markdown
      reconciler plan --offline --base origin/main
    """
    from reconciler.cli.exits import CHANGES, DONE, ERROR, LIMIT, UNSUCCESSFUL
    from reconciler.cli.rendering import failure, render
    from reconciler.model.errors import UsageError
    from reconciler.model.limits import Level
    from reconciler.pipeline.plan import Mode, make_plan

    if out is not None and planning.offline:
        raise UsageError("--offline plans against the records alone, so it can't be saved for applying. Drop one.")
    session.on_error = failure(session, form, max_bytes)
    project = open_project(session, stateless=planning.offline)
    if form != "text" or out is not None or base is not None:
        from reconciler.revisions import declared_at, revision_of

        compared = None if base is None else declared_at(project.root, base, project.environ, given(session))
        planning = replace(planning, revision=revision_of(project.root, compared), base=compared)
    with paused():
        made = make_plan(project, planning)
    session.on_error = None  # the plan says it all
    code = render(session, made, form, max_bytes)
    if out is not None:
        from reconciler.planning.planfile import write_plan

        write_plan(out, made)
        _tell_saved(session, out, made)
    if not made.valid:
        session.warn(["The plan has errors, so it can't be applied."])
        ctx.exit(ERROR)
    if made.forbidding:
        way = " without --override" if all(item.limit.level is Level.SOFT for item in made.forbidding) else ""
        session.warn([f"A limit forbids this plan, so it can't be applied{way}."])
        ctx.exit(code or LIMIT)
    if code:
        ctx.exit(code)
    if strict and made.unmet:
        ctx.exit(UNSUCCESSFUL)
    changes = made.has_changes or (planning.mode is Mode.REFRESH_ONLY and made.drift)
    ctx.exit(CHANGES if detailed_exitcode and changes else DONE)


def _tell_saved(session: Session, out: Path, made: Plan) -> None:
    """How to go on with it; one that can't be applied is there to be looked at."""
    from reconciler.model.limits import Level

    if made.valid and not any(item.limit.level is Level.HARD for item in made.forbidding):
        overrides = "".join(f" --override {item.limit.name}" for item in made.forbidding)
        overriding = f"{overrides} --reason TEXT" if overrides else ""
        session.warn([f"Saved: {session.command('apply', str(out))}{overriding}"])
    else:
        session.warn([f"Saved, to be looked at only: {session.command('show', str(out))}"])
    session.warn([f"Digest: {made.digest}"])
