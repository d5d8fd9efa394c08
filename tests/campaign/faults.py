"""What befalls a controller: its service, its remote and the server of its state fail, in turns and together."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg

from tests.campaign.states import PostgresState
from tests.service import FakeService, Request, answers
from tests.service.answers import Answer, Wire
from tests.service.fake import RUNS
from tests.service.server import Reply, error_reply
from tests.watching.hosting import Host


class Moody(FakeService):
    """A service that answers everything as it likes while it has a ``mood``."""

    mood: Callable[[Request], Reply] | None = None

    def respond(self, request: Request) -> Reply:
        reply = super().respond(request) if self.mood is None else None
        if reply is None:
            with self._changed:
                self.requests.append(request)
                self._in_flight += request.method == "POST" and request.path == RUNS
            reply = self.mood(request) if self.mood else error_reply(500, "it was down a moment ago")
        return reply


@dataclass(frozen=True, slots=True)
class World:
    """All that may fail, and ``push``: commit one more run."""

    service: Moody
    host: Host
    state: PostgresState
    push: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """``parts``: how many of what the controller depends on fail. ``pushes``: it commits a run itself, at its time."""

    name: str
    strikes: Callable[[World], AbstractContextManager[None]]
    parts: int = 1
    pushes: bool = False


def _answers(reply: Reply) -> Callable[[World], AbstractContextManager[None]]:
    @contextmanager
    def strikes(world: World) -> Iterator[None]:
        world.service.mood = lambda request: reply
        yield
        world.service.mood = None

    return strikes


def _creates(answer: Answer) -> Callable[[World], AbstractContextManager[None]]:
    @contextmanager
    def strikes(world: World) -> Iterator[None]:
        world.service.weather = lambda body: answer
        yield
        world.service.weather = None

    return strikes


@contextmanager
def _service_is_silent(world: World) -> Iterator[None]:
    over = threading.Event()

    def mood(request: Request) -> Reply:
        over.wait(60)
        return Reply(200, wire=Wire.DROPPED)

    world.service.mood = mood
    yield
    world.service.mood = None
    over.set()


@contextmanager
def _service_refuses(world: World) -> Iterator[None]:
    world.service.stop()
    yield
    world.service.start()


@contextmanager
def _host_refuses(world: World) -> Iterator[None]:
    world.host.stop()
    yield
    world.host.start()


def _host(mood: str) -> Callable[[World], AbstractContextManager[None]]:
    @contextmanager
    def strikes(world: World) -> Iterator[None]:
        world.host.mood = mood
        yield
        world.host.mood = ""

    return strikes


@contextmanager
def _killed(world: World) -> Iterator[None]:
    world.state.server.kill()
    yield
    world.state.server.start()


@contextmanager
def _killed_in_flight(world: World) -> Iterator[None]:
    """While a purchase is sent, and not answered yet."""
    before = len(world.service.creates)
    with world.service.creates_held():
        world.push()
        world.service.wait_for(lambda: len(world.service.creates) > before)
        world.state.server.kill()
    yield
    world.state.server.start()


@contextmanager
def _frozen(world: World) -> Iterator[None]:
    world.state.server.freeze()
    yield
    world.state.server.thaw()


@contextmanager
def _restarted(world: World) -> Iterator[None]:
    world.state.server.restart()
    yield
    world.state.server.restart()


@contextmanager
def _ended(world: World) -> Iterator[None]:
    with contextlib.suppress(psycopg.OperationalError):
        world.state.end_sessions()
    yield
    with contextlib.suppress(psycopg.OperationalError):
        world.state.end_sessions()


@contextmanager
def _state_after_service(world: World) -> Iterator[None]:
    """The state fails while the service is waited for, and the service's turn comes in vain."""
    with _answers(error_reply(500, "down"))(world):
        before = len(world.service.requests)
        world.push()
        world.service.wait_for(lambda: len(world.service.requests) >= before + 8)
        with _killed(world):
            yield


@contextmanager
def _all(world: World) -> Iterator[None]:
    with ExitStack() as stack:
        for strikes in (_answers(error_reply(500, "down")), _host("failing"), _killed):
            stack.enter_context(strikes(world))
        yield


_BUSY: Final = Reply(503, b"<html>busy</html>", {"Retry-After": "0"})
_SLOW: Final = Reply(429, b"{}", {"Retry-After": "0"})
# In this order, so that the first three are of three parts.
FAULTS: Final = (
    Fault("service: 500", _answers(error_reply(500, "internal error"))),
    Fault("remote: no such repository", _host("missing")),
    Fault("state: killed", _killed),
    Fault("service: refuses connections", _service_refuses),
    Fault("service: silent", _service_is_silent),
    Fault("remote: silent", _host("silent")),
    Fault("state: frozen", _frozen),
    Fault("service: creates rejected", _creates(answers.refused(402))),
    Fault("remote: garbage", _host("garbage")),
    Fault("state: killed with a purchase in flight", _killed_in_flight, pushes=True),
    Fault("service: 503 and Retry-After", _answers(_BUSY)),
    Fault("remote: 502", _host("failing")),
    Fault("state: sessions ended", _ended),
    Fault("service: answers of creates lost", _creates(answers.dropped(creates=True))),
    Fault("remote: refuses connections", _host_refuses),
    Fault("service, then the state: killed", _state_after_service, parts=2, pushes=True),
    Fault("state: restarted", _restarted),
    Fault("service: drops connections", _answers(Reply(200, wire=Wire.DROPPED))),
    Fault("everything at once", _all, parts=3),
    Fault("service: 429", _answers(_SLOW)),
)
