"""What people let a controller do, for people and for scripts. Each record comes with whether it counts now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from msgspec.structs import asdict

from reconciler.views.paint import one_line
from reconciler.views.times import Clock
from state.records import ApprovalRecord, SuspensionRecord

_Kind = TypeVar("_Kind", bound=ApprovalRecord | SuspensionRecord)


def approvals_text(found: Sequence[tuple[ApprovalRecord, bool]]) -> str:
    """The approvals that count, a line each, newest first."""
    return _text(found, lambda one: one.digest, "approved", "Nothing is approved.")


def suspensions_text(found: Sequence[tuple[SuspensionRecord, bool]]) -> str:
    """Likewise what is suspended."""
    return _text(found, lambda one: one.scope or "everything", "suspended", "Nothing is suspended.")


def approvals_json(found: Sequence[tuple[ApprovalRecord, bool]]) -> dict[str, Any]:
    """Every approval; times in UTC. ``docs/schemas/consent.schema.json``."""
    return _json("approvals", found)


def suspensions_json(found: Sequence[tuple[SuspensionRecord, bool]]) -> dict[str, Any]:
    """Likewise every suspension."""
    return _json("suspensions", found)


def _text(found: Sequence[tuple[_Kind, bool]], name: Callable[[_Kind], str], verb: str, nothing: str) -> str:
    counting = [one for one, counts in found if counts]
    clock = Clock(at for one in counting for at in (one.at, one.until))
    lines = []
    for one in counting:
        until = f", until {clock(one.until)}" if one.until else ""
        reason = f": {one.reason}" if one.reason else ""
        lines.append(one_line(f"{name(one)}  {verb} {clock(one.at)} by {one.user}@{one.host}{until}{reason}"))
    past = len(found) - len(counting)
    return "\n".join(
        [
            *(lines or [nothing]),
            *([clock.note] if lines else []),
            *([f"{past:,} more count{'s' if past == 1 else ''} no longer: --json shows all."] if past else []),
        ]
    )


def _json(name: str, found: Sequence[tuple[_Kind, bool]]) -> dict[str, Any]:
    return {"format_version": "1.0", name: [{**asdict(one), "counts": counts} for one, counts in found]}
