"""The service to measure against, as the one who measures sees it."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.bench.running import ROOT, environment, module


@dataclass(frozen=True, slots=True)
class Facts:
    """What arrived since the service was set up. ``lists_at``: when, in seconds of the monotonic clock."""

    requests: Mapping[str, int]
    connections: int
    creating_connections: int
    most_at_once: int
    lists_at: Sequence[float]
    runs: int


class Service:
    """A process of :mod:`tests.bench.service`. Use it with ``with``."""

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(
            module("service"), cwd=ROOT, env=environment(ROOT), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._child.stdout is not None
        self.url = self._child.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._child.communicate()

    def set_up(self, latency: float = 0.0, listed: Path | None = None, cancelled: Sequence[str] = ()) -> None:
        """Start anew with these runs; ``latency``: seconds of a create call."""
        self._ask({"latency": latency, "listed": str(listed) if listed else None, "cancelled": list(cancelled)})

    def facts(self) -> Facts:
        """What arrived since."""
        return Facts(**self._ask(None))

    def _ask(self, body: object) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/bench/", data)) as answer:
            return json.load(answer)
