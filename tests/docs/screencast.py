"""Makes docs/screencast.svg and .txt from a real run in a pseudo-terminal: ``python -m tests.docs.screencast``."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import tempfile
import termios
import time
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import pyte

from tests.docs.tutorial import ROOT

COLUMNS, LINES = 96, 30
_SCRIPT = (
    "reconciler init --example",
    "clear; reconciler plan",
    "clear; reconciler apply --auto-approve",
    "reconciler plan",
)
_FRAME_SECONDS = 0.5
_COLOURS = {"green": "#4ec07a", "red": "#ef6a6a", "brown": "#e0b34a", "cyan": "#54b8c8", "default": "#d6dae0"}


@dataclass
class Recording:
    """What a terminal showed: different screens, and for how long each, in seconds."""

    frames: list[list[list[tuple[str, str, bool]]]] = field(default_factory=list)  # lines of (text, colour, bold)
    seconds: list[float] = field(default_factory=list)

    def take(self, screen: pyte.Screen) -> None:
        frame = [_spans(screen, line) for line in range(LINES)]
        if self.frames and self.frames[-1] == frame:
            self.seconds[-1] += _FRAME_SECONDS
        else:
            self.frames.append(frame)
            self.seconds.append(_FRAME_SECONDS)

    def text(self) -> str:
        """The last screen."""
        lines = ["".join(text for text, _, _ in line).rstrip() for line in self.frames[-1]]
        return "\n".join(lines).rstrip() + "\n"

    def svg(self) -> str:
        """An animation that needs no script: each frame is shown in its turn."""
        width, height = COLUMNS * 8.43 + 24, LINES * 18 + 24
        whole, at, parts = sum(self.seconds) + 3.0, 0.0, []
        for number, (frame, shown) in enumerate(zip(self.frames, self.seconds, strict=True)):
            last = number == len(self.frames) - 1
            start, end = at / whole, 1.0 if last else (at + shown) / whole
            at += shown
            values, times = ("0;1", f"0;{start:.4f}") if last else ("0;1;0", f"0;{start:.4f};{end:.4f}")
            if number == 0:
                values, times = "1;0", f"0;{end:.4f}"
            turn = f'<animate attributeName="opacity" calcMode="discrete" dur="{whole:.1f}s" repeatCount="indefinite"'
            body = "".join(_line(line, row) for row, line in enumerate(frame))
            parts.append(f'<g opacity="{int(last)}">{turn} values="{values}" keyTimes="{times}"/>{body}</g>')
        style = "font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" '
            'aria-label="reconciler plans and applies three runs">'
            f'<rect width="100%" height="100%" rx="8" fill="#16191f"/><g style="{style}">{"".join(parts)}</g></svg>\n'
        )


def _spans(screen: pyte.Screen, line: int) -> list[tuple[str, str, bool]]:
    spans: list[tuple[str, str, bool]] = []
    for column in range(COLUMNS):
        cell = screen.buffer[line][column]
        colour = cell.fg if cell.fg in _COLOURS else "default"
        if spans and spans[-1][1:] == (colour, cell.bold):
            spans[-1] = (spans[-1][0] + cell.data, colour, cell.bold)
        else:
            spans.append((cell.data, colour, cell.bold))
    while spans and not spans[-1][0].strip():
        spans.pop()
    return spans


def _line(spans: list[tuple[str, str, bool]], row: int) -> str:
    if not spans:
        return ""
    weights = {True: " font-weight='bold'", False: ""}
    parts = "".join(
        f'<tspan fill="{_COLOURS[colour]}"{weights[bold]}>{escape(text)}</tspan>' for text, colour, bold in spans
    )
    return f'<text x="12" y="{row * 18 + 26}" xml:space="preserve">{parts}</text>'


def record(folder: Path) -> Recording:
    """Type the script into a shell, and watch."""
    binary = folder / "bin" / "reconciler"
    binary.parent.mkdir()
    binary.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n', "utf-8")
    binary.chmod(0o755)
    home = folder / "tickets"
    home.mkdir()
    environment = {
        "PATH": f"{binary.parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
        "PS1": "$ ",
        "RECONCILER_EMULATOR_FAULTS": "slow_runs=2",
    }
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(home)
        os.execvpe("sh", ["sh", "-i"], environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    recording = Recording()
    _watch(terminal, stream, screen, None)
    for command in _SCRIPT:
        os.write(terminal, f"{command}\n".encode())
        _watch(terminal, stream, screen, recording)
    os.write(terminal, b"exit\n")
    os.waitpid(child, 0)
    os.close(terminal)
    return recording


def _watch(terminal: int, stream: pyte.ByteStream, screen: pyte.Screen, recording: Recording | None) -> None:
    """Until the prompt stands alone again."""
    started = time.monotonic()
    while time.monotonic() - started < 60:
        until = time.monotonic() + _FRAME_SECONDS
        while (left := until - time.monotonic()) > 0:
            if select.select([terminal], [], [], left)[0]:
                stream.feed(os.read(terminal, 65536))
        if recording is not None:
            recording.take(screen)
        prompt = screen.display[screen.cursor.y].strip() == "$"
        if prompt and (recording is None or time.monotonic() - started > 1.5):
            return
    raise AssertionError("the command never came to its end:\n" + "\n".join(screen.display))


def make() -> Recording:
    """Record in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return record(Path(folder))


if __name__ == "__main__":
    recorded = make()
    (ROOT / "docs" / "screencast.svg").write_text(recorded.svg(), "utf-8")
    (ROOT / "docs" / "screencast.txt").write_text(recorded.text(), "utf-8")
