"""The project's git commit, for provenance. Asks the ``git`` command; a project without git is fine."""

from __future__ import annotations

import subprocess
from pathlib import Path

_SECONDS = 5.0


def git_state(root: Path) -> tuple[str | None, bool | None]:
    """Commit and dirtiness of the checkout that holds ``root``; None for each where it is no checkout."""
    command = ["git", "-C", str(root), "status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--", "."]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None, None
    if done.returncode != 0:
        return None, None
    lines = done.stdout.splitlines()
    commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), None)
    return (None if commit == "(initial)" else commit), any(not line.startswith("#") for line in lines)
