"""What ``apply`` and ``destroy`` share: the plan, a question, the work, what became of it."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource
from msgspec import Struct

from reconciler.cli.collector import paused
from reconciler.cli.options import Duration, digest_of, open_project
from reconciler.cli.session import Session

if TYPE_CHECKING:
    from reconciler.applying.interruption import Interruption
    from reconciler.cli.telling import Telling
    from reconciler.model.limits import Override
    from reconciler.model.plan import Plan
    from reconciler.pipeline.plan import PlanOptions

_OVERTAKEN = 3  # times that a reviewed plan is made again because others were quicker
_Command = TypeVar("_Command", bound=Callable[..., Any])


class How(Struct, frozen=True):
    """The options of an apply. Times in seconds; ``wait``: None = until every run rests, 0 = do not follow."""

    auto_approve: bool
    prune: bool
    wait: float | None
    lock_timeout: float
    parallelism: int | None
    as_json: bool
    overrides: tuple[Override, ...]
    expected: str  # the digest of the plan that was reviewed; empty: none is expected


def applying_options(command: _Command) -> _Command:
    """How an apply is done. The command gets it as ``how``: a :class:`How`."""

    @functools.wraps(command)
    def collected(
        *args: Any,
        auto_approve: bool,
        prune: bool,
        no_wait: bool,
        wait_timeout: float | None,
        lock_timeout: float,
        parallelism: int | None,
        as_json: bool,
        override: tuple[str, ...],
        reason: str | None,
        expect_digest: str,
        **others: Any,
    ) -> Any:
        from reconciler.model.errors import UsageError
        from reconciler.model.limits import Override

        said = (reason or "").strip()
        if bool(override) != bool(said):
            raise UsageError("--override NAME and --reason TEXT belong together: the history says who let what pass.")
        wait = 0.0 if no_wait else wait_timeout
        overrides = tuple(Override(name, said) for name in dict.fromkeys(override))
        how = How(auto_approve, prune, wait, lock_timeout, parallelism, as_json, overrides, expect_digest)
        return command(*args, how=how, **others)

    wrapped: Any = collected
    for decorate in (
        click.option("--json", "as_json", is_flag=True, help="Events as JSON, one object a line."),
        click.option("--reason", metavar="TEXT", help="Why a limit is overridden; it is recorded."),
        click.option("--override", multiple=True, metavar="NAME", help="Let this plan pass a soft limit."),
        click.option("--parallelism", type=click.IntRange(1, 1000), metavar="N", help="Submissions in flight at once."),
        click.option(
            "--lock-timeout", type=Duration(), default=0.0, metavar="TIME", help="Wait so long for the state's lock."
        ),
        click.option("--wait-timeout", type=Duration(), metavar="TIME", help="Follow at most so long (90s, 15m, 2h)."),
        click.option("--no-wait", is_flag=True, help="Submit and leave; the runs go on."),
        click.option(
            "--expect-digest",
            default="",
            callback=_digest,
            metavar="DIGEST",
            help="Only the plan that was reviewed, or what is left of it; with PLANFILE, as it was saved. Not asked.",
        ),
        click.option("--prune", is_flag=True, help="Consent to cancelling and deleting where nobody is asked."),
        click.option("--auto-approve", is_flag=True, help="Do not ask."),
    ):
        wrapped = decorate(wrapped)
    return cast(_Command, wrapped)


def _digest(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Nothing, or a whole digest. An empty one is a script's variable that was not set, and must not expect nothing."""
    given = ctx.get_parameter_source("expect_digest") is not ParameterSource.DEFAULT
    return digest_of(ctx, param, value) if given else ""


def perform(session: Session, planfile: Path | None, planning: PlanOptions, how: How, strict: bool) -> int:
    """Plan (or read the saved plan), ask, apply; as long as decisions of people bring new plans. Returns the exit code.

    Errors: everything that ``cli.exits`` explains.
    """
    from reconciler.applying.interruption import Interruption
    from reconciler.cli.deciding import ask
    from reconciler.cli.exits import code_of, standing_code
    from reconciler.cli.signals import stop_on_signals
    from reconciler.model.errors import PlanOutdated
    from reconciler.model.events import Told
    from reconciler.pipeline.apply import (
        ApplyOptions,
        apply_plan,
        await_lock,
        expect,
        has_unsettled,
        is_overtaken,
        refuse_environment,
        refuse_errors,
        refuse_limits,
        with_overrides,
    )
    from reconciler.pipeline.plan import make_plan
    from reconciler.planning.planfile import read_plan
    from reconciler.views.plan_text import as_saved

    _telling(session, how.as_json, Interruption())  # what fails from here on is told in its way
    project = open_project(session, records_only=planfile is not None and not how.expected)
    asking = session.interactive and not how.auto_approve and not how.as_json
    overtaken = 0
    while True:
        interruption = Interruption()
        telling = _telling(session, how.as_json, interruption)
        await_lock(project, how.lock_timeout)
        saved = read_plan(planfile) if planfile else None
        with paused():
            made = saved if saved and not how.expected else make_plan(project, planning)
        refuse_environment(project, made)
        made = with_overrides(project, made, how.overrides)
        telling.plan(as_saved(made) if made is saved else made)
        if how.expected:
            try:
                made = with_overrides(project, expect(project, made, how.expected, saved), how.overrides)
            except PlanOutdated:
                if overtaken >= _OVERTAKEN or not is_overtaken(project, made):
                    raise
                overtaken += 1
                continue  # another job with the same digest was quicker: what it left is planned again
        elif asking and not saved and ask(session, project, [(u.address, u.outlook) for u in made.unmet if u.outlook]):
            continue  # what was decided changes the plan
        refuse_errors(made)
        refuse_limits(project, made)
        for item in made.exceeded:
            if item.override:
                telling.event(Told(f"Limit {item.limit.name} is overridden: {item.override}"))
        if not made.has_changes and not has_unsettled(project):
            code = standing_code(made, strict)
            telling.nothing(code)
            return code
        if saved is None and not how.expected and made.has_changes:
            _consent(session, made, how)
        reviewed = saved.actions if saved and how.expected else ()
        options = ApplyOptions(how.parallelism, how.wait, how.lock_timeout, how.overrides, reviewed)
        with stop_on_signals(interruption):
            try:
                report = apply_plan(project, made, options, interruption, telling.event)
            finally:
                telling.stop()
        code = code_of(report) or standing_code(made, strict)
        telling.close(report, code)
        if interruption():
            return code
        if report.resubmitted and (how.expected or not planfile):
            continue  # [apply] resubmit_absent_after: the next plan buys them
        open_ones = [(item.address, item.outlook) for item in report.unsettled]
        if not (asking and ask(session, project, open_ones)):
            return code


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


def _consent(session: Session, made: Plan, how: How) -> None:
    """Somebody has to want this: a person who is asked, or options that say so."""
    from reconciler.model.errors import UsageError

    asking = session.interactive and not how.auto_approve and not how.as_json
    if not asking and not how.auto_approve:
        raise UsageError(
            "Nobody can be asked here (no terminal). Use --auto-approve, --expect-digest, or a plan saved with --out."
        )
    stopping = [action for action in made.actions if action.stops and not action.deposed]
    if not asking and stopping and not how.prune:
        first = f"{stopping[0].kind} {stopping[0].address}"
        raise UsageError(
            f"The plan cancels or deletes {len(stopping)} run(s) ({first}{', …' if len(stopping) > 1 else ''}), and "
            "nobody is asked. Use --prune to consent, --expect-digest, or a plan saved with --out. Nothing was done."
        )
    if asking and _answer() != "yes":
        raise UsageError("Apply cancelled. Nothing was done.")


def _answer() -> str:
    try:
        return input("\nDo you want to perform these actions? Only 'yes' is accepted: ").strip()
    except EOFError:
        print()  # whatever comes next starts on a line of its own
        return ""
