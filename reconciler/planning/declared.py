"""What the base of a branch declares, beside what the branch does: which changes it causes; and, where nothing is known
of runs, what it changes in declarations alone. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.blocks import ImportBlock, MovedBlock
from reconciler.model.changes import Action, Kind, Precondition
from reconciler.model.request import Instance, by_address, canonical_json
from reconciler.model.run import RunStatus
from reconciler.planning.diff import Decisions
from state.records import AttemptRecord, InstanceRecord, Meta, Phase, Snapshot

ALIKE = "as it is declared"  # stands for the id of a run of which nothing is known


class Declarations(Struct, frozen=True):
    """What one revision declares, before anything was looked up on the service."""

    instances: tuple[Instance, ...] = ()
    moved: tuple[MovedBlock, ...] = ()
    imports: tuple[ImportBlock, ...] = ()


def mark_foreign(actions: Iterable[Action], head: Declarations, base: Declarations) -> tuple[Action, ...]:
    """The actions, with those marked that the branch did not cause: what decides them is declared as it was."""
    touched = _touched(head, base)
    changed = _changed(head, base, touched)

    def foreign(action: Action) -> bool:
        if action.deposed:
            return True  # decided before
        if action.kind is Kind.MOVE:
            return not _is_in(touched, action.address, action.moved_from or action.address)
        return action.address not in changed and not _is_in(touched, action.address)

    return tuple(replace(action, foreign=True) if foreign(action) else action for action in actions)


def _touched(head: Declarations, base: Declarations) -> set[str]:
    """Addresses whose runs may be others because of a block that only one of the two has. A block for a declaration
    stands for its instances.
    """
    now, before = (
        {
            *((block.before, block.after) for block in side.moved),
            *((block.address, f"= {block.run_id}") for block in side.imports),
        }
        for side in (head, base)
    )
    return {name for pair in now ^ before for name in pair}


def _changed(head: Declarations, base: Declarations, touched: Collection[str]) -> set[str]:
    """Addresses that are declared otherwise than in the base, and those that depend on such: they may go on, or wait,
    because of that.
    """
    now, before = by_address(head.instances), by_address(base.instances)
    found = {address for address in {**now, **before} if _said(now.get(address)) != _said(before.get(address))}
    found |= {address for address in now if _is_in(touched, address)}
    left: dict[tuple[str, ...], list[str]] = {}  # instances of a declaration share what they depend on
    for instance in head.instances:
        if instance.depends_on:
            left.setdefault(instance.depends_on, []).append(instance.address)
    before_pass = -1
    while before_pass != (before_pass := len(left)):  # one pass will do where what is depended on comes first
        for names in [*left]:
            if not found.isdisjoint(names):
                found.update(left.pop(names))
    return found


def _is_in(touched: Collection[str], *addresses: str) -> bool:
    return any(address in touched or address.partition("[")[0] in touched for address in addresses)


def _said(instance: Instance | None) -> object:
    """All that is declared of an instance; lines are not."""
    if instance is None:
        return None
    request = instance.request
    named = (instance.spec_name, instance.legacy_revisions, instance.follows_latest)
    return (request.digest, instance.lifecycle, sorted(instance.secrets, key=str), named, sorted(instance.depends_on))


def as_declared(instances: Iterable[Instance]) -> list[Instance]:
    """Instances with what has to be looked up standing as it is written: nobody is asked."""
    found = []
    for instance in instances:
        request = instance.request
        if instance.spec_name is not None:
            request = replace(request, fields=(("spec_name", instance.spec_name), *request.fields))
        if instance.follows_latest:
            request = request.having("spec_version", "latest")
        found.append(replace(instance, request=request, spec_name=None, follows_latest=False))
    return found


def as_if_bought(base: Collection[Instance], base_url: str) -> Snapshot:
    """The records of a state in which everything that the base declares has been made."""
    return Snapshot(
        Meta(0, "", 0, base_url, ""),
        {item.address: InstanceRecord(item.address, item.address, item.lifecycle.to_json(), "") for item in base},
        {item.address: _made(item) for item in base},
        {},
        (),
        {},
    )


def _made(instance: Instance) -> AttemptRecord:
    request = instance.request
    return AttemptRecord(
        attempt_id=instance.address,
        address=instance.address,
        number=1,
        phase=Phase.ACCEPTED,
        request_digest=request.digest,
        rerun=request.rerun,
        sent_json=canonical_json(request.body()),
        inferred_json="[]",
        spec_id=request.spec_id,
        prepared_at="",
        run_id=ALIKE,
        status=RunStatus.SUCCEEDED,
        samples_completed=max(request.samples, instance.lifecycle.min_samples),
    )


def without_runs(decisions: Decisions) -> Decisions:
    """The decisions, with nothing said of runs: none was looked at."""
    return replace(
        decisions,
        actions=tuple(map(_without_run, decisions.actions)),
        unchanged=tuple(replace(item, progress=None) for item in decisions.unchanged),
        diagnostics=tuple(
            replace(item, detail=item.detail.replace(f"Run {ALIKE}", "Its run").replace(f"run {ALIKE}", "its run"))
            for item in decisions.diagnostics
        ),
    )


_REASONS: Mapping[Kind, str] = {
    Kind.CREATE: "new in this branch",
    Kind.FORGET: "not declared any more; if its run still works, on_remove decides what becomes of it",
    Kind.DELETE: 'not declared any more; on_remove = "delete": the run and its files go',
}


def _without_run(action: Action) -> Action:
    reason = _REASONS.get(action.kind, action.reason)
    return replace(action, reason=reason, subject=None, precondition=Precondition())
