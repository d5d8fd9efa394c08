"""The comparison runs, and both clients meet the faults that it promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.storm_sdk import compare


@pytest.mark.timeout(300)
def test_both_clients_are_compared(tmp_path: Path) -> None:
    sdk, ours = compare(40, 1, tmp_path)
    assert (ours.bought, ours.too_many, ours.missing, ours.lost) == (40, 0, 0, 0)
    assert sdk.bought == 40 + sdk.too_many - sdk.missing
    assert sdk.lost >= sdk.too_many > 0
    assert set(sdk.met) == set(ours.met) == {"dropped after creation", "503", "429"}
