"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from reconciler.cli.session import Session
from reconciler.pipeline import PlanOptions, Project, read_project


def open_project(session: Session) -> Project:
    """The project of this invocation. Raises ConfigurationError with everything that is wrong."""
    return read_project(session.root, os.environ, session.state_url)


def planning_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a plan may ask; handed over as ``options``."""

    def collected(*args: Any, replace: tuple[str, ...], no_refresh: bool, **more: Any) -> Any:
        offline = more.pop("offline", False)
        options = PlanOptions(replace, ask_service=not (no_refresh or offline), offline=offline)
        return command(*args, options=options, **more)

    collected.__name__, collected.__doc__ = command.__name__, command.__doc__
    for decorate in (
        click.option("--replace", multiple=True, metavar="ADDRESS", help="Buy this run again; may be repeated."),
        click.option("--no-refresh", is_flag=True, help="Take runs as they were recorded; do not list them."),
    ):
        collected = decorate(collected)
    return collected


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
