"""A bound on what slow or many clients can take from a server: uvicorn's own connection waits for ever."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 5.0  # from the connection, or from the answer before, to the end of a request's head
ANSWER_SECONDS: Final = 120.0  # from then on until its answer is taken; a command may wait for the state
MOST_WAITING: Final = 48  # connections without a request; then the oldest of them goes


class Connection(H11Protocol):
    """Has a time for each request, and gives way to newer ones: a probe sends its request at once, so it is answered
    whatever others do.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._since = 0.0  # of the loop's clock: when it began to wait
        self._timer: asyncio.TimerHandle | None = None

    @property
    def _waits(self) -> bool:
        """Whether no request is at work: none came yet, or the last one is answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See ``asyncio.Protocol``."""
        super().connection_made(transport)
        self._begin()
        waiting = [one for one in self.connections if isinstance(one, Connection) and one._waits]
        if len(waiting) > MOST_WAITING:
            oldest = min(waiting, key=lambda one: one._since)
            oldest.transport.abort()
            self.connections.discard(oldest)  # at once: many may come before the loop ends it

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._stop()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """The next request's time begins."""
        self._begin()
        super().on_response_complete()

    def _begin(self) -> None:
        self._stop()
        self._since = self.loop.time()
        self._timer = self.loop.call_later(HEAD_SECONDS, self._look)

    def _look(self) -> None:
        if self._waits:
            self.transport.abort()
        else:
            self._timer = self.loop.call_later(ANSWER_SECONDS, self.transport.abort)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
