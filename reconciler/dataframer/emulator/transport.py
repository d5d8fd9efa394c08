"""The emulator inside the process: an httpx transport that never opens a socket."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import parse_qsl

import httpx

from reconciler.dataframer.emulator.core import Dropped, Emulator, Refused
from reconciler.dataframer.emulator.messages import ApiRequest


class EmulatorTransport(httpx.BaseTransport):
    """Hands requests to an emulator, and breaks where a real connection would.

    The `trace` extension hears `http11.send_request_headers.started` before a request takes effect, as from httpcore;
    what it raises goes to the caller, and nothing has happened then. Any number of transports may share an emulator:
    closing one doesn't close the emulator.
    """

    def __init__(self, emulator: Emulator, sleep: Callable[[float], object] = time.sleep) -> None:
        self._emulator = emulator
        self._sleep = sleep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()

        def on_sent() -> None:
            trace = request.extensions.get("trace")
            if trace is not None:
                trace("http11.send_request_headers.started", {})

        try:
            answer = self._emulator.handle(_api_request(request, body), on_sent=on_sent)
        except Refused as refused:
            raise httpx.ConnectError(str(refused), request=request) from refused
        except Dropped as dropped:
            self._wait(request, dropped.delay)
            raise httpx.ReadError(str(dropped), request=request) from dropped
        self._wait(request, answer.delay)
        return httpx.Response(
            answer.status, headers=dict(answer.headers), stream=httpx.ByteStream(answer.body), request=request
        )

    def _wait(self, request: httpx.Request, seconds: float) -> None:
        """Let the delay of a fault pass; an answer that comes after the read timeout never comes."""
        limit = request.extensions.get("timeout", {}).get("read")
        if limit is not None and seconds > limit:
            self._sleep(limit)
            raise httpx.ReadTimeout("timed out", request=request)
        if seconds:
            self._sleep(seconds)


def _api_request(request: httpx.Request, body: bytes) -> ApiRequest:
    url = request.url
    return ApiRequest(
        method=request.method,
        path=url.path,
        query=dict(parse_qsl(url.query.decode())),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        origin=f"{url.scheme}://{url.netloc.decode()}",
    )
