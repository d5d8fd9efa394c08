"""Every test of a provider runs once for each of them, unless it says which."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.forge.fake import GITHUB, GITLAB, FakeForge


@pytest.fixture(params=[GITHUB, GITLAB])
def forge(request: pytest.FixtureRequest) -> Iterator[FakeForge]:
    with FakeForge(request.param) as running:
        yield running


@pytest.fixture
def github() -> Iterator[FakeForge]:
    with FakeForge(GITHUB) as running:
        yield running
