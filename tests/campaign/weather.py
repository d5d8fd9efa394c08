"""Weather that a test picks, where the simulator's schedules draw theirs from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from tests.campaign.simulation.world import World


class Weather(random.Random):
    """Create calls meet these faults of the simulator one after another, then fair weather."""

    faults: Sequence[str] = ()

    def choices(self, *_: Any, **__: Any) -> list[Any]:  # type: ignore[override]
        fault, self.faults = (self.faults[0], self.faults[1:]) if self.faults else ("none", ())
        return [fault]


class Watched(World):
    """A world that calls ``watch`` when a create call is about to send its first byte."""

    watch: Callable[[], None] = staticmethod(lambda: None)

    def step(self, where: str, phase: str) -> None:
        World.step(self, where, phase)
        if where == "before the first byte":
            self.watch()
