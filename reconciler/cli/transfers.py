"""How a download is told: plain lines, or bars on a terminal with the lines above them."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Protocol

from reconciler.cli.session import Session
from reconciler.model.downloads import DownloadEvent, Failed, Fetched, Fetching, Gained
from reconciler.views.download_text import Tally, download_line
from reconciler.views.paint import Paint, one_line, printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Telling(Protocol):
    """Where the words of a download go; ``event`` may be called from several threads."""

    tally: Tally

    def event(self, event: DownloadEvent) -> None:
        """Something happened."""

    def stop(self) -> None:
        """Leave the terminal as it was found."""


class PlainTransfers:
    """Lines for people, logs and pipes; errors on standard error."""

    def __init__(self, session: Session, paint: Paint) -> None:
        self.tally = Tally()
        self._session = session
        self._paint = paint
        self._guard = threading.Lock()

    def event(self, event: DownloadEvent) -> None:
        """One line, if there is one."""
        line = download_line(event, self._paint)
        with self._guard:
            self.tally.count(event)
            if isinstance(event, Failed) and line is not None:
                self._session.warn([line])
            elif line is not None:
                self._session.tell(line)

    def stop(self) -> None:
        """Nothing to give back."""


class LiveTransfers:
    """A bar for each run that is being fetched; what is over scrolls up as a line."""

    def __init__(self, session: Session, paint: Paint) -> None:
        self.tally = Tally()
        self._session = session
        self._paint = paint
        self._guard = threading.Lock()
        self._progress: Progress | None = None
        self._bars: dict[str, TaskID] = {}
        self._over = False

    def event(self, event: DownloadEvent) -> None:
        """Move a bar, or print a line above them."""
        with self._guard:
            if self._over:  # a thread that has not noticed yet
                return
            self.tally.count(event)
            if isinstance(event, Gained):
                bar = self._bars.get(event.address)
                if bar is not None:
                    self._bars_shown().advance(bar, event.size)
            elif isinstance(event, Fetching):
                self._begin(event)
            else:
                if isinstance(event, Fetched | Failed) and event.address in self._bars:
                    self._bars_shown().remove_task(self._bars.pop(event.address))
                self._print(download_line(event, self._paint), error=isinstance(event, Failed))

    def stop(self) -> None:
        """Take the bars away."""
        with self._guard:
            progress, self._progress, self._over = self._progress, None, True
        if progress is not None:
            progress.stop()

    def _begin(self, event: Fetching) -> None:
        progress = self._bars_shown()
        if event.address in self._bars:
            progress.update(self._bars[event.address], total=event.size)
        else:
            self._bars[event.address] = progress.add_task(one_line(event.address), total=event.size)

    def _print(self, line: str | None, *, error: bool) -> None:
        if line is None:
            return
        if self._progress is None:
            self._session.warn([line]) if error else self._session.tell(line)
            return
        from rich.text import Text

        self._progress.console.print(Text.from_ansi(printable(one_line(line))), soft_wrap=True)

    def _bars_shown(self) -> Progress:
        if self._progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
            from rich.table import Column

            console = Console(
                file=getattr(sys.stdout, "raw", None), no_color=not self._paint.enabled, highlight=False, markup=False
            )
            self._progress = Progress(
                TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
                BarColumn(),
                DownloadColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._progress.start()
        return self._progress
