"""``reconciler apply``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.options import Duration, open_project, plan_options, planning_options, project_options
from reconciler.cli.session import Session, pass_session

if TYPE_CHECKING:
    from reconciler.applying.interruption import Interruption
    from reconciler.cli.telling import Telling
    from reconciler.model.changes import Plan


@click.command()
@click.argument("planfile", required=False, type=click.Path(path_type=Path))
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
@click.option("--prune", is_flag=True, help="Consent to cancelling and deleting where nobody is asked.")
@click.option("--no-wait", is_flag=True, help="Submit and leave; the runs go on.")
@click.option("--wait-timeout", type=Duration(), metavar="TIME", help="Follow at most so long (90s, 15m, 2h).")
@click.option("--lock-timeout", type=Duration(), default=0.0, metavar="TIME", help="Wait so long for the state's lock.")
@click.option("--parallelism", type=click.IntRange(1, 1000), metavar="N", help="Submissions in flight at once.")
@click.option("--json", "as_json", is_flag=True, help="Events as JSON, one object a line.")
@project_options
@planning_options
@click.pass_context
@pass_session
def apply(
    session: Session,
    ctx: click.Context,
    planfile: Path | None,
    auto_approve: bool,
    prune: bool,
    no_wait: bool,
    wait_timeout: float | None,
    lock_timeout: float,
    parallelism: int | None,
    as_json: bool,
    replace: tuple[str, ...],
    no_refresh: bool,
    strict: bool,
) -> None:
    """Perform the plan: buy what is missing, stop what is not wanted, follow every run to its end.

    With PLANFILE exactly that plan. Safe to repeat at any time: nothing is bought twice.

    \b
    Examples:
      reconciler apply
      reconciler apply --auto-approve --no-wait
      reconciler apply tonight.plan
    """
    from reconciler.applying.interruption import Interruption
    from reconciler.cli.deciding import ask
    from reconciler.cli.exits import code_of, standing_code
    from reconciler.cli.signals import stop_on_signals
    from reconciler.model.errors import UsageError
    from reconciler.pipeline.apply import ApplyOptions, apply_plan, await_lock, has_unsettled, refuse_errors
    from reconciler.pipeline.plan import make_plan
    from reconciler.planning.planfile import read_plan

    if planfile is not None and (replace or no_refresh):
        raise UsageError("A saved plan is performed as it is: --replace and --no-refresh belong to `plan --out`.")
    project = open_project(session)
    asking = session.interactive and not auto_approve and not as_json
    while True:
        interruption = Interruption()
        telling = _telling(session, as_json, interruption)
        await_lock(project, lock_timeout)
        made = read_plan(planfile) if planfile else make_plan(project, plan_options(replace, no_refresh))
        telling.plan(made)
        if asking and not planfile and ask(session, project, [(u.address, u.outlook) for u in made.unmet if u.outlook]):
            continue  # what was decided changes the plan
        refuse_errors(made)
        if not made.has_changes and not has_unsettled(project):
            code = standing_code(made, strict)
            telling.nothing(code)
            ctx.exit(code)
        if planfile is None and made.has_changes:
            _consent(session, made, auto_approve, prune, as_json)
        wait = 0.0 if no_wait else wait_timeout
        how = ApplyOptions(parallelism, wait, lock_timeout)
        with stop_on_signals(interruption):
            try:
                report = apply_plan(project, made, how, interruption, telling.event)
            finally:
                telling.stop()
        code = code_of(report) or standing_code(made, strict)
        telling.close(report, code)
        if interruption():
            ctx.exit(code)
        if report.resubmitted and not planfile:
            continue  # [apply] resubmit_absent_after: the next plan buys them
        open_ones = [(item.address, item.outlook) for item in report.unsettled]
        if not (asking and ask(session, project, open_ones)):
            ctx.exit(code)


def _telling(session: Session, as_json: bool, interruption: Interruption) -> Telling:
    """JSON if asked for, a live display on a terminal, plain lines elsewhere."""
    from reconciler.cli.telling import JsonTelling, PlainTelling
    from reconciler.views.paint import Paint

    if as_json:
        return JsonTelling(session)
    paint = Paint(session.colour(sys.stdout))
    if session.quiet or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return PlainTelling(session, paint)
    from reconciler.cli.live import LiveTelling

    return LiveTelling(session, paint, interruption)


def _consent(session: Session, made: Plan, auto_approve: bool, prune: bool, as_json: bool) -> None:
    """Somebody has to want this: a person who is asked, or options that say so."""
    from reconciler.model.errors import UsageError

    asking = session.interactive and not auto_approve and not as_json
    if not asking and not auto_approve:
        raise UsageError("Nobody can be asked here (no terminal). Use --auto-approve, or a plan saved with --out.")
    stopping = [action for action in made.actions if action.stops and not action.deposed]
    if not asking and stopping and not prune:
        first = f"{stopping[0].kind} {stopping[0].address}"
        raise UsageError(
            f"The plan cancels or deletes {len(stopping)} run(s) ({first}{', …' if len(stopping) > 1 else ''}), and "
            "nobody is asked. Use --prune to consent, or apply a plan saved with --out. Nothing was done."
        )
    if asking and _answer() != "yes":
        raise UsageError("Apply cancelled. Nothing was done.")


def _answer() -> str:
    try:
        return input("\nDo you want to perform these actions? Only 'yes' is accepted: ").strip()
    except EOFError:
        print()  # whatever comes next starts on a line of its own
        return ""
