"""Times as people read them: in their own zone, which is always said. Data for scripts stays ISO 8601 in UTC."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from reconciler.model.run import moment


def local(at: str | None) -> str:
    """``2026-01-31 13:00:05 UTC+01:00``, of a recorded time; what is none comes back as it is, None as ``-``."""
    made = _local(at)
    return (at or "-") if made is None else f"{made:%Y-%m-%d %H:%M:%S} {_zone(made)}"


def utc(at: str) -> str:
    """``2026-01-31 12:00:05 UTC``: for what people in many zones read; what is no time comes back as it is."""
    seconds = moment(at)
    try:
        return at if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return at


class Clock:
    """Many times with one word about their zone: that of the newest. A time in another one (summer) says so itself."""

    def __init__(self, times: Iterable[str | None]) -> None:
        self._newest = max((made for made in map(_local, times) if made is not None), default=None)

    @property
    def note(self) -> str:
        """What is to be said once: ``Times are local (UTC+01:00).``"""
        return f"Times are local ({_zone(self._newest)})." if self._newest else ""

    def __call__(self, at: str | None) -> str:
        """``2026-01-31 13:00:05``."""
        made = _local(at)
        if made is None or self._newest is None:
            return at or "-"
        other = "" if made.utcoffset() == self._newest.utcoffset() else f" {_zone(made)}"
        return f"{made:%Y-%m-%d %H:%M:%S}{other}"


def _local(at: str | None) -> datetime | None:
    seconds = moment(at)
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds).astimezone()
    except (OverflowError, ValueError, OSError):
        return None


def _zone(made: datetime) -> str:
    """By its offset: names of zones are ambiguous."""
    offset = f"{made:%z}"
    return "UTC" if offset in ("+0000", "-0000") else f"UTC{offset[:3]}:{offset[3:5]}"
