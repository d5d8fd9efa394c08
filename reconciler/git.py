"""The project's git commit, for provenance. Asks the ``git`` command; a project without git is fine."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_SECONDS = 5.0


# CI checks out a commit, not a branch, and says here what it is of; the branch of a pull request comes first.
_CI_BRANCHES = (
    "GITHUB_HEAD_REF",
    "GITHUB_REF_NAME",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
    "CI_COMMIT_REF_NAME",
    "BUILDKITE_BRANCH",
    "CIRCLE_BRANCH",
)
_LONGEST_BRANCH = 255  # characters; git's own names are no longer


class Git(NamedTuple):
    """A checkout: its commit, whether files of the project differ from it, its branch. None for what there is not."""

    commit: str | None = None
    dirty: bool | None = None
    branch: str | None = None


def git_state(root: Path, environ: Mapping[str, str] | None = None) -> Git:
    """The checkout that holds ``root``. ``environ`` tells the branch where CI has checked out a commit."""
    said = _git(root, "status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--", ".")
    if said is None:
        return Git()
    lines = said.splitlines()
    heads = dict(line.removeprefix("# branch.").split(" ", 1) for line in lines if line.startswith("# branch."))
    commit, branch = heads.get("oid"), heads.get("head")
    if branch in (None, "(detached)"):
        named = (environ or {}).get
        branch = next((value[:_LONGEST_BRANCH] for value in map(named, _CI_BRANCHES) if value), None)
    return Git(None if commit == "(initial)" else commit, any(not line.startswith("#") for line in lines), branch)


def project_name(root: Path) -> str:
    """A name of the project that is the same in every checkout: ``OWNER/REPOSITORY`` of the remote with the folder in
    it, else the folder's own name. Holds nothing of a password in the remote's address.
    """
    remote = _git(root, "config", "--get", "remote.origin.url")
    within = _git(root, "rev-parse", "--show-prefix")
    if not remote or within is None:
        return root.resolve().name
    owner_and_name = re.split("[/:]", remote.strip().rstrip("/").removesuffix(".git"))[-2:]
    return ":".join(["/".join(owner_and_name).rpartition("@")[2], *filter(None, [within.strip().rstrip("/")])])


def _git(root: Path, *arguments: str) -> str | None:
    """What a git command prints; None where it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
