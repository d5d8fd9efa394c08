"""Draws a board for a terminal, with rich: a line a run, an overall bar, never more than a screenful."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from reconciler.model.run import RunStatus
from reconciler.views.board import Board, Row
from reconciler.views.paint import one_line

_STYLES = {RunStatus.PROCESSING: "cyan", RunStatus.PENDING: "dim"}
_ECHO = 2  # columns for the ^C that a terminal shows: a line more, and what was drawn is not taken back whole
_SPARE_LINES = 4  # above the live part, so that what scrolls up can be read
_NARROWEST_BAR, _WIDEST_BAR = 6, 40
_STATUS, _COUNTS, _TIMES = 10, 15, 18


class LiveBoard:
    """A renderable that draws the board as it is at each refresh. ``now`` and ``stopping`` are asked then."""

    def __init__(self, board: Board, console: Console) -> None:
        self._board = board
        self._console = console
        self.now = board.since
        self.stopping = ""
        self.widths: list[int] = []  # of the lines drawn last

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = options.height or console.size.height
        width = max(options.max_width - _ECHO, 1)
        lines = [_safe(line) for line in self.lines(width, height, ascii_only=options.ascii_only)]
        self.widths = [line.cell_len for line in lines]
        yield from lines

    def lines(self, width: int, height: int, ascii_only: bool = False) -> Iterator[Text]:
        """The live part: at most ``height`` less a few lines, each at most ``width`` wide."""
        board = self._board
        room = max(height - _SPARE_LINES - 3, 1)
        rows = board.shown(room)
        labels = [row.address for row in rows]
        longest = max(map(len, labels), default=0)
        fixed = _STATUS + _COUNTS + _TIMES + 4
        name = max(min(longest, width - fixed - _NARROWEST_BAR, max(width // 3, 12)), 8)
        bar = min(width - fixed - name, _WIDEST_BAR)
        if longest > name:
            labels = _shortened(labels)
        for row, label in zip(rows, labels, strict=True):
            line = self._row(row, label, name, bar, ascii_only)
            line.truncate(width)
            yield line
        hidden = len(board.rows) - len(rows)
        if hidden:
            working = sum(1 for row in board.rows.values() if row.status is RunStatus.PROCESSING)
            waiting = len(board.rows) - working
            said = f"… and {hidden:,} more ({working:,} working, {waiting:,} waiting in all)"
            yield Text(said[:width], style="dim", no_wrap=True)
        yield self._overall(width, ascii_only)
        if self.stopping:
            said = f"Stopping ({self.stopping}): waiting for what is in flight. Ctrl-C again leaves at once."
            yield Text(said[:width], style="yellow", no_wrap=True)

    def _row(self, row: Row, label: str, name: int, bar: int, ascii_only: bool) -> Text:
        style = _STYLES.get(row.status, "")
        text = Text(_middle(one_line(label), name).ljust(name + 1), no_wrap=True)
        text.append(row.status.value.lower().ljust(_STATUS + 1), style)
        if bar >= _NARROWEST_BAR:
            text.append_text(_bar(row.share, bar, ascii_only))
            text.append(" ")
        counts = f"{row.completed:,}/{row.samples:,}" if row.samples else f"{row.completed:,}"
        text.append(counts.rjust(_COUNTS))
        text.append(_times(self.now - row.since, row.eta(self.now)), "dim")
        return text

    def _overall(self, width: int, ascii_only: bool) -> Text:
        board = self._board
        over = sum(board.over.values())
        known = over + len(board.rows)
        made, asked = board.samples()
        said = f"{over:,} of {max(known, board.wanted):,} runs over"
        failed = board.over["FAILED"] + board.over["CANCELED"]
        said += f" ({failed:,} without success)" if failed else ""
        if board.submitted < board.wanted:
            said += f", {board.submitted:,} of {board.wanted:,} submitted"
        said += f", {made:,} of {asked:,} samples" if asked else ""
        times = _times(self.now - board.since, board.eta(self.now)).strip()
        text = Text(no_wrap=True)
        bar = min(width - len(said) - len(times) - 4, _WIDEST_BAR)
        if bar >= _NARROWEST_BAR:
            text.append_text(_bar(made / asked if asked else 0.0, bar, ascii_only))
            text.append(" ")
        text.append(said[: width - len(times) - 3], "bold")
        text.append(f"  {times}", "dim")
        return text


def _safe(line: Text) -> Text:
    """What is drawn does not pass through ``cli.output``: a line with anything to escape is escaped here."""
    return line if line.plain == one_line(line.plain) else Text(one_line(line.plain)[: len(line.plain)], no_wrap=True)


def _bar(share: float, width: int, ascii_only: bool) -> Text:
    """Different characters for both parts: readable without colour."""
    full = round(share * width)
    done, rest = ("#", ".") if ascii_only else ("━", "─")
    return Text.assemble((done * full, "green"), (rest * (width - full), "dim"))


def _times(elapsed: float, eta: float | None) -> str:
    left = f" ~{_clock(eta)} left" if eta is not None else ""
    return f" {_clock(elapsed)}{left}"[:_TIMES].ljust(_TIMES)


def _clock(seconds: float) -> str:
    """``0:07``, ``12:34``, ``3h05``, ``2d04h``."""
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    hours = whole // 3600
    return f"{hours}h{whole % 3600 // 60:02d}" if hours < 48 else f"{hours // 24}d{hours % 24:02d}h"


def _shortened(addresses: list[str]) -> list[str]:
    """Of points of a matrix the values that tell them apart: ``run.sweep[openai/gpt-oss-120b,10]``."""
    points: dict[str, list[list[str]]] = {}
    for address in addresses:
        name, axes = _point(address)
        points.setdefault(name, []).append(axes)
    labels = []
    for address in addresses:
        name, axes = _point(address)
        alike = points[name]
        if len(axes) < 2 or any(len(other) != len(axes) for other in alike):
            labels.append(address)
            continue
        telling = [axis for place, axis in enumerate(axes) if any(other[place] != axis for other in alike)]
        labels.append(f"{name}[{','.join(axis.partition('=')[2] for axis in telling or axes)}]")
    return labels


def _point(address: str) -> tuple[str, list[str]]:
    name, _, key = address.partition("[")
    return name, key.strip('"]').split(",") if "=" in key else []


def _middle(text: str, width: int) -> str:
    """Shortened in the middle: both ends of an address tell instances apart."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"
