"""Poolers between client and server: a small one of our own, and the real PgBouncer where it is installed.

Ours does what matters to a client that relies on its session, as PgBouncer does:

- the key for cancelling (and so the process number that a client reads from it) is its own, not the server's;
- in mode ``transaction`` a server connection goes back to the pool when a transaction ends, with all that it holds
  (``SET``, session advisory locks, prepared statements), and the next client gets it: last used first, or in turn;
- in mode ``session`` it goes back when the client leaves, after ``DISCARD ALL``;
- a start parameter that it can't carry over is refused; those that it can are set anew for each client;
- a client that leaves within a transaction costs the server connection.

It doesn't ask for passwords, speaks no TLS, keeps no prepared statements apart. ``tests/postgres/test_pooler.py`` runs
the same tests on both.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
from typing import Literal, Self
from urllib.parse import urlsplit

from tests.postgres import messages
from tests.postgres.listener import Bell, Listener, connect, ready, receive

Mode = Literal["transaction", "session"]
Order = Literal["last used first", "in turn"]
# What PgBouncer carries over from client to client. The server reports a change of each.
_TRACKED = {
    "client_encoding": "client_encoding",
    "datestyle": "DateStyle",
    "timezone": "TimeZone",
    "standard_conforming_strings": "standard_conforming_strings",
    "application_name": "application_name",
}
_ANSWERED = b"QSF"  # messages that the server answers with ReadyForQuery in the end
_READY = messages.message(b"Z", b"I")


class Refused(Exception):
    """The pooler or the server doesn't want this client; the message for it is the argument."""


class _Backend:
    """A connection to the server, logged in. Raises Refused with the server's words, OSError."""

    def __init__(self, address: tuple[str, int], user: str, database: str) -> None:
        self.socket = connect(*address)
        self.splitter = messages.Splitter(started=True)
        self.reported: dict[str, str] = {}
        self.key = b""
        self.socket.sendall(messages.start({"user": user, "database": database}))
        self.until_ready()

    def until_ready(self) -> None:
        """Read until the server waits for a query again; what it reports on the way is kept."""
        while data := receive(self.socket):
            for message in self.splitter.feed(data):
                self.note(message)
                if message[:1] == b"E":
                    self.close()
                    raise Refused(message)
                if message[:1] == b"Z":
                    return
        raise ConnectionResetError

    def note(self, message: bytes) -> None:
        if message[:1] == b"S":
            name, value, _ = message[5:].decode().split("\0")
            self.reported[name] = value
        elif message[:1] == b"K":
            self.key = message[5:]

    def run(self, statement: str) -> None:
        self.socket.sendall(messages.message(b"Q", statement.encode() + b"\0"))
        self.until_ready()

    @property
    def dead(self) -> bool:
        """Whether the server has ended it while nobody used it."""
        self.socket.setblocking(False)
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self.socket.setblocking(True)

    def close(self) -> None:
        self.socket.close()


class Pooler:
    """Pools connections to the server of ``url``, at most ``size`` for each user and database. Use it in a ``with``."""

    def __init__(
        self, url: str, *, mode: Mode = "transaction", order: Order = "last used first", size: int = 20
    ) -> None:
        parts = urlsplit(url)
        self.mode, self._order, self._size = mode, order, size
        self._server = (str(parts.hostname), int(parts.port or 5432))
        self._changed = threading.Condition()
        self._idle: dict[tuple[str, str], list[_Backend]] = {}
        self._made: dict[tuple[str, str], int] = {}
        self._clients: dict[bytes, _Client] = {}  # by the key that it was given
        self.closing = False
        self._listener = Listener(self._serve)
        login, _, _ = parts.netloc.rpartition("@")
        self.url = parts._replace(netloc=f"{login}@{parts.hostname}:{self._listener.port}").geturl()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End all clients and all connections to the server."""
        self._listener.shut()
        with self._changed:
            self.closing = True
            self._changed.notify_all()
            for client in self._clients.values():
                client.bell.ring()
        self._listener.join()
        for backend in [one for idle in self._idle.values() for one in idle]:
            backend.close()

    def take(self, user: str, database: str) -> _Backend:
        """A server connection from the pool, a new one, or the next that becomes free. Raises as _Backend does."""
        pool = (user, database)
        with self._changed:
            idle = self._idle.setdefault(pool, [])
            while not self.closing:
                while idle:
                    backend = idle.pop(-1 if self._order == "last used first" else 0)
                    if not backend.dead:
                        return backend
                    self._drop(pool, backend)
                if self._made.get(pool, 0) < self._size:
                    self._made[pool] = self._made.get(pool, 0) + 1
                    break
                self._changed.wait()
            else:
                raise ConnectionResetError
        try:
            return _Backend(self._server, user, database)
        except BaseException:
            with self._changed:
                self._made[pool] -= 1
            raise

    def give_back(self, backend: _Backend, user: str, database: str, *, clean: bool) -> None:
        """Back to the pool, or, if not ``clean``, closed."""
        with self._changed:
            if clean and not self.closing:
                self._idle[user, database].append(backend)
            else:
                self._drop((user, database), backend)
            self._changed.notify_all()

    def cancel(self, key: bytes) -> None:
        """Cancel what the client with this key runs, if anything."""
        with self._changed:
            client = self._clients.get(key)
            backend = client.backend if client else None
        if backend is not None:
            with connect(*self._server) as server:
                server.sendall(messages.cancel_request(backend.key))
                receive(server)

    def _drop(self, pool: tuple[str, str], backend: _Backend) -> None:
        backend.close()
        self._made[pool] -= 1

    def _serve(self, connection: socket.socket) -> None:
        client = _Client(self, connection)
        with self._changed:
            self._clients[client.key] = client
        with connection, contextlib.closing(client.bell):
            try:
                client.run()
            except Refused as refused:
                with contextlib.suppress(OSError):
                    connection.sendall(refused.args[0])
            except OSError:
                pass  # client or server have gone; so does the other's connection
            finally:
                client.release(clean=False)
                with self._changed:
                    del self._clients[client.key]


class _Client:
    """One client; everything happens in the thread that runs it."""

    def __init__(self, pooler: Pooler, connection: socket.socket) -> None:
        self._pooler = pooler
        self._socket = connection
        self._splitter = messages.Splitter(started=False)
        self._user = self._database = ""
        self._wants: dict[str, str] = {}  # the tracked parameters as this client set them
        self._owed = 0  # how often the server has yet to say that it is ready
        self.key = secrets.token_bytes(8)
        self.backend: _Backend | None = None
        self.bell = Bell()

    def run(self) -> None:
        while True:
            # The server first: what it says may end the client's hold on it.
            sources = [self._socket] if self.backend is None else [self.backend.socket, self._socket]
            found = ready(*sources, self.bell)
            if self.bell in found:
                return
            for source in sources:
                if source in found and not self._hear(source):
                    return

    def _hear(self, source: socket.socket) -> bool:
        """Pass on what has come from one side; False at its end."""
        data = receive(source) or b""
        if source is self._socket:
            return bool(data) and all(self._request(message) for message in self._splitter.feed(data))
        assert self.backend is not None
        if not data:
            raise Refused(messages.error("08P01", "server conn crashed?"))
        for message in self.backend.splitter.feed(data):
            self._answer(message)
        return True

    def _request(self, message: bytes) -> bool:
        if not self._splitter.started:
            return self._begin(message)
        if message[:1] == b"X":
            if not self._owed and self.backend is not None and self._pooler.mode == "session":
                self.backend.run("DISCARD ALL")
                self.release(clean=True)
            return False
        if self.backend is None:
            self._attach()
        assert self.backend is not None
        self._owed += message[:1] in _ANSWERED
        self.backend.socket.sendall(message)
        return True

    def _answer(self, message: bytes) -> None:
        assert self.backend is not None
        self.backend.note(message)
        if message[:1] == b"S":
            name, value, _ = message[5:].decode().split("\0")
            if name in _TRACKED.values():
                self._wants[name] = value
        self._owed -= message[:1] == b"Z"
        if message == _READY and not self._owed and self._pooler.mode == "transaction":
            self.release(clean=True)
        self._socket.sendall(message)

    def _begin(self, first: bytes) -> bool:
        if messages.code(first) in (messages.SSL_REQUEST, messages.GSS_REQUEST):
            self._socket.sendall(b"N")
            return True
        if messages.code(first) == messages.CANCEL_REQUEST:
            self._pooler.cancel(first[8:])
            return False
        self._splitter.started = True
        parameters = messages.parameters(first)
        self._user = parameters.pop("user")
        self._database = parameters.pop("database", self._user)
        for name, value in parameters.items():
            if name.lower() not in _TRACKED:
                raise Refused(messages.error("08P01", f"unsupported startup parameter: {name}"))
            self._wants[_TRACKED[name.lower()]] = value
        self._attach()
        assert self.backend is not None
        reported = {**self.backend.reported, **self._wants}
        self.release(clean=True)
        self._socket.sendall(
            messages.message(b"R", b"\0\0\0\0")
            + b"".join(messages.message(b"S", f"{name}\0{value}\0".encode()) for name, value in reported.items())
            + messages.message(b"K", self.key)
            + _READY
        )
        return True

    def _attach(self) -> None:
        backend = self._pooler.take(self._user, self._database)
        self.backend = backend
        differ = {name: value for name, value in self._wants.items() if backend.reported.get(name) != value}
        if differ:
            quoted = {name: value.replace("'", "''") for name, value in differ.items()}
            backend.run(";".join(f"SET {name}='{value}'" for name, value in quoted.items()))

    def release(self, *, clean: bool) -> None:
        """Give the server connection back, if there is one."""
        backend, self.backend = self.backend, None
        if backend is not None:
            self._pooler.give_back(backend, self._user, self._database, clean=clean)
