"""When a part that failed is tried again: each on its own, twice as late each time, never in step with other replicas.

A dozen lines, for what retrying libraries do around one call, and this does across the passes of a loop. Pure: the time
is given.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from reconciler.watching.status import Part


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: between passes; of the shortest and of the longest wait after a failure; ``least``: between two passes,
    whatever is asked for. ``jitter``: a share of each.
    """

    interval: float
    jitter: float = 0.1
    first: float = 5.0
    longest: float = 600.0
    least: float = 1.0


class Backoff:
    """The parts that fail now. Times are seconds of one monotonic clock."""

    def __init__(self, pace: Pace, chance: Callable[[], float] = random.random) -> None:
        self._pace = pace
        self._chance = chance
        self._failures: dict[Part, int] = {}
        self._until: dict[Part, float] = {}

    def spread(self, seconds: float) -> float:
        """About so long, so that replicas and their remotes do not keep step."""
        return seconds * (1 + self._pace.jitter * (2 * self._chance() - 1))

    def failed(self, part: Part, now: float) -> float:
        """Count a failure; returns the seconds until the part is to be tried again."""
        count = self._failures[part] = self._failures.get(part, 0) + 1
        wait = self.spread(min(self._pace.first * 2 ** min(count - 1, 30), self._pace.longest))
        self._until[part] = now + wait
        return wait

    def worked(self, part: Part) -> bool:
        """Forget the failures of a part; returns whether there were any."""
        self._until.pop(part, None)
        return self._failures.pop(part, 0) > 0

    def failures(self, part: Part) -> int:
        """How often it failed in a row."""
        return self._failures.get(part, 0)

    def may(self, part: Part, now: float) -> bool:
        """Whether it is time to try a part."""
        return now >= self._until.get(part, now)

    def reset(self) -> None:
        """Try everything at once, and begin with short waits: a new revision may have mended it."""
        self._until.clear()
        self._failures.clear()

    def due(self, since: float) -> float | None:
        """When the first of the failing parts is to be tried again. One whose turn came before ``since`` and that was
        not tried then waits for another part: it is for nobody to hurry for its sake.
        """
        return min((until for until in self._until.values() if until > since), default=None)
