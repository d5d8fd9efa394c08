"""What ``-v`` and ``-vv`` log of the wire: never a body, a query, a header of ours, or a secret."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Final

_log = logging.getLogger("reconciler.http")
# By what the service, or a gateway before it, knows a request: its support asks for this.
_REQUEST_IDS: Final = (
    "x-request-id",
    "request-id",
    "x-correlation-id",
    "x-amzn-requestid",
    "x-amz-cf-id",
    "x-cloud-trace-context",
    "cf-ray",
)
_LONGEST_ID: Final = 128  # characters


def request_id(headers: Mapping[str, str]) -> str:
    """The first of them that an answer has (names in lower case), or an empty text."""
    return next((headers[name][:_LONGEST_ID] for name in _REQUEST_IDS if headers.get(name)), "")


def answered(method: str, path: str, status: int, seconds: float, request: str) -> None:
    """An answer came. ``request``: its id, without secrets."""
    _log.info("%s %s: %s, %.0f ms%s", method, path, status, seconds * 1000, f", request {request}" if request else "")


def sizes(method: str, path: str, sent: int, received: int, unpacked: int, opened: bool) -> None:
    """Bytes of bodies, and whether a connection was opened for them."""
    packed = "" if received == unpacked else f" ({unpacked:,} unpacked)"
    connection = "a new connection" if opened else "a kept connection"
    _log.debug(
        "%s %s: sent %s bytes, received %s%s, over %s", method, path, f"{sent:,}", f"{received:,}", packed, connection
    )


def failed(method: str, path: str, error: BaseException, sent: bool, seconds: float) -> None:
    """No answer came. The error's words may repeat what was sent, its class does not."""
    evidence = "the request may have left" if sent else "nothing was sent"
    _log.info("%s %s: %s after %.0f ms, %s", method, path, type(error).__name__, seconds * 1000, evidence)


def again(method: str, path: str, attempt: int, tries: int, seconds: float, asked: bool) -> None:
    """A call that may be repeated is made once more. ``asked``: the service said how long to wait."""
    why = "as the service asks" if asked else "backing off"
    _log.info("%s %s: trying again in %.1f s, %s (try %s of %s)", method, path, seconds, why, attempt, tries)


def submitted(address: str, attempt: int, time: int, outcome: str) -> None:
    """A submission was tried for the ``time``-th time. ``outcome``: the name of its class."""
    words = re.sub("(?<=[a-z])(?=[A-Z])", " ", outcome).lower()
    _log.info("%s, attempt %s: %s%s", address, attempt, words, "" if time == 1 else f" (try {time})")


def pausing(seconds: float) -> None:
    """No submission is started for a while."""
    _log.debug("no submission is started for %.1f s: the pace, a back-off, or the service asks for it", seconds)
