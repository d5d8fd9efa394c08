"""What is asked of git: the name of a project, by which two that leave the workspace out are told apart; provenance."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from reconciler.git import Git, files_at, git_state, named_after, project_name
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


def test_a_repository_among_the_files_of_another_runs_nothing(tmp_path: Path) -> None:
    """A pull request can bring what git takes for a bare repository, with commands in its configuration."""
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    project, ran = tmp_path / "evals", tmp_path / "ran"
    git(tmp_path, "init", "--quiet", "--bare", project)
    (project / "reconciler.toml").write_text("")
    git(project, "--git-dir=.", "--work-tree=.", "add", "reconciler.toml")
    command = f"touch '{ran}'; false"
    (project / "config").write_text(
        f'[core]\nrepositoryformatversion = 0\nbare = false\nworktree = .\nfsmonitor = "{command}"\n'
    )
    git_state(project)
    assert not ran.exists()


def test_asking_leaves_the_index_alone(tmp_path: Path) -> None:
    """Somebody may be committing."""
    git(tmp_path, "init", "--quiet")
    file = tmp_path / "reconciler.toml"
    file.write_text("")
    git(tmp_path, "add", ".")
    os.utime(file, (1, 1))
    before = (tmp_path / ".git" / "index").read_bytes()
    git_state(tmp_path)
    assert (tmp_path / ".git" / "index").read_bytes() == before


def test_files_of_a_commit_that_are_none(tmp_path: Path) -> None:
    """A submodule, and one whose name looks like an answer of git's."""
    git(tmp_path, "init", "--quiet")
    for name in ("inner", "two words", "x blob"):
        git(tmp_path, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},runs/{name}")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "z a.toml").write_text("# here")
    git(tmp_path, "add", "runs/z a.toml")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    assert files_at(tmp_path, git(tmp_path, "rev-parse", "HEAD"), "runs") == {"runs/z a.toml": b"# here"}


def test_contents_that_cannot_be_fetched(tmp_path: Path) -> None:
    """A clone may leave contents out, to be fetched when they are needed: a base without them would be another one."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    git(tmp_path, "init", "--quiet", origin)
    (origin / "reconciler.toml").write_text("# here")
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "-m", "first")
    git(origin, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "--quiet", "--no-checkout", "--filter=blob:none", f"file://{origin}", clone)
    origin.rename(tmp_path / "moved")
    with pytest.raises(OSError, match=r"git .* of "):
        files_at(clone, git(clone, "rev-parse", "HEAD"), "reconciler.toml")


def test_a_project_that_is_followed_is_called_as_in_a_checkout(tmp_path: Path) -> None:
    for number, url in enumerate(
        ("https://ada:secret@example.com/owner/name.git", "git@example.com:owner/name.git", "https://x@example.com/n/")
    ):
        folder = tmp_path / str(number) / "teams" / "evals"
        folder.mkdir(parents=True)
        git(tmp_path / str(number), "init", "--quiet")
        git(tmp_path / str(number), "remote", "add", "origin", url)
        assert project_name(folder) == named_after(url, "teams/evals")
