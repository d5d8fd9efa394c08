"""Help and version answer at once: they import none of the heavy libraries."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.acceptance.project import Project

HEAVY = {"pydantic", "httpx", "deepdiff", "rich", "sqlite_utils", "tomlkit"}


def imported(project: Project, *args: str) -> set[str]:
    """Names of the top-level modules that a command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "reconciler", *args],
        cwd=project.elsewhere,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}


@pytest.mark.parametrize("args", [["--help"], ["version"], ["version", "--json"], ["plan", "--help"]])
def test_none_of_the_heavy_libraries(project: Project, args: list[str]) -> None:
    modules = imported(project, *args)
    assert "reconciler" in modules
    assert modules & HEAVY == set()


def test_the_listing_would_show_one(project: Project) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import httpx"], capture_output=True, text=True, check=True
    )
    assert "httpx" in done.stderr
    assert project.expect(0, "--help").stdout.count("plan") >= 1
