"""Signals: the first one asks to stop, a second SIGINT leaves at once. The journal makes both safe."""

from __future__ import annotations

import os
import signal
from types import FrameType

from reconciler.applying.interruption import Interruption


def stop_on_signals(interruption: Interruption) -> None:
    """Handle SIGINT, SIGTERM and SIGHUP from here on."""

    def stop(number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if interruption.reason and number == signal.SIGINT:
            os.write(2, b"\nLeft at once. What was in flight is settled by the next apply.\n")
            os._exit(130)
        if not interruption.reason:
            interruption.reason = name
            os.write(2, b"\nStopping: waiting for what is in flight. Press Ctrl-C again to leave at once.\n")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
