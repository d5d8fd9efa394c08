"""A plan: what would be done, what stays as it is, and how it stands with the rest."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from reconciler.model.address import Address
from reconciler.model.changes import Action, FieldChange, Kind, Progress
from reconciler.model.diagnostics import Diagnostic, Source, errors
from reconciler.model.limits import Level, LimitResult
from reconciler.model.money import Estimate, total
from reconciler.model.request import Request, canonical_json, sha256
from reconciler.model.run import Spec


class NoChange(Struct, frozen=True):
    """An address that is as declared."""

    address: Address
    source: Source | None
    progress: Progress | None
    request: Request


class Candidate(Struct, frozen=True):
    """A run that an unknown submission may have made. ``created_by`` is for people, and decides nothing."""

    run_id: str
    status: str
    samples_completed: int | None = None
    created_at: str | None = None
    created_by: str | None = None


class Outlook(Struct, frozen=True):
    """What will become of an unknown submission. ``standing``: "waiting", "adopt" (provisionally), "ambiguous" or
    "absent"; ``decidable``: only a person helps, now.
    """

    standing: str = "waiting"
    why: str = "it is never sent again by itself"
    candidates: tuple[Candidate, ...] = ()  # oldest first
    decidable: bool = False
    submitted_at: str = ""  # ISO 8601


class Unmet(Struct, frozen=True):
    """An address that is not as declared, and for which nothing will be done by itself."""

    address: Address
    kind: str  # "unknown" | "failed" | "canceled" | "abandoned" | "short" | "gone" | "deferred"
    reason: str
    source: Source | None = None
    run_id: str | None = None
    outlook: Outlook | None = None  # of an unknown submission


class Drift(Struct, frozen=True):
    """A report that differs from what was sent: shown, never a reason to buy."""

    address: Address
    run_id: str
    changes: tuple[FieldChange, ...]


class Revision(Struct, frozen=True):
    """The checkout that a plan was made from. None where it is none; of no consequence for what is done."""

    commit: str | None = None
    dirty: bool | None = None  # files of the project differ from the commit
    base: str | None = None  # the commit that --base named
    folder: str = ""  # the project's within its repository, with slashes; empty at its top


NO_CHECKOUT: Final = Revision()


class Plan(Struct, frozen=True):
    """The hand-over between planning and applying."""

    plan_id: str
    tool_version: str
    timestamp: str
    base_url: str
    lineage: str  # empty before the state exists
    serial: int
    refreshed: bool  # the service was asked
    actions: tuple[Action, ...]
    unchanged: tuple[NoChange, ...]
    unmet: tuple[Unmet, ...] = ()
    drift: tuple[Drift, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    heading: tuple[str, ...] = ()  # what a reader must know first
    specs: tuple[Spec, ...] = ()  # fetched for this plan; remembered when it is applied
    limits: tuple[LimitResult, ...] = ()
    mode: str = "normal"  # "normal" | "destroy" | "refresh-only"
    environment: str = ""  # the name that --env gave
    revision: Revision = NO_CHECKOUT
    reviewed: str = ""  # the digest that was expected, where this is that plan, or what is left of it

    @property
    def valid(self) -> bool:
        """Whether it may be applied."""
        return not errors(self.diagnostics)

    @property
    def has_changes(self) -> bool:
        """The one predicate for: is there anything to apply?"""
        return bool(self.actions)

    @property
    def digest(self) -> str:
        """Hash of the sorted action digests and the limits, as they are declared. Owed cancels are no part of it: they
        were decided before, and whether they are done by now is another apply's progress.
        """
        actions = sorted(action.digest for action in self.actions if not action.deposed)
        return sha256(canonical_json({"actions": actions, "limits": self._limits}))

    @property
    def limits_digest(self) -> str:
        """Hash of the limits alone, as they are declared."""
        return sha256(canonical_json(self._limits))

    @property
    def _limits(self) -> list[list[object]]:
        return [
            [item.limit.name, item.limit.value, item.limit.level]
            for item in sorted(self.limits, key=lambda item: item.limit.name)
        ]

    @property
    def known_as(self) -> str:
        """The digest by which the history knows it: the reviewed one, where only a part of that is left."""
        return self.reviewed or self.digest

    @property
    def key(self) -> str:
        """Under what the state keeps what was done of it, for when it is applied again."""
        return self.reviewed or self.plan_id

    @property
    def exceeded(self) -> tuple[LimitResult, ...]:
        """The limits above advisory ones that it does not keep, those that are overridden included."""
        return tuple(item for item in self.limits if not item.passed and item.limit.level is not Level.ADVISORY)

    @property
    def forbidding(self) -> tuple[LimitResult, ...]:
        """The limits that forbid applying it."""
        return tuple(item for item in self.exceeded if not item.override or item.limit.level is Level.HARD)

    @property
    def cost(self) -> Estimate | None:
        """What all purchases may cost; None where that is unknown for one of them."""
        return total(action.estimate for action in self.actions if action.buys)

    @property
    def samples(self) -> int:
        """Samples to buy."""
        return sum(action.after.samples for action in self.actions if action.buys and action.after)

    def counts(self) -> dict[Kind, int]:
        """Actions by kind, zero counts included."""
        found = dict.fromkeys(Kind, 0)
        for action in self.actions:
            found[action.kind] += 1
        return found
