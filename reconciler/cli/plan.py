"""``reconciler plan``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.options import mode_options, open_project, planning_options, project_options
from reconciler.cli.output import to_json
from reconciler.cli.session import Session, pass_session

if TYPE_CHECKING:
    from reconciler.pipeline.plan import PlanOptions


@click.command()
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Save the plan, for `apply FILE`.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print the plan.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when changes are planned.")
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
    as_json: bool,
    detailed_exitcode: bool,
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
    """
    from reconciler.cli.exits import CHANGES, DONE, ERROR, LIMIT, UNSUCCESSFUL
    from reconciler.model.errors import UsageError
    from reconciler.model.limits import Level
    from reconciler.pipeline.plan import Mode, make_plan
    from reconciler.planning.planfile import write_plan
    from reconciler.revisions import revision_of
    from reconciler.views.paint import Paint
    from reconciler.views.plan_json import failed_plan_json, plan_json
    from reconciler.views.plan_text import plan_text

    if out is not None and planning.offline:
        raise UsageError("--offline plans against the records alone, so it can't be saved for applying. Drop one.")
    as_json = as_json or form == "json"
    if as_json:
        session.on_error = lambda found, code: session.say(to_json(failed_plan_json(found)))
    project = open_project(session)
    if as_json or out is not None:
        planning = replace(planning, revision=revision_of(project.root))
    made = make_plan(project, planning)
    session.on_error = None  # the plan says it all
    if as_json:
        session.say(to_json(plan_json(made)))
    else:
        session.say(plan_text(made, Paint(session.colour(sys.stdout)), session.width(sys.stdout), quiet=session.quiet))
    if not made.valid:
        session.warn(["The plan has errors, so it can't be applied."])
        ctx.exit(ERROR)
    forbidding = [item.limit for item in made.forbidding]
    if out is not None and not any(limit.level is Level.HARD for limit in forbidding):
        write_plan(out, made)
        overrides = "".join(f" --override {limit.name}" for limit in forbidding)
        overriding = f"{overrides} --reason TEXT" if overrides else ""
        session.warn([f"Saved: {session.command('apply', str(out))}{overriding}"])
    if forbidding:
        session.warn(["A limit forbids this plan, so it can't be applied."])
        ctx.exit(LIMIT)
    if strict and made.unmet:
        ctx.exit(UNSUCCESSFUL)
    changes = made.has_changes or (planning.mode is Mode.REFRESH_ONLY and made.drift)
    ctx.exit(CHANGES if detailed_exitcode and changes else DONE)
