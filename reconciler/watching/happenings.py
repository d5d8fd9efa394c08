"""What happens in a controller, for its log, its metrics and its webhooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reconciler.model.events import Event
from reconciler.watching.status import Held, Part, Planned


@dataclass(frozen=True, slots=True)
class Listening:
    """The controller answers HTTP there."""

    url: str


@dataclass(frozen=True, slots=True)
class Led:
    """This replica became the one that works, or ceased to be it."""

    leader: bool


@dataclass(frozen=True, slots=True)
class Followed:
    """The branch has another commit. ``before`` is None for the first."""

    commit: str
    before: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A revision is not taken, and the last good one (None: there is none yet) stays. ``problems``: a line each, with
    file, line and column where there are such.
    """

    commit: str
    problems: tuple[str, ...]
    stays: str | None


@dataclass(frozen=True, slots=True)
class Stumbled:
    """A part failed. ``kind``: what the service's failure is, else the exception's name. ``again``: seconds until the
    next try.
    """

    part: Part
    kind: str
    message: str
    failures: int
    again: float


@dataclass(frozen=True, slots=True)
class Recovered:
    """A part that failed works again."""

    part: Part


@dataclass(frozen=True, slots=True)
class Waits:
    """A plan with changes waits for something. Told once for each digest and reason."""

    planned: Planned
    held: Held


@dataclass(frozen=True, slots=True)
class Applied:
    """A plan was applied. ``done``: actions by kind; ``failures``: lines for people."""

    commit: str
    digest: str
    done: Mapping[str, int]
    cost: float | None = None  # estimated, US dollars
    approved_by: str | None = None
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run came to rest. ``status``: "GONE" for one that the service does not have any more."""

    address: str
    run_id: str
    status: str
    samples_completed: int | None = None
    total_cost: float | None = None  # US dollars


@dataclass(frozen=True, slots=True)
class Rested:
    """Runs that worked when they were last looked at rest now."""

    endings: tuple[Ending, ...]


@dataclass(frozen=True, slots=True)
class Passed:
    """A pass ended. ``outcome``: "unchanged" | "held" | "applied" | "failed" | "standby" (another replica leads);
    ``seconds`` it took.
    """

    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Worked:
    """A single event of an apply."""

    event: Event


Happening = Listening | Led | Followed | Refused | Stumbled | Recovered | Waits | Applied | Rested | Passed | Worked
Observer = Callable[[Happening], None]  # quick, and raises nothing
