"""What befalls the server of the state while commands are at work: its sessions end, it is killed, it hangs."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

import psycopg

from tests.campaign.states import PostgresState
from tests.service import FakeService

# Far below what a person would set, so that a server that hangs is given up while it hangs.
TIMEOUTS = {"timeout": "1", "connect_timeout": "2"}
_SHARES = {"sessions ended": 0.55, "server killed": 0.2, "server frozen": 0.25}
_OFTEN, _LONGEST_LULL = 6, 3.0  # requests to the service, or seconds, until the next one at the latest
_FROZEN = (1.5, 4.0)  # seconds; the shortest is longer than a client waits
_DOWN = (0.0, 5.0)  # seconds; the longest is longer than a client tries to reconnect


class Tempest:
    """So many of them, one after another, by seed. With it, in a ``with``: ``blows`` until the last one is over."""

    def __init__(self, state: PostgresState, service: FakeService, count: int, seed: str) -> None:
        self.met: Counter[str] = Counter()
        self.times: list[float] = []  # monotonic seconds
        self._state = state
        self._service = service
        self._count = count
        self._chance = random.Random(seed)
        self._thread = threading.Thread(target=self._blow)
        self._broken: BaseException | None = None

    @property
    def blows(self) -> bool:
        return self._thread.is_alive()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self._count = 0
        self._thread.join()
        if self._broken is not None:
            raise self._broken

    def _blow(self) -> None:
        try:
            while sum(self.met.values()) < self._count:
                self._lull()
                self._strike()
        except BaseException as broken:  # noqa: BLE001 told by the thread that waits for this one
            self._broken = broken

    def _lull(self) -> None:
        until = time.monotonic() + _LONGEST_LULL * self._chance.random()
        enough = len(self._service.requests) + self._chance.randint(1, _OFTEN)
        while len(self._service.requests) < enough and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(self._chance.choice((0.0, 0.0, 0.01, 0.05)) * self._chance.random())

    def _strike(self) -> None:
        server, chance = self._state.server, self._chance
        (what,) = chance.choices(list(_SHARES), list(_SHARES.values()))
        self.met[what] += 1
        self.times.append(time.monotonic())
        match what:
            case "sessions ended":
                with contextlib.suppress(psycopg.OperationalError):
                    self._state.end_sessions()
            case "server killed":
                server.kill()
                time.sleep(chance.uniform(*_DOWN))
                server.start()
            case "server frozen":
                server.freeze()
                time.sleep(chance.uniform(*_FROZEN))
                server.thaw()
