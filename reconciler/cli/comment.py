"""``reconciler comment``."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.session import Session, pass_session

if TYPE_CHECKING:
    from reconciler.forge.place import Place

_INPUT = Path("-")
_LARGEST = 16 * 2**20  # bytes of a body


@click.command()
@click.argument("file", default=_INPUT, metavar="[FILE]", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--provider", required=True, type=click.Choice(["github", "gitlab"]), help="Where the code is reviewed.")
@click.option("--number", type=click.IntRange(min=1), metavar="N", help="Of the pull request (default: CI's).")
@click.option("--repository", metavar="NAME", help="OWNER/NAME, or a project of GitLab (default: CI's).")
@click.option("--author", metavar="LOGIN", help="Whose comments are ours (default: the token's).")
@click.option("--api-url", metavar="URL", help="Of a server of your own (default: CI's).")
@click.option("--digest", is_flag=True, help="Write nothing: print the digest in the comment that was reviewed.")
@click.option("--folder", metavar="DIR", help="With --digest: the project's in its repository (default: that of -C).")
@click.option("--commit", metavar="SHA", help="With --digest: the commit after the merge (default: CI's).")
@click.pass_context
@pass_session
def comment(
    session: Session,
    ctx: click.Context,
    file: Path,
    provider: str,
    number: int | None,
    repository: str | None,
    author: str | None,
    api_url: str | None,
    digest: bool,
    folder: str | None,
    commit: str | None,
) -> None:
    """Post the plan on its pull request, or update the comment that is there.

    The text is what `plan --format markdown` writes, from FILE or standard input. Its first line, which is not shown,
    says which environment and folder the plan is of: each has one comment, which later plans update. A comment of
    somebody else is never touched. A text that is too long is posted as its verdict alone, and the exit code is 1.

    In GitHub Actions, GITHUB_TOKEN must be set, with `permissions: pull-requests: write`; in GitLab CI GITLAB_TOKEN, a
    project access token with the scope `api`. Which pull request is meant, CI says. No project is needed.

    With --digest, the digest of the plan that was reviewed is printed, for `apply --expect-digest`: that of --env, and
    of the pull request which the commit was merged by. Whoever may change the workflow may write as its token, so have
    its files reviewed as well.

    \b
    Examples:
      reconciler comment --provider github plan.md
      reconciler comment --provider github < plan.md
      reconciler comment --provider github --digest
      reconciler --env staging comment --provider github --digest
      reconciler comment --provider gitlab --number 7 --repository 42 plan.md
    """
    if digest and file != _INPUT:
        raise click.UsageError("--digest reads the comment; it takes no FILE.", ctx)
    if not digest and (folder is not None or commit is not None):
        raise click.UsageError("--folder and --commit go with --digest; else the text says what it is of.", ctx)
    if number is not None and commit is not None:
        raise click.UsageError("--number and --commit exclude each other: both say which pull request is meant.", ctx)

    from reconciler.forge.place import Given, find_place

    given = Given(number, commit, repository, api_url)
    body = "" if digest else _body(session, file)
    place = find_place(provider, os.environ, given, merged=digest)
    if digest:
        _print_digest(session, place, author, folder)
    else:
        _put(session, place, author, body)


def _print_digest(session: Session, place: Place, author: str | None, folder: str | None) -> None:
    from reconciler.forge.comment import Forge
    from reconciler.forge.transport import Wire
    from reconciler.git import folder_in_repository

    within = folder_in_repository(session.root) if folder is None else folder.strip("/").removeprefix("./")
    headers = place.api.headers(place.token.reveal())
    with closing(Wire(place.api.name, place.url, place.token, headers)) as wire:
        forge = Forge(place.api, wire, author)
        forge = forge.merged_by(place.commit) if place.commit else forge
        session.say(forge.digest(session.environment or "", "" if within == "." else within))


def _put(session: Session, place: Place, author: str | None, body: str) -> None:
    from reconciler.forge.comment import Forge
    from reconciler.forge.transport import Wire
    from reconciler.model.errors import ForgeError

    headers = place.api.headers(place.token.reveal())
    with closing(Wire(place.api.name, place.url, place.token, headers)) as wire:
        done = Forge(place.api, wire, author).put(body)
    session.tell(f"{done.deed.value}: {done.where}")
    for note in done.notes:
        session.caution(note)
    if done.shortened:
        raise ForgeError(
            f"The plan is too long for a comment on {place.api.name}: it has {len(body):,} characters. The comment "
            "says its verdict, and that the whole of it is in this job's output. Plan with a smaller --max-bytes."
        )


def _body(session: Session, file: Path) -> str:
    """The text, which must be a plan's comment. Raises UsageError."""
    from reconciler.model.errors import UsageError
    from reconciler.model.marker import Marker

    if file == _INPUT and sys.stdin.isatty():
        raise UsageError(
            "Standard input is this terminal. Type `reconciler plan --format markdown | reconciler comment "
            "--provider …`, or name a file."
        )
    name = "Standard input" if file == _INPUT else str(file)
    try:
        if file == _INPUT:
            data = sys.stdin.buffer.read(_LARGEST + 1)
        else:
            with file.open("rb") as opened:
                data = opened.read(_LARGEST + 1)
        text = data.decode("utf-8-sig")
    except OSError as problem:
        raise UsageError(f"{name} can't be read: {problem.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8 text.") from None
    if len(data) > _LARGEST:
        raise UsageError(f"{name} has more than {_LARGEST // 2**20} MiB.")
    if not text.strip():
        raise UsageError(f"{name} is empty: the command that should have made the plan has probably failed.")
    marker = Marker.read(text)
    if marker is None:
        raise UsageError(
            f"{name} is not a plan's comment: its first line is not the marker that `reconciler plan --format "
            "markdown` writes. Pass on its output as it is, and nothing before it."
        )
    wanted = session.environment
    if wanted is not None and wanted != marker.environment:
        raise UsageError(f"{name} is the plan of environment {marker.environment!r}, not of --env {wanted!r}.")
    return text
