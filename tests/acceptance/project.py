"""A project in a folder of its own, and the real command line run on it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.acceptance.forks import REAL, ROOT, can_fork, forks
from tests.service import KEY, LETTERS, TICKETS

MODEL = "anthropic/claude-haiku-4-5"
TIMEOUT = 40.0  # seconds for one command; far more than any of them needs

HEAD = f"""\
[api]
base_url = "{{url}}"

[specs]
tickets = "{TICKETS}"
letters = "{LETTERS}"

[defaults]
generation_model = "{MODEL}"
"""

Done = subprocess.CompletedProcess[str]


def run(name: str, samples: int = 10, /, **fields: object) -> str:
    """One declaration. ``lifecycle`` is a mapping; a field that is None is left out."""
    values: dict[str, object] = {"spec": "tickets", "number_of_samples": samples} | fields
    lines = [f"{key} = {_toml(value)}" for key, value in values.items() if value is not None]
    return "\n".join([f"[run.{name}]", *lines, ""]) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)


def said(done: Done) -> str:
    """Everything that a command printed."""
    return done.stdout + done.stderr


def tree(*roots: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below these folders with its mode and content, every folder with its mode."""
    found = {}
    for root in roots:
        for path in [root, *root.rglob("*")]:
            if path.exists():
                found[str(path)] = (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
    return found


class Project:
    """A folder with a ``reconciler.toml``, a home of its own, and a service."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.root = folder / "project"
        self.home = folder / "home"
        self.elsewhere = folder / "elsewhere"
        self.url = url
        self.started: list[subprocess.Popen[str]] = []
        for path in (self.root, self.home, self.elsewhere):
            path.mkdir()
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "TMPDIR")}
        self.env = kept | {
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_COLOR": "1",
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "DATAFRAMER_API_KEY": KEY,
        }

    def write(self, path: str, content: str | bytes) -> Path:
        """Write a file of the project; ``{url}`` in a text becomes the service's address."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        data = content.replace("{url}", self.url).encode() if isinstance(content, str) else content
        target.write_bytes(data)
        return target

    def declare(self, *declarations: str, apply: str = "") -> None:
        """Make these the declarations of the project. ``apply`` holds lines for the ``[apply]`` table."""
        table = f"\n[apply]\n{apply}\n" if apply else ""
        self.write("reconciler.toml", "\n".join([HEAD + table, *declarations]))

    def line(self, part: str, path: str = "reconciler.toml") -> str:
        """``file:line`` of the first line of a file that holds this part."""
        lines = (self.root / path).read_text().splitlines()
        return f"{path}:{1 + next(n for n, line in enumerate(lines) if part in line)}"

    def command(self, *args: str) -> list[str]:
        """The command line, run from a folder that is not the project's."""
        return [*REAL, "-C", str(self.root), *args]

    def run(
        self,
        *args: str,
        env: Mapping[str, str | None] | None = None,
        input: str | None = None,
        timeout: float = TIMEOUT,
    ) -> Done:
        """Run a command to its end, without a terminal. An ``env`` value of None removes the variable."""
        command, environment = self.command(*args), self.environment(env)
        if can_fork(command, environment):
            return forks().run(command[len(REAL) :], environment, self.elsewhere, input or "", timeout)
        return subprocess.run(
            command,
            cwd=self.elsewhere,
            env=environment,
            input=input or "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def environment(self, env: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """The environment of a command with these changes."""
        merged = self.env | dict(env or {})
        return {name: value for name, value in merged.items() if value is not None}

    def start(self, *args: str, env: Mapping[str, str | None] | None = None) -> subprocess.Popen[str]:
        """Start a command in a process group of its own and leave it running."""
        process = subprocess.Popen(
            self.command(*args),
            cwd=self.elsewhere,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def close(self) -> None:
        """End what a test left running."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.communicate()
            for stream in (process.stdout, process.stderr):  # a stream left open is a warning in whichever test is next
                if stream is not None:
                    stream.close()

    def expect(
        self, code: int, *args: str, env: Mapping[str, str | None] | None = None, timeout: float = TIMEOUT
    ) -> Done:
        """Run a command and check its exit code."""
        done = self.run(*args, env=env, timeout=timeout)
        assert done.returncode == code, f"{args} gave {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}"
        assert "Traceback (most recent call last)" not in said(done), done.stderr
        return done

    def apply(self, *args: str, code: int = 0, env: Mapping[str, str | None] | None = None) -> Done:
        """``apply --auto-approve`` with a check of its exit code."""
        return self.expect(code, "apply", "--auto-approve", *args, env=env)

    def plan(self, *args: str, code: int = 0) -> Plan:
        """``plan --json``, parsed."""
        return Plan(json.loads(self.expect(code, "plan", "--json", *args).stdout))

    def output(self, *args: str) -> list[dict[str, Any]]:
        """``output --json``, parsed."""
        found = json.loads(self.expect(0, "output", *args, "--json").stdout)
        assert isinstance(found, list), found
        return found

    def settled(self) -> None:
        """Check that a plan has nothing to do."""
        assert self.expect(0, "plan", "--detailed-exitcode").stdout.count("No changes.") == 1


class Plan:
    """A plan as its JSON shows it."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.json = value

    def change(self, address: str) -> dict[str, Any]:
        """The one entry of an address."""
        (found,) = [change for change in self.json["resource_changes"] if change["address"] == address]
        assert isinstance(found, dict)
        return found

    def decision(self, address: str) -> tuple[str, list[str]]:
        """Its action in our words, and in Terraform's."""
        change = self.change(address)
        return change["action"], change["change"]["actions"]

    def unmet(self) -> list[str]:
        """Addresses that stand unmet."""
        return [entry["address"] for entry in self.json["unmet"]]

    def text(self, part: str) -> str:
        """A part of the plan as one text, to look for words."""
        return json.dumps(self.json[part])


def line_with(text: str, *parts: str) -> str:
    """The first line that holds every part."""
    found = next((line for line in text.splitlines() if all(part in line for part in parts)), None)
    assert found is not None, f"no line with {parts} in:\n{text}"
    return found


def symbol_of(text: str, address: str) -> str:
    """The symbol that starts the line of an address in a plan."""
    match = re.search(rf"^\s*(-/\+|\+|-|~)\s.*{re.escape(address)}", text, re.MULTILINE)
    assert match is not None, f"no line for {address} in:\n{text}"
    return match.group(1)
