"""The emulator over real HTTP, on loopback only, for any client.

A server thread answers each connection; connections are kept alive. Every call but a signed link needs a bearer key,
which may be any text.
"""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from reconciler.dataframer.emulator.core import Dropped, Emulator, Refused
from reconciler.dataframer.emulator.messages import ApiRequest, ApiResponse, Problem

_HOST = "127.0.0.1"
_MOST_BYTES = 4 * 1024 * 1024


class EmulatorServer(ThreadingHTTPServer):
    """Listens on loopback; `port` 0 takes a free one. Call `serve_forever`, then `shutdown` and `server_close`."""

    daemon_threads = True
    # The default of 5 lets a burst of clients wait a second each.
    request_queue_size = 128

    def __init__(self, emulator: Emulator, port: int = 0) -> None:
        self.emulator = emulator
        super().__init__((_HOST, port), _Handler)

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self.server_address[1]}"


def serve(emulator: Emulator, port: int) -> None:
    """Answer calls on loopback until interrupted; raises OSError when the port is taken."""
    with EmulatorServer(emulator, port) as server:
        server.serve_forever()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Idle connections would otherwise hold a thread for ever.
    timeout = 60
    # Headers and body leave in one packet, and small answers don't wait for an acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: EmulatorServer

    def do_GET(self) -> None:
        self._exchange()

    def do_POST(self) -> None:
        self._exchange()

    def do_DELETE(self) -> None:
        self._exchange()

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: a log line would hold the signature of a link."""

    def _exchange(self) -> None:
        try:
            request = self._read()
        except Problem as problem:
            self.close_connection = True
            self._send(problem.answer())
            return
        try:
            answer = self.server.emulator.handle(request, needs_key=True)
        except Refused:
            self.close_connection = True
            return
        except Dropped as dropped:
            time.sleep(dropped.delay)
            self.close_connection = True
            return
        time.sleep(answer.delay)
        self._send(answer)

    def _read(self) -> ApiRequest:
        """Read the request whole; one whose length isn't known leaves the connection unusable."""
        if "transfer-encoding" in self.headers:
            raise Problem(411, "The request must give its Content-Length.")
        length = self.headers.get("content-length", "0")
        if not length.isdecimal():
            raise Problem(400, "Content-Length is not a number.")
        if int(length) > _MOST_BYTES:
            raise Problem(413, "The body is too large.")
        url = urlsplit(self.path)
        return ApiRequest(
            method=self.command,
            path=unquote(url.path),
            query=dict(parse_qsl(url.query)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(length)),
            origin=self.server.url,
        )

    def _send(self, answer: ApiResponse) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        body = b"" if answer.status in (204, 304) else answer.body
        if answer.status not in (204, 304):
            self.send_header("content-length", str(len(body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)
