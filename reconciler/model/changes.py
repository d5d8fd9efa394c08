"""One change: what is done, to what, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import force_setattr

from reconciler.model.address import Address
from reconciler.model.diagnostics import Source
from reconciler.model.money import Estimate
from reconciler.model.request import Lifecycle, Request, SecretRef, canonical_json, normal, sha256
from reconciler.model.run import FINAL


class Kind(StrEnum):
    """What an action does, in the words of the plan."""

    CREATE = "create"
    REPLACE = "replace"
    RETRY = "retry"
    CANCEL = "cancel"
    FORGET = "forget"
    DELETE = "delete"
    REUSE = "reuse"
    UPDATE = "update"
    MOVE = "move"
    IMPORT = "import"


BUYING = frozenset({Kind.CREATE, Kind.REPLACE, Kind.RETRY})
_DISPLACING = frozenset({Kind.REPLACE, Kind.REUSE, Kind.IMPORT})  # another run takes the place of the subject


class StatusClass(StrEnum):
    """What a plan may rely on about an address: progress alone never makes a plan outdated."""

    NONE = "none"
    WORKING = "working"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    GONE = "gone"


def status_class(run_id: str | None, status: str | None, gone: bool) -> StatusClass:
    """The class of a recorded run. A finished run stays what it was, also when it is gone."""
    if run_id is None:
        return StatusClass.NONE
    if status in FINAL:
        return StatusClass(str(status).lower())
    return StatusClass.GONE if gone else StatusClass.WORKING


class FieldChange(Struct, frozen=True):
    """One field that differs; None on a side where it is not set. ``origin`` says what ``before`` is."""

    field: str
    before: Any
    after: Any
    origin: str = "sent"  # "sent" | "reported" | "unknown" | "recorded"

    def __post_init__(self) -> None:
        for name in ("before", "after"):  # frozen to the leaves, also when read back from JSON
            if isinstance(value := getattr(self, name), list):
                force_setattr(self, name, tuple(value))


class Precondition(Struct, frozen=True):
    """What must still hold when the action is performed: the current run and its status class."""

    run_id: str | None = None
    status: StatusClass = StatusClass.NONE


class Progress(Struct, frozen=True):
    """How far a run is."""

    run_id: str
    status: str
    samples_completed: int | None = None
    samples: int | None = None
    cost: float | None = None  # US dollars that are spent, where the service says


class Action(Struct, frozen=True):
    """One change. ``reason`` is for people and drives nothing."""

    kind: Kind
    address: Address
    reason: str
    precondition: Precondition
    source: Source | None = None
    before: Request | None = None
    after: Request | None = None
    changes: tuple[FieldChange, ...] = ()
    lifecycle: Lifecycle | None = None  # to be recorded
    lifecycle_before: Lifecycle | None = None
    inferred: tuple[str, ...] = ()  # fields of ``after`` that nobody declared
    kept_version: int | None = None  # the spec version that the run before was made from
    secrets: tuple[tuple[str, SecretRef], ...] = ()  # references only
    spec_content: str = ""  # digest of the spec's content, where a run is bought
    subject: Progress | None = None  # the run that is stopped, displaced, forgotten or deleted
    reused_run: str | None = None  # of a reuse: an older run of the address; of an import: the run to adopt
    deposed: bool = False  # the subject is not current any more: an owed cancel
    moved_from: Address | None = None  # of a move: what the address was called
    depends_on: tuple[Address, ...] = ()  # what has to SUCCEED before a purchase is submitted, and has not yet
    wave: int = 1  # purchases of a wave wait for those of earlier ones
    estimate: Estimate | None = None  # of a purchase; None: nothing is known of its cost
    repeats: int = 0  # how often just this was done before: a change that comes back is another one
    foreign: bool = False  # with --base: the branch did not cause it, its declaration is as it was

    @property
    def buys(self) -> bool:
        """Whether a run is bought."""
        return self.kind in BUYING

    @property
    def stops(self) -> bool:
        """Whether a working run is cancelled, or a run deleted."""
        working = self.precondition.status is StatusClass.WORKING
        return self.kind in (Kind.CANCEL, Kind.DELETE) or (self.kind in _DISPLACING and working)

    @property
    def displaces(self) -> bool:
        """Whether a working run has to be cancelled once another one has its address."""
        return self.kind in _DISPLACING and self.stops

    @property
    def stops_first(self) -> bool:
        """Whether the subject still works and has to be stopped."""
        return self.subject is not None and self.stops and self.precondition.status is StatusClass.WORKING

    @property
    def digest(self) -> str:
        """Of all that decides what is done; not of reasons, lines, times or progress."""
        repeats = {"repeats": self.repeats} if self.repeats else {}
        return sha256(
            canonical_json(
                {
                    "kind": self.kind,
                    "address": self.address,
                    "request": None
                    if self.after is None
                    else {"fields": {k: normal(v) for k, v in self.after.fields}, "rerun": self.after.rerun},
                    "lifecycle": None if self.lifecycle is None else self.lifecycle.to_json(),
                    "secrets": [[name, ref.kind, ref.name] for name, ref in self.secrets],
                    "spec": self.spec_content,
                    "precondition": [self.precondition.run_id, self.precondition.status],
                    "run": self.subject.run_id if self.subject else None,
                    "reused": self.reused_run,
                    "moved_from": self.moved_from,
                    **repeats,
                }
            )
        )


def owed_cancel(address: str, run_id: str, reason: str, subject: Progress | None = None) -> Action:
    """The cancel of a displaced run, which was decided when its successor was accepted. ``subject``: how far it is."""
    return Action(
        Kind.CANCEL,
        Address(address),
        f"{reason}; its cancel is still owed",
        Precondition(run_id, StatusClass.WORKING),
        subject=subject or Progress(run_id, "unknown"),
        deposed=True,
    )


def declared_request(action: Action) -> Request | None:
    """What a purchase was declared to ask for: ``after`` without what was inferred."""
    request = action.after
    for name in action.inferred if request else ():
        request = request.without(name) if request else None
    return request
