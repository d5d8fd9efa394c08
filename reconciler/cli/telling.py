"""How an apply is told: plain lines, or JSON events; on a terminal ``cli.live`` is the third way."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from reconciler.cli.output import to_json
from reconciler.cli.session import Session
from reconciler.clock import now
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.events import Event, Report
from reconciler.model.plan import Plan
from reconciler.views.apply_text import PlainLines, closing_lines
from reconciler.views.events_json import diagnostic_event, event_json, plan_events, summary_event, version_event
from reconciler.views.paint import Paint
from reconciler.views.plan_text import plan_text, summary


class Telling(Protocol):
    """Where an apply's words go. ``event`` may be called from several threads."""

    def plan(self, plan: Plan) -> None:
        """The plan, before anything is done."""

    def nothing(self, code: int) -> None:
        """There was nothing to do."""

    def event(self, event: Event) -> None:
        """Something happened."""

    def close(self, report: Report, code: int) -> None:
        """It is over."""

    def stop(self) -> None:
        """Leave the terminal as it was found, whatever happened."""


class _Desk:
    """Where threads hand in events without waiting for each other: whoever finds nobody at it writes for all."""

    def __init__(self, write: Callable[[list[Event]], None]) -> None:
        self._write = write
        self._events: deque[Event] = deque()
        self._guard = threading.Lock()

    def hand_in(self, event: Event) -> None:
        """In the order of these calls, each event is written by the end of one of them."""
        self._events.append(event)
        while self._events and self._guard.acquire(blocking=False):
            try:
                self._write([self._events.popleft() for _ in range(len(self._events))])
            finally:
                self._guard.release()


class PlainTelling:
    """Lines for people, logs and pipes."""

    def __init__(self, session: Session, paint: Paint) -> None:
        self._session = session
        self._paint = paint
        self._lines = PlainLines(paint)
        self._desk = _Desk(self._write)

    def plan(self, plan: Plan) -> None:
        """The plan as text; its one line where nobody asked for more, and nobody is asked."""
        if self._session.quiet and not self._session.interactive:
            self._session.say(summary(plan))
            return
        width = self._session.width(sys.stdout)
        self._session.say(plan_text(plan, self._paint, width, quiet=self._session.quiet))

    def nothing(self, code: int) -> None:
        """The plan has said so."""

    def event(self, event: Event) -> None:
        """One line, if it says something new."""
        self._desk.hand_in(event)

    def _write(self, events: list[Event]) -> None:
        self._session.tell(*(line for line in map(self._lines.line, events) if line is not None))

    def close(self, report: Report, code: int) -> None:
        """The closing line and what to do."""
        lines = closing_lines(report, self._paint, self._session.width(sys.stdout))
        self._session.say("\n" + "\n".join(lines))

    def stop(self) -> None:
        """Nothing to give back."""


class JsonTelling:
    """One JSON object a line."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._guard = threading.Lock()
        self._made: Plan | None = None
        session.on_error = self._failed

    def plan(self, plan: Plan) -> None:
        """Version, diagnostics, changes and their summary."""
        self._made = plan
        for item in (version_event(now()), *plan_events(plan, now())):
            self._write(item)

    def nothing(self, code: int) -> None:
        """The summary alone."""
        self._write(summary_event(Report(), summary(self._made) if self._made else "", code, now()))

    def event(self, event: Event) -> None:
        """One line."""
        self._write(event_json(event, now()))

    def close(self, report: Report, code: int) -> None:
        """The summary."""
        self._write(summary_event(report, next(iter(closing_lines(report, Paint()))), code, now()))

    def stop(self) -> None:
        """Nothing to give back."""

    def _failed(self, found: Sequence[Diagnostic], code: int) -> None:
        """It ended with an error: what the plan has not said, and the summary."""
        said = self._made.diagnostics if self._made else ()
        if self._made is None:
            self._write(version_event(now()))
        for item in found:
            if item not in said:
                self._write(diagnostic_event(item, now()))
        self._write(summary_event(Report(), "Apply failed.", code, now()))

    def _write(self, item: dict[str, Any]) -> None:
        with self._guard:
            self._session.say(to_json(item, None))
