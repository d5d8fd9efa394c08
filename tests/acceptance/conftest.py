"""Every acceptance test has a service and a project of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.project import Project
from tests.service import FakeService


@pytest.fixture
def service() -> Iterator[FakeService]:
    """The API on loopback; a run succeeds when it is looked at."""
    with FakeService() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, service: FakeService) -> Iterator[Project]:
    """An empty project that is bound to the service."""
    made = Project(tmp_path, service.url)
    yield made
    made.close()
