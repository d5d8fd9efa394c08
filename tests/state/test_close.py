"""A closed store can't be used again."""

from __future__ import annotations

import pytest

from state.errors import StateInvalid
from state.store import Store
from state.writes import Put
from tests.state.samples import instance


def test_reading_and_writing_are_refused(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(StateInvalid):
        store.snapshot()
    with pytest.raises(StateInvalid):
        store.commit([Put(instance())])
