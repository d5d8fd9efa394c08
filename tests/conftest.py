"""No test writes into the home of whoever runs it: backups and the like go to a folder that is gone afterwards.

What may take long starts first: left for the end, it would keep one worker busy while the others have nothing to do.
"""

from __future__ import annotations

import os
import signal
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

TOGETHER = (
    "tests/mock/test_prism.py",
    "tests/packaging/test_wheel.py",
    "tests/postgres/test_tls.py",
    "tests/sdk/test_sdk.py",
)
_FOLDER = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="Write golden files anew; review the difference.")


@pytest.fixture
def regenerate(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--regenerate"))


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background of a shell: children inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[_FOLDER] = folder = tempfile.TemporaryDirectory(prefix="reconciler-tests-")
    os.environ["XDG_DATA_HOME"] = folder.name


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    from xdist.scheduler import LoadScopeScheduling

    class OneByOne(LoadScopeScheduling):  # type: ignore[misc]
        """Whichever worker is free gets the next test; those that share what is costly to make go to one worker."""

        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if file in TOGETHER else nodeid

    config.option.loadscopereorder = False
    return OneByOne(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_patience, reverse=True)  # stable: else in the order of the files


def _patience(item: pytest.Item) -> float:
    """How long a test may take where that is more than usual, in seconds; else 0."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_FOLDER].cleanup()
