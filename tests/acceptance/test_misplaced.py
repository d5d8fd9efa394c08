"""What a shell or a habit of Terraform's may do to a command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler.cli.main import _misplaced, cli
from reconciler.cli.session import Session
from reconciler.model.address import nearest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", "--env", "x"], "--env stands before the command: reconciler --env NAME plan"),
        (["state", "list", "--quiet"], "--quiet stands before the command: reconciler --quiet state list"),
        (["apply", "-v"], "-v stands before the command: reconciler -v apply"),
        (["plan", "--tarket", "x"], None),
        (["--tarket"], None),
    ],
)
def test_an_option_of_the_program_behind_the_command(arguments: list[str], said: str | None) -> None:
    problem = CliRunner().invoke(cli, arguments, standalone_mode=False, obj=Session(), prog_name="reconciler").exception
    found = _misplaced(problem)  # type: ignore[arg-type]
    assert (found and found.format_message()) == said


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_bug(tmp_path: Path, closed: str) -> None:
    command = f"'{sys.executable}' -m reconciler -C '{tmp_path}' fmt {closed} || exit 0"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stdout + done.stderr


def test_a_name_that_differs_in_case_is_the_nearest() -> None:
    assert nearest("run.A", ["run.b", 'run.a["x"]']) == " Did you mean run.a?"
    assert nearest("run.tickets", ["run.ticket"]) == " Did you mean run.ticket?"
