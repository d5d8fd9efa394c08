"""The closing lines on a terminal: broken at blanks, never within a word."""

from __future__ import annotations

from reconciler.model.events import Report
from reconciler.views.apply_text import closing_lines
from reconciler.views.paint import Paint


def test_what_is_said_at_the_end_fits_the_terminal() -> None:
    report = Report(interrupted="SIGINT")
    (first, whole) = closing_lines(report, Paint())
    lines = list(closing_lines(report, Paint(), 80))
    assert max(map(len, lines)) <= 80
    assert lines[0] == first
    assert " ".join(line.strip() for line in lines[1:]) == whole
