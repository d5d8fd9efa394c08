"""Two machines over one state: each has its own checkout of the project, its own home, and its own name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.acceptance.forks import REAL, can_fork, forks
from tests.acceptance.project import TIMEOUT, Done, Project

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
        real = [*REAL, "-C", str(self.root), *args]
        if has_namespaces():
            return [*_RENAMED, self.host, *real]
        return [sys.executable, "-m", "tests.campaign.launcher", *real[len(REAL) :]]

    def run(
        self,
        *args: str,
        env: Mapping[str, str | None] | None = None,
        input: str | None = None,
        timeout: float = TIMEOUT,
    ) -> Done:
        environment = self.environment(env)
        if has_namespaces() and can_fork(REAL, environment):
            words = ["-C", str(self.root), *args]
            return forks().run(words, environment, self.elsewhere, input or "", timeout, self.host)
        return super().run(*args, env=env, input=input, timeout=timeout)
