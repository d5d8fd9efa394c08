"""The classification table is complete: every status, every exception class of httpx, every kind of body."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpcore
import httpx
import pytest

from reconciler.dataframer.outcomes import (
    Accepted,
    Answer,
    Class,
    Later,
    NoAnswer,
    NotSent,
    Rejected,
    Unknown,
    classify_status,
    judge_create,
    retry_after,
)
from reconciler.dataframer.transport import TRANSPORT_ERRORS

# Written from the protocol, not from the product's table.
REJECTED = {400, 404, 405, 406, 407, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 431, 501, 505}
STOPPING = {401, 402, 403}
LATER = {425, 429}


def expected(status: int, with_retry_after: bool) -> Class:
    if 200 <= status <= 299:
        return Class.ACCEPTED
    if status in REJECTED:
        return Class.REJECTED
    if status in STOPPING:
        return Class.REJECTED_STOP
    if status in LATER or (status == 503 and with_retry_after):
        return Class.LATER
    return Class.UNKNOWN


@pytest.mark.parametrize("with_retry_after", [False, True])
def test_every_status_has_its_class(with_retry_after: bool) -> None:
    wrong = {
        status: classify_status(status, with_retry_after)
        for status in range(100, 600)
        if classify_status(status, with_retry_after) is not expected(status, with_retry_after)
    }
    assert wrong == {}


@pytest.mark.parametrize("status", [100, 302, 307, 408, 409, 418, 423, 451, 500, 502, 503, 504, 520, 524, 599])
def test_what_is_not_certain_is_unknown(status: int) -> None:
    assert isinstance(judge_create(Answer(status, {}, b'{"error": "no"}')), Unknown)


def exception_classes(module: object) -> list[type[BaseException]]:
    return [item for _, item in inspect.getmembers(module, inspect.isclass) if issubclass(item, BaseException)]


def test_every_exception_of_httpx_is_caught_by_the_transport() -> None:
    found = exception_classes(httpx)
    assert len(found) > 20
    assert [item for item in found if not issubclass(item, TRANSPORT_ERRORS)] == []


def test_every_network_exception_of_httpcore_has_a_counterpart_in_httpx() -> None:
    names = {item.__name__ for item in exception_classes(httpx)}
    internal = {"ConnectionNotAvailable"}  # used inside the pool, never raised to callers
    assert {item.__name__ for item in exception_classes(httpcore)} - names - internal == set()


@pytest.mark.parametrize("sent", [False, True])
def test_the_trace_decides_not_the_class_of_the_exception(sent: bool) -> None:
    for item in exception_classes(httpx):
        outcome = judge_create(NoAnswer(sent, item.__name__, "…"))
        assert isinstance(outcome, Unknown if sent else NotSent)


@pytest.mark.parametrize(
    ("body", "accepted"),
    [
        (b'{"id": "r1"}', True),
        (b'{"id": "r1", "status": "PENDING", "samples_completed": 0, "new": {"a": 1}}', True),
        (b'{"id": "r1", "status": 5, "samples_completed": "many", "total_cost": NaN}', True),
        (b'{"id": ""}', False),
        (b'{"id": "  "}', False),
        (b'{"id": 7}', False),
        (b'{"id": null}', False),
        (b'{"run_id": "r1"}', False),
        (b'[{"id": "r1"}]', False),
        (b'"r1"', False),
        (b"", False),
        (b"<html>created</html>", False),
        (b'{"id": "r1"', False),
        (b'{"id": "\xff"}', False),
        (b"[" * 100_000, False),
    ],
)
def test_a_2xx_is_accepted_only_with_a_usable_id(body: bytes, accepted: bool) -> None:
    for status in (200, 201, 202, 204, 299):
        assert isinstance(judge_create(Answer(status, {}, body)), Accepted if accepted else Unknown)


def test_a_refusal_carries_the_services_words_and_what_to_do() -> None:
    body = json.dumps({"error": "number_of_samples is too large", "field": "number_of_samples"}).encode()
    outcome = judge_create(Answer(400, {}, body))
    assert isinstance(outcome, Rejected)
    assert not outcome.stop
    assert "number_of_samples is too large" in outcome.why
    assert "correct the declaration" in outcome.why
    refused = judge_create(Answer(401, {}, b"who are you"))
    assert isinstance(refused, Rejected)
    assert refused.stop
    assert "api_key" in refused.why


NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DATE = format_datetime(NOW, usegmt=True)


def at(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "86400"}, 300.0),
        ({"retry-after": at(20), "date": DATE}, 20.0),
        ({"retry-after": at(-20), "date": DATE}, 0.0),
        ({"retry-after": at(4000), "date": DATE}, 300.0),
        ({"retry-after": at(20)}, None),
        ({"retry-after": "soon", "date": DATE}, None),
        ({"retry-after": "-5"}, None),
        ({}, None),
    ],
)
def test_retry_after_in_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds
    outcome = judge_create(Answer(429, headers, b""))
    assert isinstance(outcome, Later)
    assert outcome.wait == seconds
