"""Servers on loopback: raw sockets that do anything to a connection, and HTTP that answers from a script."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Serve = Callable[[socket.socket], None]


@dataclass
class Raw:
    """What a raw server has met."""

    url: str
    connections: int = 0
    heard: list[bytes] = field(default_factory=list)


@contextmanager
def raw_server(serve: Serve, *, read_first: bool = True) -> Iterator[Raw]:
    """Does what ``serve`` says with each connection, after one read of it unless told otherwise."""
    listening = socket.create_server(("127.0.0.1", 0))
    raw = Raw(f"http://127.0.0.1:{listening.getsockname()[1]}")
    threads: list[threading.Thread] = []

    def handle(connection: socket.socket) -> None:
        connection.settimeout(5)
        with connection:
            try:
                if read_first:
                    raw.heard.append(connection.recv(65536))
                serve(connection)
                if read_first:  # an end that is orderly: closing over what was not read yet would reset the connection
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
            except OSError:
                return  # the client has gone, as it may

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            raw.connections += 1
            threads.append(threading.Thread(target=handle, args=(connection,)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield raw
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        accepting.join()
        for thread in threads:
            thread.join()


@dataclass(frozen=True)
class Scripted:
    """One answer; a status of 0 closes the connection instead."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Service:
    """Answers each method and path from its own script; the last answer is repeated."""

    url: str = ""
    script: dict[str, deque[Scripted]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def say(self, request: str, *answers: Scripted | tuple[int, object]) -> None:
        """``request``: method and path. A tuple is a status and a JSON value."""
        self.script[request] = deque(
            item if isinstance(item, Scripted) else Scripted(item[0], json.dumps(item[1]).encode()) for item in answers
        )

    def answer(self, request: str) -> Scripted:
        """The next answer to a request."""
        waiting = self.script.get(request)
        if not waiting:
            return Scripted(599, f"{request} is not in the script".encode())
        return waiting.popleft() if len(waiting) > 1 else waiting[0]


@contextmanager
def scripted_service() -> Iterator[Service]:
    """A service on loopback, over real HTTP/1.1 with connections kept alive."""
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one packet: two would wait for an acknowledgement, 40 ms each

        def handle_any(self) -> None:
            service.bodies.append(self.rfile.read(int(self.headers.get("content-length", "0"))))
            service.requests.append(f"{self.command} {self.path}")
            service.headers.append({name.lower(): value for name, value in self.headers.items()})
            answer = service.answer(f"{self.command} {self.path}")
            if answer.status == 0:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_DELETE = handle_any

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
