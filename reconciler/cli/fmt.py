"""``reconciler fmt``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from reconciler.cli.session import Session, pass_session

_INPUT = Path("-")


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a file would be changed.")
@click.option("--diff", is_flag=True, help="Show what changes, as well as writing it; with --check, only show it.")
@click.pass_context
@pass_session
def fmt(session: Session, ctx: click.Context, files: tuple[Path, ...], check: bool, diff: bool) -> None:
    """Bring the project's TOML files into canonical form, and name those that changed.

    Only the layout changes: blanks, blank lines, line breaks of lists. Order, comments, quotes and the way numbers are
    written stay. One blank line stands between tables. A list that would go beyond 100 columns, or that has a comma
    after its last element, gets a line for each.

    Without FILE: reconciler.toml, runs/**/*.toml and environments/*.toml. With `-`: standard input to standard output,
    for editors.

    \b
    Examples:
      reconciler fmt
      reconciler fmt --check --diff
      reconciler fmt - < reconciler.toml
    """
    from reconciler.cli.exits import DONE, ERROR
    from reconciler.config.rewrite import Rewriting, file_rewriting, project_rewritings, rewrite, text_rewriting
    from reconciler.model.diagnostics import Diagnostic

    if _INPUT in files and (len(files) > 1 or (diff and not check)):
        raise click.UsageError("`-` stands alone, or with --check; --diff needs --check then.", ctx)
    if _INPUT in files:
        found: list[Rewriting | Diagnostic] = [text_rewriting(sys.stdin.buffer.read())]
    elif files:
        found = [file_rewriting(path, str(path)) for path in files]
    else:
        found = list(project_rewritings(session.root))
    problems = [item for item in found if isinstance(item, Diagnostic)]
    wanted = [item for item in found if isinstance(item, Rewriting)]
    if _INPUT in files and not check:
        for item in wanted:
            _pass_through(item.after)
        wanted = []
    changed = [item for item in wanted if item.changes]
    for item in changed:
        hindrance = None if check else rewrite(item)
        if hindrance is not None:
            problems.append(hindrance)
        else:
            session.say(item.diff() if diff else item.file)
    session.report(problems)
    ctx.exit(ERROR if problems or (check and changed) else DONE)


def _pass_through(text: str) -> None:
    """The caller's own text back to a program, unescaped; a terminal gets it escaped like all that is printed."""
    from reconciler.model.errors import UsageError

    try:
        if sys.stdout.isatty():
            sys.stdout.write(text)
        else:
            stream = getattr(sys.stdout, "raw", sys.stdout)
            stream.flush()
            stream.buffer.write(text.encode())
            stream.flush()
    except OSError as problem:
        raise UsageError(f"Standard output can't be written: {problem.strerror}.") from None
