"""The git command, as somebody of whom no machine knows."""

from __future__ import annotations

import subprocess
from pathlib import Path

_WHO = ("-c", "user.name=ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str | Path) -> str:
    """What it prints. Raises CalledProcessError where it fails."""
    done = subprocess.run(["git", "-C", folder, *_WHO, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()
