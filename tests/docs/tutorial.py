"""Runs the tutorial's console blocks, and writes their outputs anew: ``python -m tests.docs.tutorial``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "tutorial.md"
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
# What differs from run to run: ids (files hold them, so their sizes too), seconds, and how often a run was looked at
# before it came to rest.
_MASKS = (
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"after \d+ s"), "after <n> s"),
    (re.compile(r'"size_bytes": \d+'), '"size_bytes": <n>'),
)
_PASSING = re.compile(r"^run\.\S+: (?:PENDING|PROCESSING)\b")


@dataclass(frozen=True)
class Step:
    """One ``$ command`` and the output shown under it."""

    command: str
    shown: str


def steps(block: str) -> Iterator[Step]:
    """The commands of a block; one may go on over lines that start with ``> ``."""
    command, shown = "", list[str]()
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield Step(command, "\n".join(shown))
            command, shown = line[2:], []
        elif line.startswith("> ") and not shown:
            command += "\n" + line[2:]
        else:
            shown.append(line)
    if command:
        yield Step(command, "\n".join(shown))


def masked(text: str) -> list[str]:
    """Lines to compare: masked, without passing states; lines of runs in a fixed order, for they work at once."""
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    lines = [line.rstrip() for line in text.strip("\n").splitlines() if not _PASSING.match(line)]
    runs = iter(sorted(line for line in lines if line.startswith("run.")))
    return [next(runs) if line.startswith("run.") else line for line in lines]


class Shell:
    """One shell session in a folder of its own, with ``reconciler`` on its PATH."""

    def __init__(self, folder: Path) -> None:
        binaries, self._home = folder / "bin", folder / "home"
        binaries.mkdir()
        self._home.mkdir()
        command = binaries / "reconciler"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n', "utf-8")
        command.chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RECONCILER_", "DATAFRAMER"))}
        path = f"{binaries}:{os.environ['PATH']}"
        self._environment = {
            **kept,
            "PATH": path,
            "HOME": str(self._home),
            "PYTHONPATH": str(ROOT),
            "LC_ALL": "C.UTF-8",
        }
        self._folder = self._home

    def run(self, command: str) -> str:
        """Run one command where the last one ended; returns both streams as a terminal would show them."""
        script = f"{command}\ncode=$?; pwd > {self._home}/.where; exit $code"
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        self._folder = Path((self._home / ".where").read_text("utf-8").strip())
        return done.stdout


def all_steps() -> list[Step]:
    """Every step of the page, in order."""
    return [step for block in _BLOCK.findall(PAGE.read_text("utf-8")) for step in steps(block)]


def regenerate() -> None:
    """Write what really comes out into the page."""
    with tempfile.TemporaryDirectory() as folder:
        shell = Shell(Path(folder))

        def fresh(found: re.Match[str]) -> str:
            parts = []
            for step in steps(found[1]):
                lines = step.command.replace("\n", "\n> ")
                output = shell.run(step.command).strip("\n")
                parts.append(f"$ {lines}\n{output}".rstrip())
            return "```console\n" + "\n".join(parts) + "\n```"

        PAGE.write_text(_BLOCK.sub(fresh, PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    regenerate()
