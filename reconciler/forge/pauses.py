"""How long to wait before a call is made again; pure, but for the clock that it is given."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from msgspec import Struct

from reconciler.forge.api import Answer

TRIES: Final = 4  # of a call that may be repeated, when the connection breaks or the provider fails
MOST_LIMITED: Final = 10  # answers in a row that say "too many requests"
BUDGET: Final = 90.0  # seconds of waiting in all
_UNTOLD: Final = 60.0  # what GitHub asks for where it names no time
_SECONDARY: Final = re.compile("secondary rate limit|abuse detection", re.IGNORECASE)


class Clock(Struct, frozen=True):
    """Time as it is taken here; tests have their own."""

    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.time  # seconds since 1970


def backoff(tries: int) -> float:
    """Seconds after so many tries that failed."""
    return float(2 ** (tries - 1))


def limited(answer: Answer, now: float) -> float | None:
    """Seconds to wait where an answer says that there were too many requests; None where it does not. Measured against
    the answer's own ``Date``, else against ``now``.
    """
    headers = answer.headers
    exhausted = headers.get("x-ratelimit-remaining", headers.get("ratelimit-remaining")) == "0"
    secondary = "retry-after" in headers or exhausted or _SECONDARY.search(answer.text) is not None
    if answer.status != 429 and not (answer.status == 403 and secondary):
        return None
    there = _moment(headers.get("date", "")) or now
    told = headers.get("retry-after", "").strip()
    if _is_number(told):
        return max(float(told), 1.0)
    at = _moment(told)
    if at is None and exhausted:
        at = _reset(headers)
    return _UNTOLD if at is None else max(at - there, 1.0)


def clock_time(at: float) -> str:
    """A moment for people: ``14:05:00 UTC``, with the day."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return "later"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def _reset(headers: Mapping[str, str]) -> float | None:
    told = headers.get("x-ratelimit-reset", headers.get("ratelimit-reset", "")).strip()
    return float(told) if told.isascii() and told.isdigit() and len(told) <= 12 else None


def _moment(text: str) -> float | None:
    """An HTTP date."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
