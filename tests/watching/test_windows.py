"""When nothing is bought or stopped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cronsim import CronSim

from reconciler.watching.windows import Window, denied, window


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


WEEKEND = window("0 18 * * FRI", 62 * 3600, "Europe/Berlin", "weekend")


@pytest.mark.parametrize(
    ("one", "moment", "words"),
    [
        (WEEKEND, "2026-11-27T16:59:59", ""),
        (WEEKEND, "2026-11-27T17:00:00", "a deny window is open until 2026-11-30 08:00 CET (weekend)"),
        (WEEKEND, "2026-11-30T06:59:59", "a deny window is open until 2026-11-30 08:00 CET (weekend)"),
        (WEEKEND, "2026-11-30T07:00:00", ""),
        # The clocks go back on Sunday: 62 hours by the clock that nobody sets end an hour earlier on the wall.
        (WEEKEND, "2026-10-26T05:59:59", "a deny window is open until 2026-10-26 07:00 CET (weekend)"),
        (WEEKEND, "2026-10-26T06:00:00", ""),
        # A start that the night of the change leaves out is not lost.
        (window("30 2 29 3 *", 3600, "Europe/Berlin"), "2026-03-29T01:15:00", "a deny window is open until"),
        (window("* * * * *", 86_400, "UTC"), "2026-11-25T12:34:56", "a deny window is open until 2026-11-26 12:34 UTC"),
    ],
)
def test_a_window(one: Window, moment: str, words: str) -> None:
    said = denied([one], at(moment))
    assert said.startswith(words) if words else said == ""


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize(("start", "minutes"), [("0 2 * * *", 90), ("*/45 1-3 * * SUN", 20), ("15 22 25 10 *", 600)])
def test_it_agrees_with_every_beginning_of_the_days_before(zone: str, start: str, minutes: int) -> None:
    one = window(start, minutes * 60, zone)
    for day in ("2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31"):
        first = at(f"{day}T00:00")
        begun: list[datetime] = []
        for found in CronSim(start, (first - timedelta(days=2)).astimezone(one.zone)):
            if found.astimezone(UTC) > first + timedelta(days=3):
                break
            begun.append(found.astimezone(UTC))
        for step in range(0, 3 * 24 * 60, 13):
            moment = first + timedelta(minutes=step)
            open_now = any(begin <= moment < begin + timedelta(minutes=minutes) for begin in begun)
            assert bool(denied([one], moment)) == open_now, (zone, start, moment)


@pytest.mark.parametrize(
    ("start", "zone"), [("61 * * * *", "UTC"), ("* * * *", "UTC"), ("", "UTC"), ("0 0 30 2 *", "UTC")]
)
def test_what_is_no_expression(start: str, zone: str) -> None:
    with pytest.raises(ValueError, match="no cron expression"):
        window(start, 60, zone)


@pytest.mark.parametrize("zone", ["Europe/Berlim", "../etc/passwd", ""])
def test_what_is_no_zone(zone: str) -> None:
    with pytest.raises(KeyError):
        window("* * * * *", 60, zone)
