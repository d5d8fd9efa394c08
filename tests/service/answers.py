"""How one create call is answered: the values that a test puts into the script of the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Wire(StrEnum):
    """What the connection does with the answer."""

    WHOLE = "whole"
    UNREAD = "unread"  # closed after the request's head, its body never read
    DROPPED = "dropped"  # the request was read whole; closed without an answer
    TRUNCATED = "truncated"  # closed in the middle of the answer's body
    DRIPPED = "dripped"  # a byte at a time


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to a create call. ``body`` None is the new run in full."""

    status: int = 201
    creates: bool = True
    body: Mapping[str, object] | bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    wire: Wire = Wire.WHOLE
    id_only: bool = False
    delay: float = 0.0  # seconds between the request's arrival and its execution
    interval: float = 0.05  # seconds between two bytes of a dripped answer


def accepted(status: int = 201, delay: float = 0.0) -> Answer:
    """The run in full, under any 2xx."""
    return Answer(status=status, delay=delay)


def id_only(status: int = 201) -> Answer:
    """``{"id": …}`` and nothing else."""
    return Answer(status=status, id_only=True)


def refused(status: int, error: str = "not like this", headers: Mapping[str, str] | None = None) -> Answer:
    """An error that certainly bought nothing."""
    return Answer(status=status, creates=False, body={"error": error}, headers=headers or {})


def slow_down(retry_after: str | None = "1") -> Answer:
    """429, nothing bought. ``retry_after``: seconds or an HTTP date."""
    return refused(429, "too many requests", {"Retry-After": retry_after} if retry_after is not None else None)


def unavailable(retry_after: str | None = None, creates: bool = False) -> Answer:
    """503. Only with ``Retry-After`` may a client believe that nothing was executed."""
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    return Answer(status=503, creates=creates, body=b"<html>busy</html>", headers=headers)


def failed_after_creating(status: int = 500) -> Answer:
    """The run exists, the answer says that something broke."""
    return Answer(status=status, body={"error": "internal error"})


def unread() -> Answer:
    """The connection ends before the body of the request was read; nothing is bought."""
    return Answer(creates=False, wire=Wire.UNREAD)


def dropped(creates: bool = True) -> Answer:
    """The connection ends without an answer."""
    return Answer(creates=creates, wire=Wire.DROPPED)


def garbage(body: bytes = b"<html>OK</html>") -> Answer:
    """A 2xx that no client can use. The run exists."""
    return Answer(status=200, body=body)


def truncated() -> Answer:
    """The run exists, its answer ends in the middle."""
    return Answer(wire=Wire.TRUNCATED)


def dripped(interval: float = 0.05) -> Answer:
    """The run exists, its answer comes a byte at a time."""
    return Answer(wire=Wire.DRIPPED, interval=interval)


def redirected(location: str, status: int = 307) -> Answer:
    """Nothing is bought here; a client that follows would carry its key elsewhere."""
    return Answer(status=status, creates=False, body=b"", headers={"Location": location})
