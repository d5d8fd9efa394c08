"""A port on 127.0.0.1 whose connections each get a thread: what the proxies of this folder have in common."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable

Serve = Callable[[socket.socket], None]
_CHUNK = 65536


class Bell:
    """Wakes a thread that waits in ``select``, from any other; rings until silenced."""

    def __init__(self) -> None:
        self._rings, self._hears = socket.socketpair()

    def ring(self) -> None:
        with contextlib.suppress(OSError):
            self._rings.send(b".")

    def silence(self) -> None:
        """Take in what rang so far."""
        self._hears.recv(_CHUNK)

    def fileno(self) -> int:
        return self._hears.fileno()

    def close(self) -> None:
        self._rings.close()
        self._hears.close()


class Listener:
    """Accepts while open. ``serve`` runs in a thread of its own for each connection, and closes it."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._threads: list[threading.Thread] = []
        self._accepting: threading.Thread | None = None
        self.port = 0
        self.open()

    def open(self) -> None:
        """Accept connections, on the same port as before. Already open: nothing."""
        if self._accepting is not None:
            return
        listening = socket.create_server(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        self._bell = Bell()
        self._accepting = threading.Thread(target=self._accept, args=(listening, self._bell), daemon=True)
        self._accepting.start()

    def shut(self) -> None:
        """Refuse new connections; the ones that are there go on."""
        if self._accepting is not None:
            self._bell.ring()
            self._accepting.join()
            self._bell.close()
            self._accepting = None

    def join(self) -> None:
        """Wait until no connection is served any more."""
        for thread in self._threads:
            thread.join()

    def _accept(self, listening: socket.socket, bell: Bell) -> None:
        with listening:
            while bell not in ready(listening, bell):
                connection, _ = listening.accept()
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads = [*(one for one in self._threads if one.is_alive()), thread]
                thread.start()


def ready(*waiting: socket.socket | Bell) -> list[socket.socket | Bell]:
    """Wait until there is something to read; where."""
    found: list[socket.socket | Bell] = select.select(waiting, [], [])[0]
    return found


def receive(connection: socket.socket) -> bytes | None:
    """What has come; nothing at an orderly end, None when the connection was reset."""
    try:
        return connection.recv(_CHUNK)
    except OSError:
        return None


def reset(connection: socket.socket) -> None:
    """Close it so that the other side sees a reset instead of an end."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def connect(host: str, port: int) -> socket.socket:
    """A connection whose small messages are sent at once. Raises OSError."""
    connection = socket.create_connection((host, port), timeout=10)
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
