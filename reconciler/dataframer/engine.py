"""What makes one HTTP exchange for the transport: over httpx here, over a socket of its own in ``direct``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

import httpx
from msgspec import Struct

Trace = Callable[[str, dict[str, Any]], None]

CONNECT_SECONDS: Final = 4.0  # less than a submission may wait for its first byte


class Call(Struct, frozen=True):
    """One request. ``path`` is below the base URL; ``body`` is JSON."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes | None
    seconds: float


class Opened(Struct, frozen=True):
    """An answer whose body is still to be read: header names in lower case, the body as it comes over the wire."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    close: Callable[[], None]


class Engine(Protocol):
    """Makes one exchange at a time. ``trace`` hears, by httpcore's names for it, when a connection is opened and when
    the first byte of the request goes out; what it raises calls the request off.
    """

    def open(self, call: Call, trace: Trace) -> Opened:
        """Send a request and read the head of its answer, ``within`` a deadline."""

    def close(self) -> None:
        """Close the connection."""


class ByHttpx:
    """Over httpx: through proxies, and to the emulator in this process."""

    def __init__(self, base_url: str, transport: httpx.BaseTransport) -> None:
        self._base_url = base_url
        self._transport = transport

    def open(self, call: Call, trace: Trace) -> Opened:
        """See :class:`Engine`. Used without httpx's client, whose redirects, cookies, logins and hooks are none of
        ours.
        """
        connect = min(CONNECT_SECONDS, call.seconds)
        timeout = dict.fromkeys(("read", "write", "pool"), call.seconds) | {"connect": connect}
        request = httpx.Request(
            call.method,
            self._base_url + call.path,
            params=call.query or None,
            headers=dict(call.headers),
            content=call.body,
            extensions={"trace": trace, "timeout": timeout},
        )
        answer = self._transport.handle_request(request)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Opened(answer.status_code, headers, answer.iter_raw(), answer.close)

    def close(self) -> None:
        """See :class:`Engine`."""
        self._transport.close()
