"""HTTP whose every read and write ends at a deadline for the whole exchange. ``httpx`` limits each read, not all of the
answer, so that a server that drips a byte at a time could hold a call open.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

_ends = threading.local()  # .at: monotonic time at which this thread's exchange ends


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What this thread does here over a :class:`DeadlineTransport` ends after so long, with httpcore.ReadTimeout."""
    _ends.at = time.monotonic() + seconds
    try:
        yield
    finally:
        _ends.at = None


class DeadlineTransport(httpx.HTTPTransport):
    """The network; see :func:`within`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # The pool takes a network backend only at its construction, which httpx does not expose.
        self._pool._network_backend = _Backend(self._pool._network_backend)


def left() -> float | None:
    """Seconds that this thread's exchange still has, none or less once it is over; None where no end was set."""
    at: float | None = getattr(_ends, "at", None)
    return None if at is None else at - time.monotonic()


def _left(timeout: float | None) -> float | None:
    seconds = left()
    if seconds is None:
        return timeout
    if seconds <= 0:
        raise httpcore.ReadTimeout("the deadline of the whole exchange has passed")
    return seconds if timeout is None else min(timeout, seconds)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.connect_tcp(host, port, _left(timeout), local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, timeout=_left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout=_left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
