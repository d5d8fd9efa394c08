"""The tutorial, line by line: what it shows is what comes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.tutorial import Shell, all_steps, masked

pytestmark = pytest.mark.timeout(200)


def test_every_step_gives_what_the_page_shows(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    found = all_steps()
    assert len(found) > 12
    for step in found:
        assert masked(shell.run(step.command)) == masked(step.shown), step.command


def test_a_wrong_line_would_be_noticed() -> None:
    assert masked("run.b: SUCCEEDED after 3 s\nrun.a: PENDING, 0") == masked("run.b: SUCCEEDED after 2 s")
    assert masked("Plan: 3 to create.") != masked("Plan: 2 to create.")
