"""``reconciler schema``."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli.session import Session, pass_session


@click.command()
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write it into this file.")
@pass_session
def schema(session: Session, out: Path | None) -> None:
    """Print a JSON Schema (draft 7) of the TOML files: editors complete and explain keys with it, and mark mistakes.

    `init` writes it beside reconciler.toml as reconciler.schema.json; commit it. After an update of reconciler, make it
    anew. An editor with TOML support (taplo, Even Better TOML) finds it by the first line of a file:

    \b
      #:schema ./reconciler.schema.json       in reconciler.toml
      #:schema ../reconciler.schema.json      in runs/*.toml and environments/*.toml

    \b
    Examples:
      reconciler schema
      reconciler schema --out reconciler.schema.json
    """
    from reconciler.config.schema import schema_text
    from reconciler.model.errors import UsageError

    if out is None:
        session.say(schema_text())
        return
    try:
        out.write_text(schema_text(), "utf-8")
    except OSError as problem:
        raise UsageError(f"{out} can't be written: {problem.strerror}.") from None
    session.tell(f"Wrote {out}")
