"""When nothing is bought or stopped: windows that begin by a cron expression and last for a while. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError


@dataclass(frozen=True, slots=True)
class Window:
    """``start``: a cron expression of five fields, read in ``zone``; ``seconds``: how long it lasts, by the clock that
    nobody sets.
    """

    start: str
    seconds: float
    zone: ZoneInfo
    reason: str = ""


def window(start: str, seconds: float, zone: str, reason: str = "") -> Window:
    """Check it. Raises ValueError for a wrong expression, KeyError for a zone that is none."""
    try:
        CronSim(start, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as problem:
        raise ValueError(f'"{start}" is no cron expression ({problem})') from None
    try:
        found = ZoneInfo(zone)
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        raise KeyError(zone) from None
    return Window(start, seconds, found, reason)


def denied(windows: Iterable[Window], at: datetime) -> str:
    """Why nothing is done at a moment, and until when, in words; empty where it may be."""
    for one in windows:
        until = _open_until(one, at)
        if until is not None:
            reason = f" ({one.reason})" if one.reason else ""
            local = until.astimezone(one.zone)
            return f"a deny window is open until {local:%Y-%m-%d %H:%M} {local.tzname()}{reason}"
    return ""


def _open_until(one: Window, at: datetime) -> datetime | None:
    """The end of the last window that has begun and is not over. Beginnings are looked for in the day before, then in
    more and more of the past. Forwards, from a noon: backwards, the hour that comes twice in autumn is counted once.
    """
    length = timedelta(seconds=one.seconds)
    span = timedelta(days=1)
    while True:
        since = max(at - span, at - length)
        noon = datetime.combine(since.astimezone(one.zone).date() - timedelta(days=1), time(12), one.zone)
        last = None
        for local in CronSim(one.start, noon):
            begun = local.astimezone(UTC)
            if begun > at:
                break
            last = begun
        if last is not None:
            return last + length if last + length > at else None
        if span >= length:
            return None
        span *= 4
