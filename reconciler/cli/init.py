"""``reconciler init``."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from reconciler.cli.options import open_project
from reconciler.cli.session import Session, pass_session

_IGNORED = (".reconciler/", "outputs/", "*.plan")  # state, emulator's runs; what `download` brings; saved plans


@click.command()
@click.option("--example", is_flag=True, help="Three small runs on the built-in emulator: no account, no network.")
@click.option("--fresh", is_flag=True, help="Make the state, too: one that knows nothing of existing runs, on purpose.")
@pass_session
def init(session: Session, example: bool, fresh: bool) -> None:
    """Write a commented reconciler.toml, its schema for editors, and a .gitignore for what belongs to this machine.

    What is there already stays as it is.

    \b
    Examples:
      reconciler init
      reconciler init --example
      reconciler init --fresh
    """
    from reconciler.config.schema import SCHEMA_FILE, schema_text
    from reconciler.model.errors import UsageError

    template = "example.toml" if example else "project.toml"
    text = resources.files("reconciler.cli").joinpath("templates", template).read_text("utf-8")
    try:
        session.root.mkdir(parents=True, exist_ok=True)
        if _write_new(session, session.root / "reconciler.toml", f"#:schema ./{SCHEMA_FILE}\n{text}"):
            _write_new(session, session.root / SCHEMA_FILE, schema_text())
        _ignore(session, session.root / ".gitignore")
    except OSError as problem:
        raise UsageError(f"{problem.filename or session.root}: {problem.strerror}.") from None
    if fresh:
        from reconciler.bookkeeping import start_fresh

        start_fresh(open_project(session))
        session.tell("The state is new: what is declared is bought, whatever the service has already.")
    session.tell("Next: `reconciler validate`, then `reconciler plan`.")


def _write_new(session: Session, path: Path, text: str) -> bool:
    if path.exists():
        session.tell(f"{path} is there already, and stays as it is.")
        return False
    path.write_text(text, "utf-8")
    session.tell(f"Wrote {path}")
    return True


def _ignore(session: Session, path: Path) -> None:
    before = path.read_text("utf-8") if path.exists() else ""
    missing = [name for name in _IGNORED if name not in before.split()]
    if not missing:
        return
    end = "" if not before or before.endswith("\n") else "\n"
    path.write_text(before + end + "".join(f"{name}\n" for name in missing), "utf-8")
    session.tell(f"Wrote {path}")
