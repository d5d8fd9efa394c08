"""``--target`` and ``--exclude``: the part of the decisions that a plan is to hold. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace

from reconciler.model.address import matching, nearest
from reconciler.model.errors import UsageError
from reconciler.model.request import Instance, by_address
from reconciler.planning.diff import Decisions


def chosen(option: str, patterns: Sequence[str], known: Collection[str]) -> set[str]:
    """The addresses that an option's patterns name. Raises UsageError for a pattern that names none."""
    found: set[str] = set()
    for pattern in patterns:
        named = matching(pattern, known)
        if not named:
            raise UsageError(f"{option} {pattern}: no such run is declared or recorded.{nearest(pattern, known)}")
        found.update(named)
    return found


def select(
    decisions: Decisions,
    instances: Collection[Instance],
    recorded: Iterable[str],
    target: Sequence[str],
    exclude: Sequence[str],
) -> Decisions:
    """Only the targets with what they depend on, less what is excluded. Raises UsageError for unknown addresses."""
    if not target and not exclude:
        return decisions
    known = dict.fromkeys([*(instance.address for instance in instances), *recorded])
    kept = _with_dependencies(chosen("--target", target, known), instances) if target else set(known)
    kept -= chosen("--exclude", exclude, known)
    return replace(
        decisions,
        actions=tuple(item for item in decisions.actions if item.address in kept),
        unchanged=tuple(item for item in decisions.unchanged if item.address in kept),
        unmet=tuple(item for item in decisions.unmet if item.address in kept),
        drift=tuple(item for item in decisions.drift if item.address in kept),
        diagnostics=tuple(item for item in decisions.diagnostics if item.address is None or item.address in kept),
    )


def _with_dependencies(targets: set[str], instances: Iterable[Instance]) -> set[str]:
    declared, found, left = by_address(instances), set(targets), list(targets)
    while left:
        instance = next((declared[key] for key in [left.pop()] if key in declared), None)
        new = {address for address in instance.depends_on if address not in found} if instance else set()
        found |= new
        left += new
    return found
