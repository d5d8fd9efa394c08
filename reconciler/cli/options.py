"""Options that several commands share. The stages are imported when a command runs, so that help stays quick."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from reconciler.cli.collector import paused
from reconciler.cli.session import Session

if TYPE_CHECKING:
    from reconciler.config.variables import Given
    from reconciler.project import Project

_Command = TypeVar("_Command", bound=Callable[..., Any])


def open_project(session: Session, *, records_only: bool = False, stateless: bool = False) -> Project:
    """The project of this invocation. Raises ConfigurationError with everything that is wrong. ``records_only``: what
    is declared does not matter, so that nobody has to give values of its variables; ``stateless``: it may be unknown
    where its state is.
    """
    from reconciler.model.errors import UsageError
    from reconciler.project import read_project
    from state.postgres.url import holds_password

    if session.state_url and holds_password(session.state_url):
        raise UsageError(
            "--state holds a password, which everybody on this machine can read from the list of processes. Leave it to"
            " PGPASSWORD or ~/.pgpass, or give the whole URL in RECONCILER_STATE_URL."
        )
    with paused():
        return read_project(session.root, os.environ, session.state_url, given(session), records_only, stateless)


def given(session: Session) -> Given:
    """What the command line says of the project."""
    from reconciler.config.variables import Given

    return Given(session.environment, session.variables, session.variable_files)


def project_options(command: _Command) -> _Command:
    """What a project may be told, wherever one is opened; kept in the session."""

    def variables(ctx: click.Context, _: click.Parameter, values: tuple[str, ...]) -> None:
        ctx.ensure_object(Session).variables = values

    def files(ctx: click.Context, _: click.Parameter, values: tuple[Path, ...]) -> None:
        ctx.ensure_object(Session).variable_files = values

    for decorate in (
        click.option(
            "--var-file",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="FILE",
            expose_value=False,
            callback=files,
            help="Values of variables, in TOML; may be repeated.",
        ),
        click.option(
            "--var",
            multiple=True,
            metavar="NAME=VALUE",
            expose_value=False,
            callback=variables,
            help="The value of a variable; may be repeated.",
        ),
    ):
        command = decorate(command)
    return command


def planning_options(command: _Command) -> _Command:
    """What a plan may be asked, wherever one is made. The command gets it as ``planning``: a :class:`PlanOptions`."""

    @functools.wraps(command)
    def collected(
        *args: Any,
        replace: tuple[str, ...],
        target: tuple[str, ...],
        exclude: tuple[str, ...],
        allow_duplicates: bool,
        no_refresh: bool,
        destroy: bool = False,
        refresh_only: bool = False,
        offline: bool = False,
        **others: Any,
    ) -> Any:
        from reconciler.model.errors import UsageError
        from reconciler.pipeline.plan import Mode, PlanOptions

        if destroy and refresh_only:
            raise UsageError("--destroy and --refresh-only exclude each other.")
        if (destroy or refresh_only) and replace:
            raise UsageError("--replace buys, so it goes with neither --destroy nor --refresh-only.")
        mode = Mode.DESTROY if destroy else Mode.REFRESH_ONLY if refresh_only else Mode.NORMAL
        asks = not (no_refresh or offline)
        planning = PlanOptions(mode, replace, target, exclude, allow_duplicates, ask_service=asks, offline=offline)
        return command(*args, planning=planning, **others)

    wrapped: Any = collected
    for decorate in (
        click.option("--strict", is_flag=True, help="Standing unmet runs make the exit code 7."),
        click.option("--no-refresh", is_flag=True, help="Take runs as they were recorded; do not list them."),
        click.option("--allow-duplicates", is_flag=True, help="Buy also what an undeclared address has already."),
        click.option(
            "--replace", multiple=True, metavar="ADDRESS", help="Buy this run again, each time; may be repeated."
        ),
        click.option("--exclude", multiple=True, metavar="ADDRESS", help="Leave this out (a glob may name several)."),
        click.option("--target", multiple=True, metavar="ADDRESS", help="Only this, and what it depends on."),
    ):
        wrapped = decorate(wrapped)
    return cast(_Command, wrapped)


def digest_of(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """A whole digest of a plan."""
    if re.fullmatch("sha256:[0-9a-f]{64}", value.strip()) is None:
        said = "is empty" if not value.strip() else "is no digest of a plan"
        where = "as `plan --out`, `show PLANFILE`, the plan comment and the controller tell it"
        raise click.BadParameter(f"it {said}: `sha256:` and 64 hexadecimal digits, {where}.")
    return value.strip()


def mode_options(command: _Command) -> _Command:
    """What a plan is for; below :func:`planning_options`."""
    for decorate in (
        click.option("--refresh-only", is_flag=True, help="Only what the service says otherwise than the records."),
        click.option("--destroy", is_flag=True, help="As if nothing were declared."),
    ):
        command = decorate(command)
    return command


FORMATS = ("text", "json", "markdown", "gitlab", "github", "junit")


def format_options(command: _Command) -> _Command:
    """How a plan is printed. The command gets it as ``form``, one of ``FORMATS``, and ``max_bytes``."""

    @functools.wraps(command)
    def collected(*args: Any, form: str, as_json: bool, **others: Any) -> Any:
        return command(*args, form="json" if as_json else form, **others)

    wrapped: Any = collected
    for decorate in (
        click.option(
            "--max-bytes",
            type=click.IntRange(min=1_500),  # views.plan_markdown.MINIMUM_BYTES, which help does not import
            default=65_000,
            show_default=True,
            metavar="N",
            help="How long a comment (markdown, and the summary of github) may be.",
        ),
        click.option("--json", "as_json", is_flag=True, help="The same as --format json."),
        click.option(
            "--format", "form", type=click.Choice(FORMATS), default="text", help="How to print it.", show_default=True
        ),
    ):
        wrapped = decorate(wrapped)
    return cast(_Command, wrapped)


class Duration(click.ParamType[float]):
    """``90s``, ``15m``, ``2h`` as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse, or fail with what is allowed."""
        from reconciler.config.settings import seconds

        if isinstance(value, (int, float)):
            return float(value)
        try:
            return seconds(str(value))
        except ValueError as problem:
            self.fail(str(problem), param, ctx)
