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
        self._links: list[_Link] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        login, _, _ = parts.netloc.rpartition("@")
        self.url = parts._replace(netloc=f"{login}@127.0.0.1:{port}").geturl()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for link in self._links:
            link.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            link = _Link(self, client, socket.create_connection(self._target), self._delay)
            self._links.append(link)
            link.start()


class _Link(threading.Thread):
    """One connection. ``asking``: the client spoke last."""

    def __init__(self, proxy: Latency, client: socket.socket, server: socket.socket, delay: float) -> None:
        super().__init__(daemon=True)
        self._proxy = proxy
        self._sides = client, server
        self._delay = delay
        self._asking = False

    def run(self) -> None:
        client, server = self._sides
        with client, server:
            writers = [self._pump(client, server, asks=True), self._pump(server, client, asks=False)]
            for writer in writers:
                writer.join()

    def _pump(self, source: socket.socket, target: socket.socket, *, asks: bool) -> threading.Thread:
        target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        due: deque[tuple[float, bytes]] = deque()
        ready = threading.Semaphore(0)
        threading.Thread(target=self._read, args=(source, asks, due, ready), daemon=True).start()
        writer = threading.Thread(target=_write, args=(target, due, ready), daemon=True)
        writer.start()
        return writer

    def _read(
        self, source: socket.socket, asks: bool, due: deque[tuple[float, bytes]], ready: threading.Semaphore
    ) -> None:
        data = b"some"
        while data:
            try:
                data = source.recv(_CHUNK)
            except OSError:
                data = b""
            if data and asks and not self._asking:
                self._proxy.turns += 1
            self._asking = asks
            due.append((time.monotonic() + self._delay, data))
            ready.release()


def _write(target: socket.socket, due: deque[tuple[float, bytes]], ready: threading.Semaphore) -> None:
    """Each piece when it is due: what is under way meanwhile waits for nothing else."""
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
