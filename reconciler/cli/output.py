"""The one way to standard output and standard error: what is written there, by whomever, goes through ``printable``."""

from __future__ import annotations

import io
import json
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
        self.buffer = _Bytes(self)  # click takes it to complete commands, and where the encoding is poor

    def write(self, text: str) -> int:
        """Write a text. Raises TypeError for bytes."""
        self.raw.write(printable("" + text))  # "" +: click tries with bytes what kind of stream this is
        return len(text)

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
        self._output.raw.flush()


def log_to_stderr(verbosity: int) -> None:
    """Log every request, with 2 and more also what happens within; a record's message stays on one line."""
    import logging

    class Lines(logging.Formatter):
        def formatMessage(self, record: logging.LogRecord) -> str:
            return one_line(super().formatMessage(record))

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines("%(asctime)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger("reconciler").setLevel(logging.INFO if verbosity == 1 else logging.DEBUG)


def to_json(value: object, indent: int | None = 2) -> str:
    """JSON in ASCII without control characters, so that nothing of it is ever escaped on its way out."""
    return json.dumps(value, indent=indent, ensure_ascii=True).replace("\x7f", "\\u007f")
