"""``reconciler apply`` and ``destroy``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.options import mode_options, open_project, planning_options, project_options
from reconciler.cli.perform import How, applying_options, perform
from reconciler.cli.session import Session, pass_session

if TYPE_CHECKING:
    from reconciler.pipeline.plan import PlanOptions


@click.command()
@click.argument("planfile", required=False, type=click.Path(path_type=Path))
@applying_options
@project_options
@mode_options
@planning_options
@click.pass_context
@pass_session
def apply(
    session: Session,
    ctx: click.Context,
    planfile: Path | None,
    planning: PlanOptions,
    how: How,
    strict: bool,
) -> None:
    """Perform the plan: buy what is missing, stop what is not wanted, follow every run to its end.

    With PLANFILE exactly that plan; with --expect-digest exactly what was reviewed: it is planned afresh, and goes on
    only if the plan is the same, or what is left of it. Safe to repeat at any time: nothing is bought twice, save by
    --replace.

    \b
    Examples:
      reconciler apply
      reconciler apply --auto-approve --no-wait
      reconciler apply tonight.plan
      reconciler apply --expect-digest "$DIGEST"
      reconciler apply --override max_new_runs --reason "quarterly refresh, agreed"
    """
    from reconciler.model.errors import UsageError
    from reconciler.pipeline.plan import Mode, PlanOptions

    if planfile is not None and planning != PlanOptions() and not how.expected:
        raise UsageError("A saved plan is performed as it is: what changes a plan belongs to `plan --out`.")
    if planning.mode is Mode.REFRESH_ONLY:
        if how.expected or planfile is not None:
            raise UsageError("--refresh-only performs no plan, so there is none to expect.")
        from reconciler.bookkeeping import refresh_state
        from reconciler.views.paint import one_line

        done = refresh_state(open_project(session), session.caution)
        for line in done.told:
            session.say(one_line(line))
        session.tell(f"Refreshed: {done.runs:,} run{'' if done.runs == 1 else 's'} looked at.")
        return
    ctx.exit(perform(session, planfile, planning, how, strict))


@click.command()
@applying_options
@project_options
@planning_options
@click.pass_context
@pass_session
def destroy(session: Session, ctx: click.Context, planning: PlanOptions, how: How, strict: bool) -> None:
    """End everything that is recorded, as if nothing were declared: what works is cancelled, what rests is forgotten.

    What a run made stays on the service, unless its lifecycle says on_remove = "delete".

    \b
    Examples:
      reconciler destroy --target run.old_sweep
      reconciler destroy --auto-approve --prune
    """
    from msgspec.structs import replace

    from reconciler.model.errors import UsageError
    from reconciler.pipeline.plan import Mode

    if planning.replace:
        raise UsageError("--replace buys, and destroy ends: use one of them.")
    ctx.exit(perform(session, None, replace(planning, mode=Mode.DESTROY), how, strict))
