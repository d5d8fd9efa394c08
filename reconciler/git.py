"""The project's git commit, for provenance. Asks the ``git`` command; a project without git is fine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

_SECONDS = 5.0


def git_state(root: Path) -> tuple[str | None, bool | None]:
    """Commit and dirtiness of the checkout that holds ``root``; None for each where it is no checkout."""
    said = _git(root, "status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--", ".")
    if said is None:
        return None, None
    lines = said.splitlines()
    commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), None)
    return (None if commit == "(initial)" else commit), any(not line.startswith("#") for line in lines)


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
