"""The way between a client and a server, which can be cut, slowed or held up at a chosen place.

    with Wire(database) as wire:
        cut = wire.cut_at(b"COMMIT", answers=True)  # committed, but the client never hears of it
        with pytest.raises(psycopg.OperationalError), psycopg.connect(wire.url) as connection:
            connection.execute("INSERT …")
        assert cut.done

Where exactly a transaction stands when ``cut_at(b"COMMIT")`` has cut it:

==========  =========  ==========================================================================
direction   passed on  what the server has done, and what the client knows
==========  =========  ==========================================================================
requests    no         nothing: it rolls back
requests    yes        it commits, sooner or later: the client is cut off while it is at it
answers     no         it has committed; the client doesn't know
answers     yes        it has committed, and the client reads so before the end
==========  =========  ==========================================================================

Messages are seen only on connections without TLS; everything else works with it too.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from tests.postgres import messages
from tests.postgres.listener import Bell, Listener, connect, ready, receive, reset

# Where the cut comes if the message is passed on: behind what makes the server run (query, sync, function call), or
# behind the end of its answer (ready for query).
_ENDS = {False: b"QSF", True: b"Z"}


@dataclass
class Trap:
    """What is to happen once, and whether it has."""

    contains: bytes
    nth: int
    answers: bool
    passed_on: bool
    do: Callable[[], None] | None  # instead of a cut
    met: int = 0
    _done: threading.Event = field(default_factory=threading.Event)

    def spring(self) -> None:
        self._done.set()

    @property
    def done(self) -> bool:
        return self._done.is_set()

    def wait(self, seconds: float = 10) -> bool:
        """Wait for it; whether it came."""
        return self._done.wait(seconds)


class Wire:
    """A proxy for the server of ``url``; ``self.url`` leads through it. Use it in a ``with``."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (str(parts.hostname), int(parts.port or 5432))
        self._lock = threading.Lock()
        self._open: list[_Connection] = []
        self._traps: list[Trap] = []
        self._budget: dict[bool, int] = {}  # by direction: bytes that still pass before a cut
        self.held: dict[bool, bool] = {False: False, True: False}
        self.delays: dict[bool, float] = {False: 0.0, True: 0.0}
        self.connections = 0
        self._listener = Listener(self._serve)
        login, _, _ = parts.netloc.rpartition("@")
        self.url = parts._replace(netloc=f"{login}@{parts.hostname}:{self._listener.port}").geturl()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self.cut()

    # What can be done to it

    def cut(self) -> None:
        """Reset every connection, on both sides; new ones are accepted. Returns when it is done."""
        with self._lock:
            present = list(self._open)
        for one in present:
            one.end()
        for one in present:
            one.over.wait()

    def cut_after_bytes(self, count: int, *, answers: bool = False) -> None:
        """Let ``count`` more bytes pass in a direction, over all connections, then cut the one that it was."""
        with self._lock:
            self._budget[answers] = count

    def cut_at(self, contains: bytes, *, nth: int = 1, answers: bool = False, passed_on: bool = False) -> Trap:
        """Cut a connection at the ``nth`` message from now that has these bytes in it. See the table above."""
        return self._set(Trap(contains, nth, answers, passed_on, None))

    def at(self, contains: bytes, do: Callable[[], None], *, nth: int = 1, answers: bool = False) -> Trap:
        """Run ``do`` (freeze the server, say) when such a message comes, before it is passed on."""
        return self._set(Trap(contains, nth, answers, False, do))

    def stall(self, *, requests: bool = True, answers: bool = True) -> None:
        """Accept connections and data, and pass nothing on, until ``resume``."""
        self.held[False] |= requests
        self.held[True] |= answers
        self._wake()

    def resume(self) -> None:
        self.held.update({False: False, True: False})
        self._wake()

    def delay(self, seconds: float, *, requests: bool = True, answers: bool = True) -> None:
        """Pass everything on only after this time; 0 ends it."""
        self.delays.update({False: seconds if requests else 0.0, True: seconds if answers else 0.0})

    def refuse(self) -> None:
        """Nobody listens any more; connections that are there go on."""
        self._listener.shut()

    def accept(self) -> None:
        """Undo ``refuse``; the port is the same."""
        self._listener.open()

    # How it is done

    def _set(self, trap: Trap) -> Trap:
        with self._lock:
            self._traps.append(trap)
        return trap

    def _wake(self) -> None:
        with self._lock:
            for one in self._open:
                one.bell.ring()

    def allowed(self, count: int, *, answers: bool) -> tuple[int, bool]:
        """How many of ``count`` bytes may still pass, and whether the cut is due after them."""
        with self._lock:
            if count < self._budget.get(answers, count + 1):
                self._budget = {way: left - count if way == answers else left for way, left in self._budget.items()}
                return count, False
            return self._budget.pop(answers), True

    def sprung(self, message: bytes, *, answers: bool) -> Trap | None:
        """The trap that this message sets off, if it does."""
        with self._lock:
            for trap in self._traps:
                if trap.answers == answers and trap.contains in message:
                    trap.met += 1
                    if trap.met == trap.nth:
                        self._traps.remove(trap)
                        return trap
        return None

    def _serve(self, client: socket.socket) -> None:
        one = _Connection(self, client)
        with self._lock:
            self._open.append(one)
            self.connections += 1
        try:
            one.run(self._target)
        finally:
            with self._lock:
                self._open.remove(one)
            one.over.set()


class _Cut(Exception):
    """The connection ends here. ``orderly``: the client still reads what was sent; ``drain``: the server goes on."""

    def __init__(self, trap: Trap | None = None, *, orderly: bool = False, drain: bool = False) -> None:
        self.trap, self.orderly, self.drain = trap, orderly, drain


class _Connection:
    """One client and its connection to the server; everything happens in the thread that runs it."""

    def __init__(self, wire: Wire, client: socket.socket) -> None:
        self._wire = wire
        self._client = client
        self._splitters = {False: messages.Splitter(started=False), True: messages.Splitter(started=True)}
        self._byte_due = False  # the server owes one byte, which says whether TLS follows
        self._opaque = False
        self._passing: Trap | None = None  # sprung, and cuts at the end of what is said
        self._ending = False
        self.bell = Bell()
        self.over = threading.Event()

    def end(self) -> None:
        """From any thread: reset both sides."""
        self._ending = True
        self.bell.ring()

    def run(self, target: tuple[str, int]) -> None:
        with self._client, contextlib.closing(self.bell):
            try:
                self._server = connect(*target)
            except OSError:
                reset(self._client)
                return
            with self._server:
                try:
                    self._loop()
                except _Cut as cut:
                    self._cut(cut)
                except OSError:  # one side has gone while something was sent to it
                    reset(self._client)
                    reset(self._server)

    def _loop(self) -> None:
        while True:
            held = self._wire.held
            sides = [side for side in (self._client, self._server) if not held[side is self._server]]
            found = ready(*sides, self.bell)
            if self.bell in found:
                self.bell.silence()
                if self._ending:
                    raise ConnectionResetError
                continue
            for source in sides:
                if source not in found:
                    continue
                data = receive(source)
                if data is None:
                    raise ConnectionResetError
                if not data:
                    return
                self._take(data, answers=source is self._server)

    def _take(self, data: bytes, *, answers: bool) -> None:
        if delay := self._wire.delays[answers]:
            time.sleep(delay)
        if answers and self._byte_due:
            self._byte_due = False
            self._opaque = data[:1] in b"SG"
            self._send(data[:1], answers=True)
            data = data[1:]
        if self._opaque:
            self._send(data, answers=answers)
            return
        for message in self._splitters[answers].feed(data):
            if not answers and not self._splitters[False].started:
                self._splitters[False].started = messages.is_start(message)
                self._byte_due = messages.code(message) in (messages.SSL_REQUEST, messages.GSS_REQUEST)
            self._pass_on(message, answers=answers)

    def _pass_on(self, message: bytes, *, answers: bool) -> None:
        trap = self._wire.sprung(message, answers=answers)
        if trap is not None and trap.do is not None:
            trap.do()
            trap.spring()
        elif trap is not None and not trap.passed_on:
            raise _Cut(trap)
        self._send(message, answers=answers)
        if trap is not None and trap.passed_on:
            self._passing = trap
        if self._passing is not None and self._passing.answers == answers and message[:1] in _ENDS[answers]:
            raise _Cut(self._passing, orderly=answers, drain=not answers)

    def _send(self, data: bytes, *, answers: bool) -> None:
        count, cut = self._wire.allowed(len(data), answers=answers)
        (self._client if answers else self._server).sendall(data[:count])
        if cut:
            raise _Cut(orderly=answers)

    def _cut(self, cut: _Cut) -> None:
        if not cut.drain:
            self._server.close()
        if cut.orderly:
            self._client.close()
        if cut.trap is not None:
            cut.trap.spring()
        reset(self._client)  # after the trap: a client that was cut off finds that it is done
        if cut.drain:  # closed at once, the server might not get to read what was sent to it
            self._server.shutdown(socket.SHUT_WR)
            while self.bell not in ready(self._server, self.bell) and receive(self._server):
                pass
