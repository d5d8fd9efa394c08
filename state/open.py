"""From a URL to a store."""

from __future__ import annotations

from pathlib import Path

from state.errors import StateUrlInvalid
from state.store import Store

_ALLOWED = "Allowed are sqlite:///PATH (relative to the project), sqlite:////PATH (absolute) and memory: (for tests)."


def open_store(url: str, *, base_url: str, root: Path, create: bool = False, read_only: bool = False) -> Store:
    """Open the state that ``url`` names; a relative path starts at ``root``.

    Raises StateUrlInvalid for a URL of another kind, else what :func:`state.sqlite.store.open_sqlite` raises.
    """
    scheme, _, rest = url.partition(":")
    path = sqlite_path(url, root)
    if path is not None:
        from state.sqlite.store import open_sqlite

        return open_sqlite(path, base_url=base_url, create=create, read_only=read_only)
    if url == "memory:":
        from state.memory.store import MemoryStore

        return MemoryStore(base_url)
    # Only the scheme is repeated: a URL may hold a password.
    if scheme in ("postgres", "postgresql"):
        raise StateUrlInvalid("A state in PostgreSQL is not supported yet.", _ALLOWED)
    kind = f", of the kind {scheme!r}," if rest else ""
    raise StateUrlInvalid(f"The state's URL{kind} names no state.", _ALLOWED)


def sqlite_path(url: str, root: Path) -> Path | None:
    """The database file that a URL names; None for other kinds of stores."""
    rest = url.removeprefix("sqlite:///")
    return (root / rest).absolute() if rest and rest != url else None
