"""The shell scripts of CI files, and our own command lines in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples" / "gitops"
WORKFLOWS = sorted((EXAMPLE / ".github" / "workflows").glob("*.yml"))
GITLAB = EXAMPLE / ".gitlab-ci.yml"
_SHELL_WORDS = frozenset({"if", "then", "else", "elif", "do", "!", "{"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_LABEL = re.compile(r"^[\w* |]+\) ")  # of a case


@dataclass(frozen=True)
class Script:
    """``where``: file, job and step; ``text``: bash, run with -euo pipefail (GitHub) or -eo pipefail (GitLab)."""

    where: str
    text: str


def read(path: Path) -> dict[Any, Any]:
    """A CI file. YAML 1.1 takes the key ``on`` for true; it is given back its name."""
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text("utf-8"))
    if True in loaded:
        loaded["on"] = loaded.pop(True)
    return loaded


def steps(path: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name of the job, name of the step, the step."""
    for job, body in read(path)["jobs"].items():
        for step in body["steps"]:
            yield job, str(step.get("name") or step.get("uses")), step


def scripts() -> list[Script]:
    """All of them."""
    found = [
        Script(f"{path.name} {job}: {name}", step["run"])
        for path in WORKFLOWS
        for job, name, step in steps(path)
        if "run" in step
    ]
    whole = read(GITLAB)
    common = whole["default"]["before_script"]
    for job, body in whole.items():
        if isinstance(body, dict) and "script" in body:
            found.append(Script(f"{GITLAB.name} {job}", "\n".join([*common, *body["script"]]) + "\n"))
    return found


def commands(text: str) -> Iterator[list[str]]:
    """The words of every command line of ours after ``reconciler``, those in ``$(…)`` included."""
    for line in text.replace("\\\n", " ").splitlines():
        yield from _of_line(_LABEL.sub("", line.strip()))


def _of_line(line: str) -> Iterator[list[str]]:
    reader = shlex.shlex(line, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    segments: list[list[str]] = [[]]
    for word in reader:
        if word and set(word) <= set("();<>|&"):
            segments.append([])
        else:
            segments[-1].append(word)
            if "$(" in word:
                yield from _of_line(word.partition("$(")[2].rpartition(")")[0])
    for words in segments:
        while words and (words[0] in _SHELL_WORDS or _ASSIGNMENT.match(words[0])):
            words.pop(0)
        if words[:1] == ["reconciler"]:
            yield words[1:]
