"""``[limits]``: values, levels, what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.diagnostics import Source
from reconciler.model.limits import Level, Limit
from tests.config.projects import desired, errors, table


def test_plain_values_are_hard_and_tables_say_how_hard(tmp_path: Path) -> None:
    text = (
        '[limits]\ndeny_models = ["*-thinking"]\nallowed_models = []\nmax_cancel = 0\n'
        'max_new_samples = { value = 100_000, level = "advisory" }\nmax_cost_usd = { level = "soft", value = 250.5 }\n'
        "[limits.max_new_runs]\nvalue = 50\n"
    )
    found = desired(tmp_path, text)
    assert found.diagnostics == ()
    assert found.settings.limits == (
        Limit("max_new_runs", 50, Level.HARD, Source("reconciler.toml", 7, 1)),
        Limit("max_new_samples", 100_000, Level.ADVISORY, Source("reconciler.toml", 5, 1)),
        Limit("max_cost_usd", 250.5, Level.SOFT, Source("reconciler.toml", 6, 1)),
        Limit("max_cancel", 0, Level.HARD, Source("reconciler.toml", 4, 1)),
        Limit("deny_models", ("*-thinking",), Level.HARD, Source("reconciler.toml", 2, 1)),
    )


@pytest.mark.parametrize("value", [[], {"value": [], "level": "soft"}])
@pytest.mark.parametrize("name", ["allowed_models", "deny_models"])
def test_no_models_are_no_limit(tmp_path: Path, name: str, value: object) -> None:
    found = desired(tmp_path, table("limits", {name: value}))
    assert (found.diagnostics, found.settings.limits) == ((), ())


BAD_COUNTS = [-1, "5", 1.5, True, [], 2**31, {}, {"value": -1}, {"value": "5"}, {"value": 5, "level": "sft"}]
BAD_MODELS = ["a/*", [5], [""], 5, {}, {"value": "a"}, {"value": [], "level": 5}, {"value": [], "lvel": "soft"}]


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, bad) for name in ("max_new_runs", "max_new_samples", "max_cancel") for bad in BAD_COUNTS]
    + [("max_cost_usd", bad) for bad in [-0.01, "5", True, [], {"value": -1.0}, {"level": "soft"}]]
    + [(name, bad) for name in ("allowed_models", "deny_models") for bad in BAD_MODELS],
)
def test_refused(tmp_path: Path, name: str, value: object) -> None:
    found = desired(tmp_path, table("limits", {name: value}))
    (error,) = errors(found)
    assert error.source is not None
    assert error.source.line == 2
    assert found.settings.limits == ()


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_costs_are_finite(tmp_path: Path, number: str) -> None:
    (error,) = errors(desired(tmp_path, f"[limits]\nmax_cost_usd = {number}\n"))
    assert error.summary == "Value out of bounds"


def test_an_unknown_limit_and_an_unknown_level_have_a_near_one(tmp_path: Path) -> None:
    found = errors(desired(tmp_path, '[limits]\nmax_runs = 3\nmax_cancel = { value = 3, level = "advisry" }\n'))
    assert ["max_new_runs" in found[0].detail, 'mean "advisory"' in found[1].detail] == [True, True]


def test_limits_belong_to_the_root(tmp_path: Path) -> None:
    (error,) = errors(desired(tmp_path, "", inner="[limits]\n"))
    assert error.summary == "Unknown table"
