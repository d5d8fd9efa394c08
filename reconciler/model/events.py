"""What an apply tells while it works. Views turn these into lines, JSON, or a live display."""

from __future__ import annotations

from msgspec import Struct, field

from reconciler.model.changes import Action, Kind
from reconciler.model.plan import Outlook
from reconciler.model.run import RunStatus


class Started(Struct, frozen=True):
    """An action begins."""

    action: Action


class Submitted(Struct, frozen=True):
    """A run was bought; its id is recorded."""

    address: str
    run_id: str
    kind: Kind


class Progressed(Struct, frozen=True):
    """A followed run was looked at and has changed. ``elapsed`` in seconds: what it took in all, else since following
    it began.
    """

    address: str
    run_id: str
    status: RunStatus
    samples_completed: int | None
    samples_failed: int | None
    samples: int | None
    elapsed: float
    total_cost: float | None = None


class Done(Struct, frozen=True):
    """An action that buys nothing is done."""

    address: str
    kind: Kind
    message: str


class Failed(Struct, frozen=True):
    """An action failed, for now or for good. ``kind`` of trouble: "rejected" | "unknown" | "deferred" | "outdated" |
    "error".
    """

    address: str
    trouble: str
    message: str


class Told(Struct, frozen=True):
    """Something that concerns no single address."""

    message: str


Event = Started | Submitted | Progressed | Done | Failed | Told


class Ending(Struct, frozen=True):
    """How a followed run came to rest; ``status`` is None for one that is gone."""

    address: str
    run_id: str
    status: RunStatus | None
    total_cost: float | None = None
    short: bool = False  # fewer samples than its instance wants


class Unsettled(Struct, frozen=True):
    """A submission that is not certain."""

    address: str
    outlook: Outlook


class Report(Struct):
    """What an apply has done, for the closing line and the exit code."""

    done: dict[Kind, int] = field(default_factory=dict)
    endings: list[Ending] = field(default_factory=list)
    failures: list[Failed] = field(default_factory=list)
    unsettled: list[Unsettled] = field(default_factory=list)
    resubmitted: list[str] = field(default_factory=list)  # absent ones that the next plan buys again
    unfinished: int = 0  # followed runs that still work
    timed_out: bool = False
    interrupted: str = ""  # the signal's name
    stopped: str = ""  # why submitting ended early

    def count(self, kind: Kind) -> None:
        """One more action is done."""
        self.done[kind] = self.done.get(kind, 0) + 1

    def troubles(self, *kinds: str) -> list[Failed]:
        """Failures of these kinds."""
        return [failure for failure in self.failures if failure.trouble in kinds]

    @property
    def unsuccessful(self) -> list[Ending]:
        """Followed runs that came to rest without success."""
        return [ending for ending in self.endings if ending.short or ending.status is not RunStatus.SUCCEEDED]
