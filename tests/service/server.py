"""The HTTP side: one handler that parses a request, asks the service for an answer, and writes it to the wire."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from tests.service.answers import Wire


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived. ``json`` is None when there was no body or it did not parse."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    at: float  # time.monotonic() when its head had been read

    @property
    def json(self) -> Any:
        """The parsed body."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back over the wire."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wire: Wire = Wire.WHOLE
    interval: float = 0.0


def json_reply(value: object) -> Reply:
    """A good answer."""
    return Reply(200, json.dumps(value).encode())


def error_reply(status: int, words: str) -> Reply:
    """An error in the service's form."""
    return Reply(status, json.dumps({"error": words}).encode())


class Responder(Protocol):
    """What the handler needs of the service."""

    def closes_unread(self, method: str, path: str) -> bool:
        """Whether the script wants this connection closed before the body is read."""

    def respond(self, request: Request) -> Reply:
        """Record and execute a request."""

    def answered(self, request: Request) -> None:
        """The reply is on the wire, or the connection is gone."""


class Server(ThreadingHTTPServer):
    """Listens on loopback; a backlog large enough for a hundred clients at once."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024
    allow_reuse_address = True

    def __init__(self, port: int, responder: Responder) -> None:
        self.responder = responder
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, then serve it in a thread."""
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        self.connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Stop listening, and end the connections that are open."""
        super().server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is what many tests are about: say nothing."""


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with kept-alive connections and no Nagle delay."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one segment
    server: Server

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test output clean; requests are recorded instead."""

    def _handle(self) -> None:
        at = time.monotonic()
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.server.responder.closes_unread(self.command, parts.path):
            request = Request(self.command, parts.path, {}, headers, b"", at)
            reply = self.server.responder.respond(request)
        else:
            body = self.rfile.read(int(headers.get("content-length", "0")))
            request = Request(self.command, parts.path, parse_qs(parts.query), headers, body, at)
            reply = self.server.responder.respond(request)
        try:
            with contextlib.suppress(ConnectionError):
                self._write(reply)
        finally:
            self.server.responder.answered(request)

    def _write(self, reply: Reply) -> None:
        if reply.wire in (Wire.UNREAD, Wire.DROPPED):
            self._hang_up()
            return
        self.send_response(reply.status)  # adds Server and Date
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.body and "Content-Type" not in reply.headers:
            self.send_header("Content-Type", "application/json")
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if reply.wire is Wire.DRIPPED:
            for byte in reply.body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(reply.interval)
            return
        whole = reply.wire is Wire.WHOLE
        self.wfile.write(reply.body if whole else reply.body[: len(reply.body) // 2])
        self.wfile.flush()
        if not whole:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
