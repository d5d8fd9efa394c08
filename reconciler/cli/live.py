"""The live display of an apply on a terminal."""

from __future__ import annotations

import sys
import threading
import time

from rich.console import Console
from rich.live import Live
from rich.text import Text

from reconciler.applying.interruption import Interruption
from reconciler.cli.session import Session
from reconciler.model.events import Event, Report
from reconciler.model.plan import Plan
from reconciler.views.apply_text import PlainLines, closing_lines
from reconciler.views.board import Board
from reconciler.views.live import LiveBoard
from reconciler.views.paint import Paint, printable, wrapped
from reconciler.views.plan_text import plan_text

_REFRESHES_A_SECOND = 4


class LiveTelling:
    """A board that redraws itself; what is over scrolls up. The terminal is left as it was found."""

    def __init__(self, session: Session, paint: Paint, interruption: Interruption) -> None:
        self._session = session
        self._paint = paint
        self._interruption = interruption
        self._guard = threading.Lock()
        self._console = Console(
            file=getattr(sys.stdout, "raw", None), no_color=not paint.enabled, highlight=False, soft_wrap=False
        )
        self._board = Board(PlainLines(paint), time.monotonic())
        self._drawn = LiveBoard(self._board, self._console)
        self._live: Live | None = None
        self._width = self._console.size.width

    def plan(self, plan: Plan) -> None:
        """The plan as text."""
        self._session.say(plan_text(plan, self._paint, self._session.width(sys.stdout)))

    def nothing(self, code: int) -> None:
        """The plan has said so."""

    def event(self, event: Event) -> None:
        """Take an event; the first one starts the display."""
        with self._guard:
            if self._live is None:
                self._board.since = time.monotonic()
                self._live = Live(
                    get_renderable=self._render,
                    console=self._console,
                    refresh_per_second=_REFRESHES_A_SECOND,
                    transient=True,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self._live.start()
            line = self._board.handle(event, time.monotonic())
            if line is not None:
                for part in wrapped(line, self._console.size.width):
                    self._console.print(Text.from_ansi(printable(part)), soft_wrap=True)

    def close(self, report: Report, code: int) -> None:
        """Take the display away, and leave the closing line."""
        self.stop()
        lines = closing_lines(report, self._paint, self._session.width(sys.stdout))
        self._session.say("\n" + "\n".join(lines))

    def stop(self) -> None:
        """Give the terminal back; also called when something goes wrong."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _render(self) -> LiveBoard:
        self._drawn.now = time.monotonic()
        self._drawn.stopping = self._interruption.reason
        width = self._console.size.width
        if self._live is not None and width < self._width:
            # A terminal that got narrower has wrapped what was drawn: more lines are to be taken back than rich knows.
            wrapped = sum(-(-drawn // width) for drawn in self._drawn.widths)
            self._live._live_render._shape = (width, wrapped)
        self._width = width
        return self._drawn
