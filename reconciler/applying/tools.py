"""What an apply works with, and where it puts what it has to tell."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence

from msgspec import Struct, field

from reconciler.applying.interruption import Interruption
from reconciler.applying.record import Recorder
from reconciler.applying.sending import Sender
from reconciler.applying.settle import Settler
from reconciler.applying.submission import Pace, Wave
from reconciler.applying.submit import drive
from reconciler.dataframer.client import Client, Listing
from reconciler.model.changes import Action
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.events import Done, Event, Failed, Report
from reconciler.model.limits import Override
from state.records import Snapshot
from state.store import Store

# Given what is about to be bought, what the service lists, and runs that unknown submissions may have made.
Guard = Callable[[Sequence[Action], Listing, Collection[str]], list[Diagnostic]]


class Tools(Struct, frozen=True):
    """What an apply works with. ``now`` gives ISO 8601 in UTC; ``tell`` must be quick; ``drive`` performs a wave's
    effects to its end, with threads unless a simulation brings its own way; ``random`` is for jitter; ``guard``
    gives for what was just read of the state what says why nothing may be bought, where the state may have lost runs.
    """

    store: Store
    client: Client
    recorder: Recorder
    sender: Sender
    settler: Settler
    interruption: Interruption
    tell: Callable[[Event], None]
    now: Callable[[], str]
    guard: Callable[[Snapshot], Guard | None] = lambda snapshot: None
    take_in: Callable[[], list[str]] = list  # records what an earlier command could only rescue; tells what
    drive: Callable[[Wave, Sender, Interruption], None] = drive
    random: random.Random = field(default_factory=random.Random)


class Options(Struct, frozen=True):
    """How to apply. ``wait_seconds``: None = until the last run rests; 0 = do not follow. ``permitted`` is called when
    the lock is taken, and raises what speaks against applying.
    """

    pace: Pace
    max_active: int = 0
    wait_seconds: float | None = None
    lock_seconds: float = 0.0
    unknown: bool = False  # the plan saw submissions that are not certain
    overrides: tuple[Override, ...] = ()  # of soft limits; to be recorded
    reviewed: tuple[Action, ...] = ()  # of the saved plan that was reviewed, where the plan is what is left of it
    command: str = "apply"
    permitted: Callable[[], None] = lambda: None


class Teller(Struct):
    """Counts what happens for the report, and tells it as it happens."""

    tell: Callable[[Event], None]
    report: Report = field(default_factory=Report)

    def done(self, action: Action, message: str) -> None:
        """An action that buys nothing is done."""
        self.report.count(action.kind)
        self.tell(Done(action.address, action.kind, message))

    def failed(self, action: Action, trouble: str, message: str) -> None:
        """An action failed; ``trouble`` as in :class:`Failed`."""
        failure = Failed(action.address, trouble, message)
        self.report.failures.append(failure)
        self.tell(failure)
