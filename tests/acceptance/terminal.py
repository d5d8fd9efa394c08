"""The command line on a terminal of its own: a pseudo-terminal that answers questions."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator, Sequence

from tests.acceptance.project import TIMEOUT, Project

PROMPT = re.compile(r"[:?>\])]\s*(\x1b\[[0-9;?]*[A-Za-z])*$")  # an unfinished last line that waits for an answer


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """A terminal: our side, and that of the command, which whoever starts it closes once it has started."""
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)


def answered(ours: int, answers: Sequence[str]) -> str:
    """Type the answers, one when the command asks, until the other side is closed. What stood there."""
    left, shown, deadline = list(answers), "", time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        ready, _, _ = select.select([ours], [], [], 0.1)
        if ready:
            data = b""
            with contextlib.suppress(OSError):  # Linux says EIO when the other side is closed
                data = os.read(ours, 65536)
            if not data:
                return shown
            shown += data.decode(errors="replace")
        elif left and PROMPT.search(shown.rpartition("\n")[2]):
            os.write(ours, left.pop(0).encode() + b"\n")
            shown += "\n"  # a line that was answered asks no more, whatever the terminal echoes
    raise AssertionError(f"the command did not end:\n{shown}")


def converse(project: Project, *args: str, answer: str | Sequence[str]) -> tuple[int, str]:
    """Run a command on a terminal and type the answers, one when it asks. Returns exit code and what stood there."""
    environment = project.environment() | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    with terminal() as (ours, theirs):
        process = subprocess.Popen(
            project.command(*args), cwd=project.elsewhere, env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        try:
            shown = answered(ours, [answer] if isinstance(answer, str) else answer)
            return process.wait(timeout=10), shown
        finally:
            process.kill()
            process.wait()
