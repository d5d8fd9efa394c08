"""From a URL to a store."""

from __future__ import annotations

from pathlib import Path

from state.errors import StateDriverMissing, StateUrlInvalid
from state.postgres.url import is_postgres
from state.store import Store

_ALLOWED = (
    "Allowed are sqlite:///PATH (relative to the project), sqlite:////PATH (absolute),"
    " postgresql://USER@HOST/DATABASE?workspace=NAME, and memory: (for tests)."
)


def open_store(
    url: str,
    *,
    base_url: str,
    root: Path,
    workspace: str | None = None,
    create: bool = False,
    read_only: bool = False,
) -> Store:
    """Open the state that ``url`` names. A relative path starts at ``root``; ``workspace`` is for PostgreSQL alone.

    Raises StateUrlInvalid for a URL of another kind, StateDriverMissing without the extra that it needs, else what
    :func:`state.sqlite.store.open_sqlite` and :func:`state.postgres.store.open_postgres` raise.
    """
    if is_postgres(url):
        try:
            from state.postgres.store import open_postgres
        except ImportError as error:
            raise StateDriverMissing(
                f"A state in PostgreSQL needs its driver, psycopg ({error}).",
                "Install it: pip install 'reconciler[postgres]'.",
            ) from None
        return open_postgres(url, base_url=base_url, workspace=workspace, create=create, read_only=read_only)
    path = sqlite_path(url, root)
    if workspace is not None and (path is not None or url == "memory:"):
        raise StateUrlInvalid("Only a state in PostgreSQL has workspaces.", "Take [state] workspace out.")
    if path is not None:
        from state.sqlite.store import open_sqlite

        return open_sqlite(path, base_url=base_url, create=create, read_only=read_only)
    if url == "memory:":
        from state.memory.store import MemoryStore

        return MemoryStore(base_url)
    # Only the scheme is repeated: a URL may hold a password.
    scheme, _, rest = url.partition(":")
    kind = f", of the kind {scheme!r}," if rest else ""
    raise StateUrlInvalid(f"The state's URL{kind} names no state.", _ALLOWED)


def sqlite_path(url: str, root: Path) -> Path | None:
    """The database file that a URL names; None for other kinds of stores."""
    rest = url.removeprefix("sqlite:///")
    return (root / rest).absolute() if rest and rest != url else None
