"""Every acceptance test has a service and a project of its own, those of ``BOTH`` once for each kind of state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.project import Project
from tests.service import FakeService

# What must hold wherever the state is. RECONCILER_TEST_STATE=postgres runs all the others over PostgreSQL, too: those
# that look into the file of a SQLite state fail then.
BOTH = (
    "test_apply", "test_adopted_endings", "test_deciding", "test_depends_on", "test_expect_digest", "test_moved",
    "test_settling", "test_unlock",
)  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "project" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2] in BOTH:
        metafunc.parametrize("project", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def service() -> Iterator[FakeService]:
    """The API on loopback; a run succeeds when it is looked at."""
    with FakeService() as running:
        yield running


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path, service: FakeService) -> Iterator[Project]:
    """An empty project that is bound to the service."""
    made = Project(tmp_path, service.url)
    if getattr(request, "param", os.environ.get("RECONCILER_TEST_STATE")) == "postgres":
        made.env["RECONCILER_STATE_URL"] = request.getfixturevalue("database")
    yield made
    made.close()
