"""Options that several commands share. The stages are imported when a command runs, so that help stays quick."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconciler.cli.session import Session

if TYPE_CHECKING:
    from reconciler.config.variables import Given
    from reconciler.pipeline.plan import PlanOptions
    from reconciler.project import Project

_Command = TypeVar("_Command", bound=Callable[..., Any])


def open_project(session: Session) -> Project:
    """The project of this invocation. Raises ConfigurationError with everything that is wrong."""
    from reconciler.project import read_project

    return read_project(session.root, os.environ, session.state_url, given(session))


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
    """What a plan may be asked, wherever one is made."""
    for decorate in (
        click.option("--strict", is_flag=True, help="Standing unmet runs make the exit code 7."),
        click.option("--no-refresh", is_flag=True, help="Take runs as they were recorded; do not list them."),
        click.option("--replace", multiple=True, metavar="ADDRESS", help="Buy this run again; may be repeated."),
    ):
        command = decorate(command)
    return command


def plan_options(replace: tuple[str, ...], no_refresh: bool, offline: bool = False) -> PlanOptions:
    """The options of a plan as the pipeline takes them."""
    from reconciler.pipeline.plan import PlanOptions

    return PlanOptions(replace, ask_service=not (no_refresh or offline), offline=offline)


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
