"""No test writes into the home of whoever runs it: backups and the like go to a folder that is gone afterwards."""

from __future__ import annotations

import os
import tempfile

import pytest

from tests.postgres.plugin import (
    database,
    own_server,
    postgres,
    postgres_folder,
    session_pooler,
    transaction_pooler,
)

# Fixtures, for every folder of tests.
__all__ = ["database", "own_server", "postgres", "postgres_folder", "session_pooler", "transaction_pooler"]

_FOLDER = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FOLDER] = folder = tempfile.TemporaryDirectory(prefix="reconciler-tests-")
    os.environ["XDG_DATA_HOME"] = folder.name


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_FOLDER].cleanup()
