"""What a download tells: lines, a closing line, and bars that leave the terminal as it was."""

from __future__ import annotations

import io
import sys

import pytest

from reconciler.cli.output import Output
from reconciler.cli.session import Session
from reconciler.cli.transfers import LiveTransfers, PlainTransfers
from reconciler.model.downloads import DownloadEvent, Failed, Fetched, Fetching, Gained, Kept, Noted
from reconciler.views.download_text import Tally, download_line, size_text
from reconciler.views.paint import Paint

EVIL = 'run.x["\x1b[2J"]'
EVENTS: tuple[DownloadEvent, ...] = (
    Kept("run.kept", "out/run.kept", 1, 12_345),
    Fetching("run.x", 2, 1000),
    Gained("run.x", 600),
    Noted("run.x", "a note"),
    Fetching(EVIL, 0, None),
    Fetching(EVIL, 0, 2_000_000),
    Gained(EVIL, 1_000_000),
    Gained("run.nobody", 5),
    Failed(EVIL, "no \x1b[31m luck"),
    Gained("run.x", 400),
    Fetched("run.x", "out/run.x", 2, 1000),
)


def test_each_event_has_its_words() -> None:
    assert [download_line(event, Paint()) for event in EVENTS] == [
        "run.kept: all there (1 file, 12.3 kB)",
        "run.x: fetching 2 files (1.0 kB)",
        None,
        "run.x: a note",
        f"{EVIL}: waiting for the service to pack its archive",
        f"{EVIL}: fetching its archive (2.0 MB)",
        None,
        None,
        f"error: {EVIL}: no \x1b[31m luck",
        None,
        "run.x: fetched 2 files, 1.0 kB into out/run.x",
    ]


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"), (10**15, "1,000.0 TB")],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], "Nothing to download."),
        ([Noted("run.x", "skipped")], "Nothing to download."),
        ([Kept("run.x", "", 1, 1)] * 2, "Download complete: 2 were there already."),
        ([Fetched("run.x", "", 1, 1)], "Download complete: 1 run fetched (1 file, 1 B)."),
        (
            [Failed(f"run.{n}", "") for n in range(7)],
            "Download incomplete: 7 failed (run.0, run.1, run.2, run.3, run.4, …).",
        ),
    ],
)
def test_the_closing_line(events: list[DownloadEvent], said: str) -> None:
    tally = Tally()
    for event in events:
        tally.count(event)
    assert tally.summary() == said


def test_lines_go_out_escaped_and_errors_apart(capsys: pytest.CaptureFixture[str]) -> None:
    telling = PlainTransfers(Session(), Paint())
    for event in EVENTS:
        telling.event(event)
    said = capsys.readouterr()
    assert said.err == 'error: run.x["\\x1b[2J"]: no \\x1b[31m luck\n'
    assert "\x1b" not in said.out
    assert len(said.out.splitlines()) == 6


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bars_are_drawn_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", Output(terminal))
    telling = LiveTransfers(Session(), Paint())
    for event in EVENTS:
        telling.event(event)
    telling.stop()
    telling.event(Fetching("run.late", 1, 1))  # a thread that has not noticed yet
    said = terminal.getvalue()
    assert "run.late" not in said
    assert "run.x: fetched 2 files, 1.0 kB into out/run.x" in said
    assert 'error: run.x["\\x1b[2J"]: no \\x1b[31m luck' in said
    assert "\x1b[2J" not in said
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h") == 1
    assert (telling.tally.kept, telling.tally.fetched, telling.tally.failed) == (1, 1, [EVIL])
