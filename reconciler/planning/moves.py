"""``[[moved]]`` blocks, applied to the recorded side in memory: a rename never buys again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.model.address import Address
from reconciler.model.blocks import MovedBlock
from reconciler.model.changes import Action, Kind, Precondition
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.planning.diff import Decisions
from reconciler.planning.steps import progress
from state.records import AttemptRecord, InstanceRecord, Snapshot


class Moves(Struct, frozen=True):
    """The state under its new names, and what has to be recorded of that."""

    snapshot: Snapshot
    actions: tuple[Action, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    before: Mapping[str, str] = field(default_factory=dict)  # new address: old address

    def addresses(self, needed: Iterable[str]) -> list[str]:
        """Where the attempts of these addresses are recorded."""
        found = list(needed)
        return [*found, *(self.before[address] for address in found if address in self.before)]

    def history(self, attempts: Sequence[AttemptRecord]) -> list[AttemptRecord]:
        """Attempts under their new addresses: those that moved come after those of the same name that were there."""
        if not self.before:
            return list(attempts)
        after = {old: new for new, old in self.before.items()}
        last: dict[str, int] = {}
        for attempt in attempts:
            last[attempt.address] = max(last.get(attempt.address, 0), attempt.number)
        moved = [
            replace(attempt, address=new, number=attempt.number + last.get(new, 0))
            if (new := after.get(attempt.address))
            else attempt
            for attempt in attempts
        ]
        return sorted(moved, key=lambda attempt: (attempt.address, attempt.number))


def move(snapshot: Snapshot, blocks: Sequence[MovedBlock]) -> Moves:
    """Follow the blocks from each recorded address to its end. A done one, whose address is not recorded, is none."""
    if not blocks or not snapshot.instances:
        return Moves(snapshot)
    paths = _Paths(blocks)
    ways: dict[str, tuple[str, MovedBlock]] = {}
    found: list[Diagnostic] = []
    for address in snapshot.instances:
        way = paths.follow(address)
        if isinstance(way, Diagnostic):
            found.append(way)
        elif way is not None:
            ways[address] = way
    taken: dict[str, str] = {}
    for old, (new, block) in ways.items():
        if new in taken:
            found.append(_error("Two sources for one address", f"{taken[new]} and {old} would both be {new}.", block))
        elif (new in snapshot.instances or new in snapshot.open) and new not in ways:
            said = f"{old} would be {new}, which is recorded already."
            found.append(_error("A move onto a recorded address", said, block))
        taken.setdefault(new, old)
    if found:
        return Moves(snapshot, diagnostics=tuple(dict.fromkeys(found)))
    names = {old: new for old, (new, _) in ways.items()}
    actions = tuple(_action(snapshot, old, new, block) for old, (new, block) in ways.items())
    return Moves(_renamed(snapshot, names), actions, before={new: old for old, new in names.items()})


def renamed(addresses: Iterable[str], blocks: Sequence[MovedBlock]) -> dict[str, str]:
    """What the blocks call those of these addresses that they rename."""
    paths = _Paths(blocks)
    ways = {address: paths.follow(address) for address in addresses} if blocks else {}
    return {address: way[0] for address, way in ways.items() if isinstance(way, tuple)}


def with_moves(decisions: Decisions, actions: Sequence[Action]) -> Decisions:
    """The same decisions, with the moves first; an address that is moved, and else as declared, is not unchanged."""
    if not actions:
        return decisions
    moved = {action.address for action in actions}
    unchanged = tuple(item for item in decisions.unchanged if item.address not in moved)
    return replace(decisions, actions=(*actions, *decisions.actions), unchanged=unchanged)


class _Paths:
    def __init__(self, blocks: Iterable[MovedBlock]) -> None:
        self._blocks = {block.before: block for block in blocks}

    def follow(self, address: str) -> tuple[str, MovedBlock] | Diagnostic | None:
        """Where an address ends, and the block that says so last."""
        seen, now, last = [address], address, None
        while step := self._step(now):
            now, last = step
            if now in seen:
                return _error("Moves in a circle", f"{' → '.join([*seen, now])}.", last)
            seen.append(now)
        return None if last is None else (now, last)

    def _step(self, address: str) -> tuple[str, MovedBlock] | None:
        exact = self._blocks.get(Address(address))
        if exact is not None:
            return exact.after, exact
        name, bracket, key = address.partition("[")
        whole = self._blocks.get(Address(name)) if bracket else None
        if whole is None or "[" in whole.after:
            return None
        return f"{whole.after}[{key}", whole


def _action(snapshot: Snapshot, old: str, new: str, block: MovedBlock) -> Action:
    current = snapshot.current.get(old)
    return Action(
        Kind.MOVE,
        Address(new),
        f"was {old}",
        Precondition(current.run_id if current else None),  # whatever its run does meanwhile
        block.source,
        subject=progress(current),
        moved_from=Address(old),
    )


_Row = TypeVar("_Row", InstanceRecord, AttemptRecord)


def _renamed(snapshot: Snapshot, names: Mapping[str, str]) -> Snapshot:
    def renamed(rows: Mapping[str, _Row]) -> dict[str, _Row]:
        called = {address: names.get(address, address) for address in rows}
        return {called[address]: replace(row, address=called[address]) for address, row in rows.items()}

    owed = tuple(replace(item, address=names.get(item.address, item.address)) for item in snapshot.owed)
    return replace(
        snapshot,
        instances=renamed(snapshot.instances),
        current=renamed(snapshot.current),
        open=renamed(snapshot.open),
        owed=owed,
    )


def _error(summary: str, detail: str, block: MovedBlock) -> Diagnostic:
    fix = "Correct or remove one of the [[moved]] blocks."
    return Diagnostic(Severity.ERROR, summary, detail, fix, block.after, block.source)
