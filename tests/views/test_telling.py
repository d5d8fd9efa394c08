"""Events of many threads are all told, each once and on one line, those of a thread in their order."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from reconciler.cli.session import Session
from reconciler.cli.telling import PlainTelling
from reconciler.model.events import Told
from reconciler.views.paint import Paint

THREADS, EACH = 16, 200


def test_events_of_many_threads_are_told_once_and_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    telling = PlainTelling(Session(Path()), Paint())
    at_once = threading.Barrier(THREADS)

    def work(name: int) -> None:
        at_once.wait(10)
        for number in range(EACH):
            telling.event(Told(f"{name}:{number}\nforged"))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == THREADS * EACH
    for name in range(THREADS):
        assert [line for line in lines if line.startswith(f"{name}:")] == [f"{name}:{n}\\nforged" for n in range(EACH)]


def test_an_event_is_written_when_its_call_returns(capsys: pytest.CaptureFixture[str]) -> None:
    telling = PlainTelling(Session(Path()), Paint())
    telling.event(Told("one"))
    assert capsys.readouterr().out == "one\n"


def test_who_is_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session(Path())
    session.quiet = True
    PlainTelling(session, Paint()).event(Told("one"))
    assert capsys.readouterr().out == ""
