"""A request to stop that may come at any moment, from a signal handler."""

from __future__ import annotations

import time

_SLICE_SECONDS = 0.1


class Interruption:
    """``reason`` is empty until somebody asks to stop. Only a plain attribute is set, which is safe in a signal
    handler; waiting is done in slices.
    """

    def __init__(self) -> None:
        self.reason = ""

    def __call__(self) -> str:
        return self.reason

    def wait(self, seconds: float) -> None:
        """Sleep, less when a stop is asked for."""
        until = time.monotonic() + seconds
        while not self.reason and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE_SECONDS))
