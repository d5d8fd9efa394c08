"""What is asked of git: the name of a project, by which two that leave the workspace out are told apart; provenance."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.git import Git, git_state, project_name
from tests.git import git


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


def test_commit_branch_and_changes(tmp_path: Path) -> None:
    in_ci = {"GITHUB_HEAD_REF": "", "GITHUB_REF_NAME": "12/merge", "CI_COMMIT_REF_NAME": "other"}
    assert git_state(tmp_path, in_ci) == Git()
    git(tmp_path, "init", "--quiet", "--initial-branch", "feature/déjà vu".replace(" ", "-"))
    assert git_state(tmp_path) == Git(None, False, "feature/déjà-vu")
    (tmp_path / "reconciler.toml").write_text("")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert git_state(tmp_path, in_ci) == Git(commit, False, "feature/déjà-vu")
    (tmp_path / "reconciler.toml").write_text("# changed")
    git(tmp_path, "checkout", "--quiet", "--detach")
    assert git_state(tmp_path) == Git(commit, True, None)
    assert git_state(tmp_path, in_ci) == Git(commit, True, "12/merge")
    assert git_state(tmp_path, in_ci | {"GITHUB_HEAD_REF": "x" * 999}).branch == "x" * 255
