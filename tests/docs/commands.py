"""The command reference, from the commands themselves: ``python -m tests.docs.commands`` writes it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import click

from reconciler.cli.main import cli

PAGE = Path(__file__).parent.parent.parent / "docs" / "commands.md"
_HEAD = """# Commands

Made from the commands' own help; `reconciler COMMAND --help` shows the same.
"""


def reference() -> str:
    """The whole page."""
    return _HEAD + "\n".join(_help(path, command) for path, command in commands())


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its path, groups before their members."""
    yield from _below("reconciler", cli)


def _below(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            member = command.get_command(context, name)
            if member is not None:
                yield from _below(f"{path} {name}", member)


def _help(path: str, command: click.Command) -> str:
    command = copy.copy(command)
    command._help_option = None  # click keeps the one that it made first, for whoever asked first
    names = cli.context_settings["help_option_names"]  # which a member of the group has from its parent
    context = click.Context(command, info_name=path, terminal_width=100, max_content_width=100, help_option_names=names)
    return f"\n## `{path}`\n\n```text\n{command.get_help(context).strip()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(reference(), "utf-8")
