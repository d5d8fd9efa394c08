"""Runs the jobs of the CI files as their systems do: the scripts as they stand, in bash, in a fresh clone each.

Not modelled: which jobs a push starts, images, services, actions other than the checkout, approvals.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.gitops.scripts import EXAMPLE, GITLAB, ROOT, read

_EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}")
_OUTPUT = re.compile(r"^(\w+)=(.*)$", re.MULTILINE)


@dataclass
class Ran:
    """What became of a job. ``outputs``: those of its steps, ``steps.ID.outputs.NAME``; ``summary``: the page of the
    run; ``temporary``: the folder of its temporary files.
    """

    code: int = 0
    log: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    temporary: Path = Path()


class Repository:
    """A repository with the example in it, on a forge; ``environ``: what every job of it has."""

    def __init__(self, folder: Path, environ: Mapping[str, str], changes: Mapping[str, str]) -> None:
        self._folder, self._jobs = folder, 0
        programs, home = folder / "bin", folder / "home"
        programs.mkdir()
        home.mkdir()
        shim = programs / "reconciler"
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n')
        (programs / "pip").write_text("#!/bin/sh\n")  # it is installed
        for program in programs.iterdir():
            program.chmod(0o755)
        self.environ = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(home),
            **environ,
        }
        self.desk = folder / "desk"
        shutil.copytree(EXAMPLE, self.desk, ignore=shutil.ignore_patterns(".reconciler"))
        self._git("init", "--quiet", "--initial-branch", "main", ".")
        self.commit(changes)

    def _git(self, *arguments: str, at: Path | None = None) -> str:
        who = ("-c", "user.name=ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(at or self.desk), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, changes: Mapping[str, str], branch: str = "main") -> str:
        """Write files on a branch from main. Returns the commit."""
        if branch != "main":
            self._git("checkout", "--quiet", "-B", branch, "main")
        for name, text in changes.items():
            (self.desk / name).write_text(text, "utf-8")
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", f"change of {branch}")
        commit = self._git("rev-parse", "HEAD")
        self._git("checkout", "--quiet", "main")
        return commit

    def merge(self, branch: str) -> str:
        """Merge a branch into main. Returns the merge commit."""
        self._git("merge", "--quiet", "--no-ff", "--message", f"merge {branch}", branch)
        return self._git("rev-parse", "main")

    def clone(self, ref: str) -> Path:
        """What a job checks out: of a branch the merge as it would be."""
        self._jobs += 1
        folder = self._folder / f"job {self._jobs}"
        self._git("clone", "--quiet", str(self.desk), str(folder), at=self._folder)
        if ref != "main":
            self._git("merge", "--quiet", "--no-ff", "--message", "as it would be", f"origin/{ref}", at=folder)
        return folder

    def github(self, workflow: str, job: str, ref: str, context: Mapping[str, str], env: Mapping[str, str]) -> Ran:
        """Run a job of a workflow. ``context``: values of expressions; those that are not in it are empty."""
        whole = read(EXAMPLE / ".github" / "workflows" / f"{workflow}.yml")
        at, ran = self.clone(ref), Ran()
        ran.temporary = at.with_name(f"{at.name} temporary")
        ran.temporary.mkdir()
        for number, step in enumerate(whole["jobs"][job]["steps"]):
            if "run" not in step or ("if" in step and not _holds(step["if"], {**context, **ran.outputs})):
                continue
            output, summary = (ran.temporary / f"{kind} {number}" for kind in ("output", "summary"))
            output.touch()
            summary.touch()
            files = {
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(summary),
                "RUNNER_TEMP": str(ran.temporary),
            }
            values = {name: _filled(value, {**context, **ran.outputs}) for name, value in step.get("env", {}).items()}
            self._bash(ran, at, f"set -euo pipefail\n{step['run']}", {**env, **files, **values})
            ran.summary += summary.read_text("utf-8")
            for name, value in _OUTPUT.findall(output.read_text("utf-8")):
                ran.outputs[f"steps.{step['id']}.outputs.{name}"] = value
            if ran.code:
                break
        return ran

    def gitlab(self, job: str, ref: str, env: Mapping[str, str]) -> Ran:
        """Run a job of .gitlab-ci.yml."""
        whole: dict[str, Any] = read(GITLAB)
        at, ran = self.clone(ref), Ran()
        ran.temporary = at
        script = "\n".join(["set -eo pipefail", *whole["default"]["before_script"], *whole[job]["script"]])
        self._bash(ran, at, script, env)
        return ran

    def _bash(self, ran: Ran, at: Path, script: str, env: Mapping[str, str]) -> None:
        command = ["bash", "--noprofile", "--norc", "-c", script]
        merged = {**self.environ, **env}
        done = subprocess.run(command, cwd=at, env=merged, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        ran.code, ran.log = done.returncode, ran.log + done.stdout + done.stderr


def _filled(text: object, context: Mapping[str, str]) -> str:
    return _EXPRESSION.sub(lambda found: context.get(found[1], ""), str(text))


def _holds(condition: str, context: Mapping[str, str]) -> bool:
    left, _, right = condition.partition(" == ")
    return context.get(left, "") == right.strip("'")
