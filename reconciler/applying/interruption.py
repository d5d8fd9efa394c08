"""A request to stop that may come at any moment, from a signal handler."""

from __future__ import annotations

import time
from collections.abc import Callable

_SLICE_SECONDS = 0.1


class Interruption:
    """``reason`` is empty until somebody asks to stop. Only a plain attribute is set, which is safe in a signal
    handler; waiting is done in slices. ``heard`` is called whenever it is asked for: whoever waits for long asks all
    the time, so it is a sign of life.
    """

    def __init__(self) -> None:
        self.reason = ""
        self.heard: Callable[[], None] = lambda: None

    def __call__(self) -> str:
        self.heard()
        return self.reason

    def wait(self, seconds: float) -> None:
        """Sleep, less when a stop is asked for."""
        until = time.monotonic() + seconds
        while not self() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE_SECONDS))
