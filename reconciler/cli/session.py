"""What every command shares: the project's folder, and how to print."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import click


@dataclass(frozen=True, slots=True)
class Session:
    """One invocation."""

    root: Path
    state_url: str | None
    no_color: bool
    quiet: bool

    def colour(self, stream: IO[str]) -> bool:
        """Whether a stream gets colour: only a terminal does."""
        return not self.no_color and "NO_COLOR" not in os.environ and stream.isatty()

    def say(self, text: str) -> None:
        """What was asked for; always on standard output."""
        click.echo(text, nl=not text.endswith("\n"), color=True)

    def tell(self, text: str) -> None:
        """What happens by the way; not with --quiet."""
        if not self.quiet:
            self.say(text)

    def warn(self, lines: Iterable[str]) -> None:
        """Lines for standard error."""
        for line in lines:
            click.echo(line, err=True, color=True)

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked."""
        return sys.stdin.isatty() and sys.stdout.isatty()


def to_json(value: Any) -> str:
    """JSON for people and scripts."""
    return json.dumps(value, indent=2, ensure_ascii=True)


pass_session = click.make_pass_decorator(Session)
