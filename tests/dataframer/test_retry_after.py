"""``Retry-After`` in all its forms: a wait in seconds, none where it can't be read, and never an exception."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.dataframer.outcomes import Answer, Later, judge_create, retry_after

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DATE = format_datetime(NOW, usegmt=True)


def after(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("1", 1), ("299", 299), ("300", 300), ("301", 300), ("9" * 400, 300), (" 5 ", 5)]
    + [(after(0), 0), (after(1), 1), (after(300), 300), (after(301), 300), (after(-1), 0), (after(-(10**9)), 0)]
    + [
        ("Sunday, 01-Mar-26 12:00:09 GMT", 9),
        ("Sun Mar  1 12:00:09 2026", 9),
        ("Sun, 01 Mar 2026 12:00:09 -0000", 9),
        ("Sun, 01 Mar 2026 13:00:09 +0100", 9),
    ]
    + [
        (bad, None)
        for bad in ["", "soon", "-1", "+1", "1.5", "1e3", "0x5", "1,2", "1s", "²", "Sun, 99 Mar 2026 12:00:00 GMT"]
    ],
)
def test_forms(text: str, seconds: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for zone in ("UTC", "Asia/Tokyo"):  # a time without a zone is no time of this machine
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert retry_after({"retry-after": text, "date": DATE}) == seconds
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("date", ["", "yesterday", "Sun, 01 Mar 2026 12:00:00 +99999999999999999999"])
def test_a_date_without_the_answer_s_own_is_no_time(date: str) -> None:
    assert retry_after({"retry-after": after(5), "date": date}) is None
    assert retry_after({"retry-after": "5", "date": date}) == 5


@settings(max_examples=500, deadline=None)
@given(
    text=st.lists(
        st.sampled_from(
            ["Mon", "Jan", "GMT", "EST", "pm", ",", " ", ":", "-", "+", ".", "/", "0", "31", "2024", "9" * 20]
        )
        | st.characters(max_codepoint=255),
        max_size=14,
    ).map("".join),
)
@example(text="Mon, 01 Jan 2024 00:00:00 +99999999999999999999")
@example(text="Mon, 01 Jan 9999 23:59:59 -0000")
@example(text="Mon, 01 Jan 0001 00:00:00 -2359")
def test_nothing_that_a_header_can_hold_breaks_the_judgement(text: str) -> None:
    outcome = judge_create(Answer(429, {"retry-after": text, "date": DATE}, b""))
    assert isinstance(outcome, Later)
    assert outcome.wait is None or 0 <= outcome.wait <= 300
