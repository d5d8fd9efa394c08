"""What every command shares: the project's folder, and how to print. ``cli.output`` escapes what is printed."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from reconciler.views.paint import one_line, wrapped

if TYPE_CHECKING:
    from reconciler.model.diagnostics import Diagnostic, Source


class Session:
    """One invocation; filled in when the global options are read. No Struct: ``--help`` does without them."""

    def __init__(self, root: Path | None = None, state_url: str | None = None, environment: str | None = None) -> None:
        self.root = root or Path()
        self.state_url = state_url
        self.environment = environment
        self.variables: tuple[str, ...] = ()  # NAME=VALUE
        self.variable_files: tuple[Path, ...] = ()
        self.no_color = False
        self.quiet = False
        # Where data was asked for: what a failure is there. Given its diagnostics and the exit code.
        self.on_error: Callable[[Sequence[Diagnostic], int], None] | None = None

    def colour(self, stream: IO[str]) -> bool:
        """Whether a stream gets colour: only a terminal does."""
        return not self.no_color and "NO_COLOR" not in os.environ and stream.isatty()

    def width(self, stream: IO[str]) -> int | None:
        """Where lines are broken: at a terminal's width; a pipe gets whole lines."""
        return max(shutil.get_terminal_size().columns, 40) if stream.isatty() else None

    def say(self, text: str) -> None:
        """What was asked for, of any number of lines; always on standard output."""
        click.echo(text, nl=not text.endswith("\n"))

    def command(self, *words: str) -> str:
        """A command to be typed that meets the same project, environment and state."""
        where = [] if self.root == Path() else ["-C", str(self.root)]
        env = ["--env", self.environment] if self.environment is not None else []
        state = ["--state", self.state_url] if self.state_url is not None else []
        return shlex.join(["reconciler", *where, *env, *state, *words])

    def hand_over(self, text: str) -> None:
        """A part of data that is worth nothing unless all of it arrives. Raises OSError where it can't be written."""
        sys.stdout.write(text)
        sys.stdout.flush()
        failure: OSError | None = getattr(sys.stdout, "failure", None)
        if failure is not None:
            raise failure

    def tell(self, *texts: str) -> None:
        """What happens by the way, each on one line; not with --quiet."""
        if texts and not self.quiet:
            self.say("\n".join(map(one_line, texts)))

    def warn(self, lines: Iterable[str]) -> None:
        """Lines for standard error."""
        for line in lines:
            click.echo(one_line(line), err=True)

    def caution(self, text: str) -> None:
        """One line for standard error that nothing depends on."""
        width = self.width(sys.stderr)
        self.warn([text] if width is None else wrapped(one_line(text), width))

    def source_line(self, source: Source) -> str | None:
        """The line of a project's file that a diagnostic points at."""
        try:
            with (self.root / source.file).open(encoding="utf-8-sig", errors="replace", newline="\n") as file:
                return next(itertools.islice(file, source.line - 1, None), None)
        except OSError:
            return None

    def report(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Diagnostics on standard error: with their source lines on a terminal, a line each elsewhere."""
        from reconciler.model.diagnostics import ordered
        from reconciler.views.diagnostics import diagnostic_block, diagnostic_lines
        from reconciler.views.paint import Paint

        paint = Paint(self.colour(sys.stderr))
        if not sys.stderr.isatty():
            self.warn(diagnostic_lines(diagnostics, paint))
            return
        width = shutil.get_terminal_size().columns
        for found in ordered(diagnostics):
            self.warn(diagnostic_block(found, self.source_line, width, paint))

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked."""
        return sys.stdin.isatty() and sys.stdout.isatty()


pass_session = click.make_pass_decorator(Session)
