"""The name of a project, by which two that leave the workspace out are told apart."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.git import project_name


@pytest.mark.parametrize(
    "remote",
    [
        "https://git.example/ml/evals.git",
        "https://ada:hunter2@git.example/ml/evals",
        "git@git.example:ml/evals.git",
        "ssh://git@git.example:2222/ml/evals/",
    ],
)
def test_it_is_the_same_in_every_checkout_and_holds_no_password(tmp_path: Path, remote: str) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", remote], check=True)
    within = tmp_path / "projects" / "tickets"
    within.mkdir(parents=True)
    assert project_name(tmp_path) == "ml/evals"
    assert project_name(within) == "ml/evals:projects/tickets"


def test_without_git_it_is_that_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "tickets"
    folder.mkdir()
    assert project_name(folder) == "tickets"
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    assert project_name(folder) == "tickets"
