"""A plan without changes must not pay for what only writing needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from state.sqlite.store import SqliteStore
from tests.state.samples import URL, run


def test_reading_a_snapshot_does_not_import_sqlite_utils(path: Path, opened: Callable[..., SqliteStore]) -> None:
    opened().close()
    code = """
from pathlib import Path
from state.open import open_store
store = open_store(f"sqlite:///{sys.argv[1]}", base_url=sys.argv[2], root=Path(), read_only=True)
store.snapshot(), store.attempts(), store.holder()
print(sorted({"sqlite_utils", "socket"} & set(sys.modules)))
"""
    done = run(code, path, URL)
    assert (done.stdout.strip(), done.stderr, done.returncode) == ("[]", "", 0)
