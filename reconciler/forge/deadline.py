"""A network transport whose every read and write ends at a deadline. ``httpx`` limits each read, not the whole answer,
so that a server that drips a byte at a time could hold a call open.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx


class DeadlineTransport(httpx.HTTPTransport):
    """``until``: monotonic time at which the exchange under way ends; set before each."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.until = float("inf")
        # The pool takes a network backend only at its construction, which httpx does not expose.
        self._pool._network_backend = _Backend(self._pool._network_backend, self)

    def left(self, timeout: float | None) -> float:
        """Seconds that a step may take. Raises httpcore.ReadTimeout once there are none."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the deadline of the whole exchange has passed")
        return left if timeout is None else min(timeout, left)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, inner: httpcore.NetworkBackend, bound: DeadlineTransport) -> None:
        self._inner, self._bound = inner, bound

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        seconds = self._bound.left(timeout)
        return _Stream(self._inner.connect_tcp(host, port, seconds, local_address, socket_options), self._bound)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, bound: DeadlineTransport) -> None:
        self._inner, self._bound = inner, bound

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._bound.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._bound.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, self._bound.left(timeout)), self._bound)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
