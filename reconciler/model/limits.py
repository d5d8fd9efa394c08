"""Limits of what one plan may do, as ``[limits]`` declares them."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from reconciler.model.diagnostics import Source


class Level(StrEnum):
    """What happens when a limit is exceeded."""

    HARD = "hard"  # the plan can't be applied
    SOFT = "soft"  # only with --override NAME --reason TEXT, which is recorded
    ADVISORY = "advisory"  # it is told


class Limit(Struct, frozen=True):
    """One declared limit. ``value``: runs, samples, US dollars, or globs of model names."""

    name: str  # max_new_runs | max_new_samples | max_cost_usd | max_cancel | allowed_models | deny_models
    value: int | float | tuple[str, ...]
    level: Level = Level.HARD
    source: Source | None = None


class LimitResult(Struct, frozen=True):
    """What a limit says of a plan. ``found``: what the plan has, in words; ``override``: why a person lets a plan of
    this digest pass it all the same.
    """

    limit: Limit
    passed: bool
    found: str
    override: str = ""


class Override(Struct, frozen=True):
    """A person lets a plan pass one soft limit, and says why."""

    name: str
    reason: str
