"""The one way to standard output and standard error: what is written there, by whomever, goes through ``printable``."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable
from typing import IO, Any

from reconciler.views.paint import one_line, printable


class Output:
    """A text stream that lets through new lines, the colours of ``Paint``, and nothing else that a terminal would obey.

    It stands in for ``sys.stdout`` and ``sys.stderr``, so that also messages of click, log lines, tracebacks of threads
    and warnings of libraries pass through it. ``raw`` is the stream behind, for whoever draws (``cli.live``).
    """

    def __init__(self, raw: IO[str]) -> None:
        self.raw = raw
        self.failure: OSError | None = None  # nobody reads any more, or the disk is full: what is done goes on
        self.buffer = _Bytes(self)  # click takes it to complete commands, and where the encoding is poor

    def write(self, text: str) -> int:
        """Write a text; where that fails, this and all that follows is dropped. Raises TypeError for bytes."""
        shown = printable("" + text)  # "" +: click tries with bytes what kind of stream this is
        if self.failure is None:
            try:
                self.raw.write(shown)
            except OSError as problem:
                self.failure = problem
        return len(text)

    def flush(self) -> None:
        """Flush, if anybody still reads."""
        if self.failure is None:
            try:
                self.raw.flush()
            except OSError as problem:
                self.failure = problem

    def close_with(self, code: int) -> int:
        """The exit code of a command that wanted ``code``, after the last words; 1 if they could not be written. A
        reader that went away (``| head``) has what it wanted.
        """
        self.flush()
        if self.failure is None:
            return code
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.raw.fileno())  # what is left is not tried again at exit
        if isinstance(self.failure, BrokenPipeError):
            return code
        sys.stderr.write(f"Standard output can't be written: {self.failure.strerror}. What was done is recorded.\n")
        return code or 1

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


class _Bytes(io.RawIOBase):
    """The same stream for those who write bytes: UTF-8, and not around ``Output``."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._output.write(bytes(data).decode("utf-8", "replace"))
        return len(data)

    def flush(self) -> None:
        self._output.flush()


def log_to_stderr(verbosity: int) -> None:
    """Log every request and every repetition; with 2 and more also sizes, connections, pauses and threads. A record's
    message stays on one line.
    """
    import logging

    class Lines(logging.Formatter):
        def formatMessage(self, record: logging.LogRecord) -> str:
            return one_line(super().formatMessage(record))

    handler = logging.StreamHandler(sys.stderr)
    thread = "" if verbosity == 1 else " [%(threadName)s]"  # by which lines of one call are found again
    handler.setFormatter(Lines(f"%(asctime)s %(name)s{thread}: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger("reconciler").setLevel(logging.INFO if verbosity == 1 else logging.DEBUG)


def to_json(value: object, indent: int | None = 2) -> str:
    """JSON in ASCII without control characters, so that nothing of it is ever escaped on its way out."""
    return json.dumps(value, indent=indent, ensure_ascii=True).replace("\x7f", "\\u007f")
