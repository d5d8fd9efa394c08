"""What the reply to a create call proves. One table; whatever it does not list is unknown, and never sent again.

A create call buys, and carries no idempotency key. So the question is never "did it fail?" but "is it certain that no
run was made?".
"""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from datetime import UTC
from enum import Enum
from typing import Final

from msgspec import Struct

from reconciler.dataframer.advice import with_advice
from reconciler.dataframer.parse import parse_json, parse_run, service_words
from reconciler.model.run import Run

MAX_WAIT_SECONDS: Final = 300.0


class Answer(Struct, frozen=True):
    """A whole HTTP answer. Header names are in lower case; ``elapsed`` is in seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed: float = 0.0


class NoAnswer(Struct, frozen=True):
    """No whole answer came. ``sent``: the first byte of the request may have left this machine."""

    sent: bool
    error: str  # name of the exception's class
    message: str


Reply = Answer | NoAnswer


class Class(Enum):
    """What a status proves of a create call."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    REJECTED_STOP = "rejected, stop submitting"
    LATER = "rejected for now"
    UNKNOWN = "unknown"


_CLASSES: Final[dict[int, Class]] = (
    dict.fromkeys(range(200, 300), Class.ACCEPTED)  # if the body holds an id
    | dict.fromkeys((*range(400, 408), *range(410, 418), 421, 422, 431, 501, 505), Class.REJECTED)
    | dict.fromkeys((401, 402, 403), Class.REJECTED_STOP)
    | dict.fromkeys((425, 429), Class.LATER)
)


def classify_status(status: int, retry_after: bool) -> Class:
    """The class of a status; ``retry_after``: the answer carries that header."""
    if status == 503 and retry_after:
        return Class.LATER
    return _CLASSES.get(status, Class.UNKNOWN)


class Accepted(Struct, frozen=True):
    """A run was bought; ``run`` has at least an id."""

    run: Run


class NotSent(Struct, frozen=True):
    """Not a byte of the request left this machine."""

    why: str


class Rejected(Struct, frozen=True):
    """The service refused for good. ``stop``: it would refuse every other submission as well."""

    status: int
    why: str
    stop: bool


class Later(Struct, frozen=True):
    """The service refused for now. ``wait`` in seconds, None where it names no time."""

    status: int
    why: str
    wait: float | None


class Unknown(Struct, frozen=True):
    """A run may have been bought."""

    why: str


Outcome = Accepted | NotSent | Rejected | Later | Unknown


def judge_create(reply: Reply) -> Outcome:
    """What the reply to a create call proves."""
    match reply:
        case NoAnswer(sent=False):
            return NotSent(f"{reply.error}: {reply.message}")
        case NoAnswer():
            return Unknown(f"no answer after the request was sent ({reply.error}: {reply.message})")
        case Answer():
            return _judge_answer(reply)


def _judge_answer(answer: Answer) -> Outcome:
    found = classify_status(answer.status, "retry-after" in answer.headers)
    if found is Class.ACCEPTED:
        run = parse_run(parse_json(answer.body))
        if run is None:
            return Unknown(f"HTTP {answer.status} without a usable run id")
        return Accepted(run)
    said = service_words(answer.body)
    words, advised = f"HTTP {answer.status}: {said}", with_advice(answer.status, said)
    match found:
        case Class.REJECTED:
            return Rejected(answer.status, advised, stop=False)
        case Class.REJECTED_STOP:
            return Rejected(answer.status, advised, stop=True)
        case Class.LATER:
            return Later(answer.status, words, retry_after(answer.headers))
        case Class.UNKNOWN:
            return Unknown(words)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the service asks to wait, at most 300. A date is measured against the answer's own ``Date``."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return min(float(text), MAX_WAIT_SECONDS)
    until, now = http_date(text), http_date(headers.get("date", ""))
    if until is None or now is None:
        return None
    return min(max(until - now, 0.0), MAX_WAIT_SECONDS)


def http_date(text: str) -> float | None:
    """Seconds since the epoch of a time in a header; None for what is no time."""
    try:
        parsed = email.utils.parsedate_to_datetime(text)
        # The old C form and "-0000" name no zone; a time of HTTP is in UTC, wherever this machine stands.
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):  # what the parser raises for the oddest of texts
        return None
