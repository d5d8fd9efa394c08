"""How a controller stands: one frozen value, which the loop replaces and everybody else reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Mode(StrEnum):
    """What the controller does with a plan."""

    REPORT = "report"  # tells it
    APPROVE = "approve"  # applies it once a person has approved its digest
    APPLY = "apply"  # applies it within limits, windows and caps


class Part(StrEnum):
    """What the controller depends on; each fails, and is waited for, on its own."""

    GIT = "git"  # the remote
    SOURCE = "source"  # what the revision declares
    STATE = "state"
    SERVICE = "service"


class Hold(StrEnum):
    """Why a plan with changes is not applied now."""

    REPORT = "report"  # the mode
    APPROVAL = "approval"  # its digest is not approved
    SUSPENDED = "suspended"
    WINDOW = "window"  # nothing is bought at this time
    CAP = "cap"  # too much was bought lately
    LIMIT = "limit"  # [limits] of the project
    PRUNE = "prune"  # it would cancel or delete, and nobody consented
    ERRORS = "errors"  # the plan has errors
    LOCKED = "locked"  # somebody else applies


@dataclass(frozen=True, slots=True)
class Trouble:
    """A part fails. ``since``: ISO 8601, of the first of ``failures`` in a row."""

    message: str
    since: str
    failures: int = 1


@dataclass(frozen=True, slots=True)
class Held:
    """A plan waits. ``message``: for people, with what to do."""

    why: Hold
    message: str


@dataclass(frozen=True, slots=True)
class Planned:
    """What the newest plan says. ``cost`` in US dollars, None where it is unknown; ``actions`` by kind, all kinds."""

    digest: str
    actions: Mapping[str, int]
    lines: tuple[str, ...] = ()  # what is done, "create run.a: 40 samples", of the first ones
    samples: int = 0
    cost: float | None = None
    unmet: int = 0
    drift: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """What was bought within the caps' window: runs, samples, US dollars (as billed, else estimated)."""

    runs: int = 0
    samples: int = 0
    cost: float = 0.0


NOTHING_SPENT: Final = Spent()


@dataclass(frozen=True, slots=True)
class Suspended:
    """What is suspended. ``scope``: a pattern of addresses; empty: everything. ``until``: None = until resumed."""

    scope: str
    reason: str
    by: str
    since: str
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that is known of the controller at a moment. Times: ISO 8601 in UTC."""

    mode: Mode
    branch: str
    environment: str = ""
    leader: bool = False
    seen: str | None = None  # the newest commit of the branch
    revision: str | None = None  # the commit whose declarations count: the newest that could be read without errors
    troubles: Mapping[Part, Trouble] = field(default_factory=dict)
    planned: Planned | None = None
    held: Held | None = None
    runs: Mapping[str, int] = field(default_factory=dict)  # recorded current runs by status
    spent: Spent = NOTHING_SPENT
    suspended: tuple[Suspended, ...] = ()
    last_success: str | None = None  # when a pass ended without trouble
    next_at: str | None = None  # when the next one begins


READY_PARTS: Final = (Part.GIT, Part.STATE)  # a service that is down, or a bad revision, only degrades
