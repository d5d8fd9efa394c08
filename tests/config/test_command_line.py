"""--var, --var-file and --env, from the command line to the project."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from reconciler.cli.main import cli
from reconciler.cli.session import Session
from tests.config.projects import SPECS, run, table

SIZE = table("variables.size", {"type": "integer"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "reconciler.toml").write_text(SIZE + SPECS + run(number_of_samples="${var.size}", shard_size=1))
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "prod.toml").write_text("[variables]\nsize = 3\n")
    (tmp_path / "values.toml").write_text("size = 4\n")
    return tmp_path


def valid(folder: Path, capsys: pytest.CaptureFixture[str], before: list[str], after: list[str]) -> tuple[int, str]:
    session = Session()
    try:
        code = cli.main(["-C", str(folder), *before, "validate", *after], standalone_mode=False, obj=session)
    except click.exceptions.Exit as leaving:
        code = leaving.exit_code
    return code, capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "after", "runs"),
    [
        (["--env", "prod"], [], 3),
        (["--env", "prod"], ["--var-file", "{}/values.toml"], 4),
        ([], ["--var", "size=6", "--var-file", "{}/values.toml"], 6),
        ([], ["--var", "size=6", "--var", "size=7"], 7),
    ],
)
def test_values_reach_the_project(
    folder: Path, capsys: pytest.CaptureFixture[str], before: list[str], after: list[str], runs: int
) -> None:
    arguments = [item.format(folder) for item in after]
    assert valid(folder, capsys, before, arguments) == (0, f"Valid: {runs} runs declared.\n")


def test_the_environment_reaches_the_project(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILER_VAR_size", "8")
    assert valid(folder, capsys, [], []) == (0, "Valid: 8 runs declared.\n")


def test_without_a_value_it_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = valid(folder, capsys, [], ["--json"])
    assert (code, [item["summary"] for item in json.loads(said)["diagnostics"]]) == (1, ["A value is missing"])


@pytest.mark.parametrize("name", ["plan", "apply", "validate", "refresh", "show", "output", "import", "resolve"])
def test_every_command_of_a_project_takes_values(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert {"--var", "--var-file"} <= {option for param in command.params for option in param.opts}
