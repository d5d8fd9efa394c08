"""Commands that only read what is recorded, and apply a saved plan, need no values for what is declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.config.variables import Given
from reconciler.model.errors import ConfigurationError
from reconciler.project import read_project

TOML = """
[variables.size]
type = "integer"
[run.a]
spec_id = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
generation_model = "anthropic/claude-haiku-4-5"
number_of_samples = "${var.size}"
"""


def read(root: Path, toml: str, given: Given | None = None) -> str:
    (root / "reconciler.toml").write_text(toml)
    return read_project(root, {}, given=given, records_only=True).state_url


def test_a_value_that_only_declarations_need_may_lack(tmp_path: Path) -> None:
    assert read(tmp_path, TOML) == "sqlite:///.reconciler/state.db"
    with pytest.raises(ConfigurationError):
        read_project(tmp_path, {})


@pytest.mark.parametrize(
    "more",
    [
        '[state]\nurl = "sqlite:///${var.size}.db"',  # another state must not be opened instead
        '[limits]\nmax_new_runs = "${var.size}"',
        '[api]\nbase_url = "http://127.0.0.1:${var.size}"',
        "[run.b]",
        "[run.b]\nnumber_of_samples = 0",
    ],
)
def test_whatever_else_is_wrong_is_told(tmp_path: Path, more: str) -> None:
    with pytest.raises(ConfigurationError):
        read(tmp_path, f"{TOML}{more}\n")


def test_a_value_that_is_wrong_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        read(tmp_path, TOML, Given(variables=("size=many",)))
