"""An emulator over a new file, with a clock that only tests move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.dataframer.emulator.core import Emulator
from reconciler.dataframer.emulator.faults import Faults
from tests.emulator.api import Api, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "data" / "emulator.db"


@pytest.fixture
def emulator(database: Path, clock: Clock) -> Iterator[Emulator]:
    made = Emulator(database, clock, faults=Faults())
    yield made
    made.close()


@pytest.fixture
def api(emulator: Emulator) -> Api:
    return Api(emulator)
