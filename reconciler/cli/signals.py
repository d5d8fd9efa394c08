"""Signals: the first one asks to stop, a second SIGINT leaves at once. The journal makes both safe."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from reconciler.applying.interruption import Interruption


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP in this block are what Ctrl-C is: KeyboardInterrupt, wherever the main thread is."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stop_on_signals(interruption: Interruption) -> Iterator[None]:
    """Handle SIGINT, SIGTERM and SIGHUP in this block."""

    def stop(number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if interruption.reason and number == signal.SIGINT:
            # A live display may have hidden the cursor.
            show_cursor = b"\x1b[?25h" if os.isatty(2) else b""
            os.write(2, show_cursor + b"\nLeft at once. What was in flight is settled by the next apply.\n")
            os._exit(130)
        if not interruption.reason:
            interruption.reason = name
            if not os.isatty(1):  # on a terminal the live display says so
                os.write(2, b"\nStopping: waiting for what is in flight. Press Ctrl-C again to leave at once.\n")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
