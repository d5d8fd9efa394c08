"""People read their own time, and which one it is; summer time included."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from reconciler.views.times import Clock, local

WINTER, SUMMER = "2026-01-31T22:30:05.123Z", "2026-07-01T10:00:00+00:00"


@pytest.fixture
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("zone", "winter", "summer"),
    [
        ("Europe/Berlin", "2026-01-31 23:30:05 UTC+01:00", "2026-07-01 12:00:00 UTC+02:00"),
        ("America/St_Johns", "2026-01-31 19:00:05 UTC-03:30", "2026-07-01 07:30:00 UTC-02:30"),
        ("UTC", "2026-01-31 22:30:05 UTC", "2026-07-01 10:00:00 UTC"),
    ],
    indirect=["zone"],
)
def test_local_with_its_offset(zone: None, winter: str, summer: str) -> None:
    assert local(WINTER) == winter
    assert local(SUMMER) == summer
    assert local("2026-01-31T22:30:05") == winter  # without a zone it is UTC


@pytest.mark.parametrize("zone", ["Europe/Berlin"], indirect=True)
def test_the_offset_is_said_once_and_another_one_beside_its_time(zone: None) -> None:
    clock = Clock([None, WINTER, SUMMER, "soon"])
    assert clock.note == "Times are local (UTC+02:00)."
    assert clock(SUMMER) == "2026-07-01 12:00:00"
    assert clock(WINTER) == "2026-01-31 23:30:05 UTC+01:00"


@pytest.mark.parametrize("text", ["soon", "", "unknown", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59-23:59"])
def test_what_is_no_time_comes_back_as_it_is(text: str) -> None:
    assert local(text) == (text or "-")
    assert Clock([text])(text) == (text or "-")
    assert Clock([text]).note == ""


def test_no_time_at_all() -> None:
    assert (local(None), Clock([])(None), Clock([]).note) == ("-", "-", "")
