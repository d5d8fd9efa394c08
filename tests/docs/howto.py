"""What the how-to pages show, taken apart: projects, and command lines."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from reconciler.cli.main import cli

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted((ROOT / "docs" / "howto").glob("*.md"))
_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"`(reconciler [^`]+)`")
_DIGEST = f"sha256:{'0' * 64}"  # in the place of a shell's variable
_COMMENT = re.compile(r"(?:^|\s)#.*")


@dataclass(frozen=True)
class Block:
    """A block of code without its indentation."""

    language: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page."""
    for found in _BLOCK.finditer(page.read_text("utf-8")):
        yield Block(found[2], textwrap.dedent(found[3]))


def projects(page: Path) -> list[dict[str, str]]:
    """The projects of a page: files by name. A block names its file on its first line; reconciler.toml begins one."""
    found: list[dict[str, str]] = []
    for block in blocks(page):
        if block.language == "toml":
            name = block.text.partition("\n")[0].removeprefix("# ")
            if name == "reconciler.toml":
                found.append({})
            if name != "watch.toml":  # which belongs to no project
                found[-1][name] = block.text
    return found


def commands(page: Path) -> Iterator[list[str]]:
    """Every command line of ours, in blocks and in the text; parts of pipes one by one."""
    lines = [line for block in blocks(page) if block.language == "sh" for line in block.text.splitlines()]
    for line in (*lines, *_SPAN.findall(_BLOCK.sub("", page.read_text("utf-8")))):
        for part in _COMMENT.sub("", line).split(" | "):
            words = shlex.split(part)
            if words[:1] == ["reconciler"]:
                yield words[1:]


def problem(words: list[str]) -> str:
    """Why a command line can't be right, or an empty text. Nothing is run."""
    command: click.Command = cli
    words = [_DIGEST if word.upper() == "$DIGEST" else word for word in words]
    try:
        context = cli.make_context("reconciler", list(words), resilient_parsing=False)
        while isinstance(command, click.Group):
            rest = [*context._protected_args, *context.args]
            name, found, rest = command.resolve_command(context, rest)
            if found is None:
                return f"there is no command {name}"
            command = found
            context = command.make_context(name, rest, parent=context, resilient_parsing=False)
    except click.ClickException as wrong:
        return wrong.format_message()
    return ""
