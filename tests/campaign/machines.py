"""Two machines over one state: each has its own checkout of the project, its own home, and its own name."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.acceptance.project import Project

HOSTS = ("laptop", "runner")
# A UTS namespace of its own: whoever asks the system for the machine's name gets this one. Root only, on Linux.
_RENAMED = ("unshare", "--uts", "--", "sh", "-c", 'hostname "$0" && exec "$@"')


@cache
def has_namespaces() -> bool:
    """Whether a process may have a machine's name of its own here."""
    try:
        done = subprocess.run([*_RENAMED, "elsewhere", "uname", "-n"], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout.strip() == "elsewhere"


class Machine(Project):
    """A project on a machine of this name. Where the system can't give a process one, Python is told it."""

    def __init__(self, folder: Path, url: str, host: str) -> None:
        folder.mkdir()
        super().__init__(folder, url)
        self.host = host
        self.env["CAMPAIGN_HOST"] = "" if has_namespaces() else host

    def command(self, *args: str) -> list[str]:
        real = [sys.executable, "-m", "reconciler", "-C", str(self.root), *args]
        if has_namespaces():
            return [*_RENAMED, self.host, *real]
        return [sys.executable, "-m", "tests.campaign.launcher", *real[3:]]
