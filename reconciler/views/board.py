"""What a live display knows: a row for each followed run, and the totals. Pure: time is handed in, in seconds of any
clock; drawing is somebody else's.
"""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field

from reconciler.model.events import Event, Failed, Progressed, Started, Submitted
from reconciler.model.run import RunStatus
from reconciler.views.apply_text import PlainLines


class Row(Struct):
    """One run that is not over. ``since``: when it was first seen."""

    address: str
    run_id: str
    since: float
    status: RunStatus = RunStatus.PENDING
    completed: int = 0
    samples: int | None = None

    @property
    def share(self) -> float:
        """How much is made, from 0 to 1."""
        return min(self.completed / self.samples, 1.0) if self.samples else 0.0

    def eta(self, now: float) -> float | None:
        """Seconds to go at the pace so far, once there is one."""
        elapsed = now - self.since
        return elapsed * (1.0 - self.share) / self.share if self.share > 0.02 and elapsed >= 1.0 else None


class Board(Struct):
    """All rows, and what has left the board."""

    lines: PlainLines
    since: float
    rows: dict[str, Row] = field(default_factory=dict)  # by run id, in the order of submission
    over: Counter[str] = field(default_factory=Counter)  # by status word
    wanted: int = 0  # submissions that were begun
    submitted: int = 0
    samples_over: int = 0  # asked for by runs that are over
    made_over: int = 0

    def handle(self, event: Event, now: float) -> str | None:
        """Take an event; returns a line for the scroll-back, if it is worth one."""
        match event:
            case Started(action=action):
                self.wanted += 1 if action.buys else 0
                return None
            case Submitted():
                self.submitted += 1
                self.rows[event.run_id] = Row(event.address, event.run_id, now)
                return None
            case Progressed() if event.status.final:
                return self._over(event)
            case Progressed():
                row = self.rows.setdefault(event.run_id, Row(event.address, event.run_id, now))
                row.status, row.completed, row.samples = event.status, event.samples_completed or 0, event.samples
                return None
            case Failed():
                self.wanted -= 1 if event.trouble != "error" and self.wanted > self.submitted else 0
                return self.lines.line(event)
            case _:
                return self.lines.line(event)

    def _over(self, event: Progressed) -> str | None:
        self.rows.pop(event.run_id, None)
        self.over[event.status.value] += 1
        made = event.samples_completed or 0
        self.made_over += made
        self.samples_over += event.samples or made
        return self.lines.line(event)

    def shown(self, most: int) -> list[Row]:
        """At most so many rows: those that work before those that wait, each in the order of submission."""
        working = [row for row in self.rows.values() if row.status is RunStatus.PROCESSING]
        if len(working) >= most:
            return working[:most]
        waiting = [row for row in self.rows.values() if row.status is not RunStatus.PROCESSING]
        return [*working, *waiting[: most - len(working)]]

    def samples(self) -> tuple[int, int]:
        """Samples made and asked for, over all runs seen so far."""
        made = self.made_over + sum(row.completed for row in self.rows.values())
        asked = self.samples_over + sum(row.samples or 0 for row in self.rows.values())
        return made, asked

    def eta(self, now: float) -> float | None:
        """Seconds to go for all runs, at the pace so far."""
        made, asked = self.samples()
        elapsed = now - self.since
        if not asked or made / asked <= 0.02 or elapsed < 1.0:
            return None
        return elapsed * (asked - made) / made
