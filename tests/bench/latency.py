"""A network between a client and a server: every byte arrives later by half of a round trip."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 1 << 20


class Latency:
    """A proxy for the server of ``url``; ``self.url`` leads through it. ``round_trip``: seconds.

    ``turns`` counts how often a client spoke after it had been answered, or for the first time: the round trips.
    """

    def __init__(self, url: str, round_trip: float) -> None:
        parts = urlsplit(url)
        self._target = (str(parts.hostname), int(parts.port or 5432))
        self._delay = round_trip / 2
        self.turns = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        login, _, _ = parts.netloc.rpartition("@")
        self.url = parts._replace(netloc=f"{login}@127.0.0.1:{port}").geturl()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            _Link(self, client, socket.create_connection(self._target), self._delay)


class _Link:
    """One connection. ``_asking``: the client spoke last."""

    def __init__(self, proxy: Latency, client: socket.socket, server: socket.socket, delay: float) -> None:
        self._proxy = proxy
        self._asking = False
        for source, target, asks in ((client, server, True), (server, client, False)):
            target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            due: deque[tuple[float, bytes]] = deque()
            ready = threading.Semaphore(0)
            threading.Thread(target=self._read, args=(source, asks, delay, due, ready), daemon=True).start()
            threading.Thread(target=self._write, args=(target, due, ready), daemon=True).start()

    def _read(
        self,
        source: socket.socket,
        asks: bool,
        delay: float,
        due: deque[tuple[float, bytes]],
        ready: threading.Semaphore,
    ) -> None:
        while True:
            try:
                data = source.recv(_CHUNK)
            except OSError:
                data = b""
            if data and asks and not self._asking:
                self._proxy.turns += 1
            self._asking = asks
            due.append((time.monotonic() + delay, data))
            ready.release()
            if not data:
                return

    @staticmethod
    def _write(target: socket.socket, due: deque[tuple[float, bytes]], ready: threading.Semaphore) -> None:
        while True:
            ready.acquire()
            at, data = due.popleft()
            time.sleep(max(0.0, at - time.monotonic()))
            try:
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data)
            except OSError:
                return
