"""``[[import]]`` blocks: runs that exist are adopted by declarations, reviewed like any change. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.dataframer.observation import imported
from reconciler.model.blocks import ImportBlock
from reconciler.model.changes import Action, FieldChange, Kind
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.plan import NoChange
from reconciler.model.request import Instance
from reconciler.model.run import Run
from reconciler.planning.comparison import compare, satisfies, works_on
from reconciler.planning.diff import Decisions, Recorded
from reconciler.planning.steps import adopted
from state.records import AttemptRecord, InstanceRecord


class Adoptions(Struct, frozen=True):
    """Runs that are adopted, by address: the attempt that each becomes, and what it displaces."""

    blocks: Mapping[str, ImportBlock] = field(default_factory=dict)
    attempts: Mapping[str, AttemptRecord] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    checked: bool = False  # the service was asked for the runs


def due(blocks: Iterable[ImportBlock], owners: Iterable[AttemptRecord]) -> Adoptions:
    """The blocks that are not done, without their runs. ``owners``: the attempts that own the blocks' runs, under the
    addresses that they have now.
    """
    owner = {attempt.run_id: attempt.address for attempt in owners}
    left: dict[str, ImportBlock] = {}
    found: list[Diagnostic] = []
    for block in blocks:
        belongs = owner.get(block.run_id)
        if belongs is None:
            left[block.address] = block
        elif belongs != block.address:  # else it is done, also where another run is current by now
            found.append(_error(block, f"Run {block.run_id} belongs to {belongs} already."))
    return Adoptions(left, diagnostics=tuple(found))


def adopt(
    due: Adoptions, instances: Mapping[str, Instance], recorded: Recorded, runs: Mapping[str, Run | None], at: str
) -> Adoptions:
    """Each run as an attempt of its address; an error for one that would not do. ``runs``: as the service reports them,
    by id; None for one that it does not have.
    """
    attempts: dict[str, AttemptRecord] = {}
    found = list(due.diagnostics)
    for address, block in due.blocks.items():
        instance, run = instances.get(address), runs.get(block.run_id)
        if instance is None:
            continue  # the configuration, or its spec's name, is wrong: told there
        if run is None:
            found.append(_error(block, f"The service has no run {block.run_id} for this key."))
            continue
        problem = objection(instance, run, recorded.current.get(address), unknown=address in recorded.open)
        if problem:
            found.append(_error(block, problem))
        else:
            number = max((attempt.number for attempt in recorded.history.get(address, ())), default=0) + 1
            attempts[address] = imported(run, address, instance.request, number, at)
    return replace(due, attempts=attempts, diagnostics=tuple(found), checked=True)


def objection(instance: Instance, run: Run, current: AttemptRecord | None, *, unknown: bool) -> str:
    """Why a run is not adopted by an instance, or an empty text. ``unknown``: a submission of it is."""
    address = instance.address
    if unknown:
        return (
            f"{address} has a submission whose outcome is unknown. If this run came of it: "
            f"`reconciler resolve '{address}' --adopt {run.id}`."
        )
    if current is not None:
        comparison = compare(instance.request, current)
        if satisfies(comparison, current, instance.lifecycle) or works_on(comparison, current):
            return f"{address} has run {current.run_id}, which is as declared; nothing has to be imported."
    attempt = imported(run, address, instance.request, 1, "")
    comparison = compare(instance.request, attempt)
    if satisfies(comparison, attempt, instance.lifecycle) or works_on(comparison, attempt):
        return ""
    if comparison.fits:
        made = f" with {attempt.samples_completed or 0:,} samples" if attempt.status == "SUCCEEDED" else ""
        return (
            f"Run {run.id} is {attempt.status}{made}; only a run that works, or SUCCEEDED with enough samples,"
            f" can be imported for {address}."
        )
    return (
        f"Run {run.id} is not what {address} declares: {_differences(comparison.changes)}."
        " Correct the declaration, or import another run."
    )


def with_adopted(recorded: Recorded, adoptions: Adoptions, instances: Mapping[str, Instance]) -> Recorded:
    """The recorded side as it is once the runs are adopted."""
    if not adoptions.attempts:
        return recorded
    rows = {
        address: InstanceRecord(address, attempt.attempt_id, instances[address].lifecycle.to_json(), "")
        for address, attempt in adoptions.attempts.items()
    }
    return replace(
        recorded, instances={**recorded.instances, **rows}, current={**recorded.current, **adoptions.attempts}
    )


def import_actions(
    decisions: Decisions, adoptions: Adoptions, instances: Mapping[str, Instance], before: Recorded
) -> Decisions:
    """With an import where an adopted run leaves nothing to do. ``before``: the recorded side without the adoptions."""
    unchanged, actions = list[NoChange](), list[Action]()
    for item in decisions.unchanged:
        block = adoptions.blocks.get(item.address)
        if block is None or item.address not in adoptions.attempts:
            unchanged.append(item)
        else:
            current, attempt = before.current.get(item.address), adoptions.attempts[item.address]
            actions.append(adopted(instances[item.address], attempt, current, block.source))
    return replace(decisions, actions=(*actions, *decisions.actions), unchanged=tuple(unchanged))


def unchecked(decisions: Decisions, adoptions: Adoptions) -> Decisions:
    """Where the service is not asked: imports in the place of the purchases that they spare."""
    actions = tuple(
        replace(
            action,
            kind=Kind.IMPORT,
            reason=f"run {block.run_id} is adopted, if it is as declared (the service was not asked)",
            source=block.source,
            reused_run=block.run_id,
            subject=None,
        )
        if action.buys and (block := adoptions.blocks.get(action.address))
        else action
        for action in decisions.actions
    )
    return replace(decisions, actions=actions)


def _differences(changes: Sequence[FieldChange]) -> str:
    return ", ".join(f"{change.field} is {change.before!r}, declared {change.after!r}" for change in changes)


def _error(block: ImportBlock, detail: str) -> Diagnostic:
    fix = "Correct the [[import]] block, or remove it."
    return Diagnostic(Severity.ERROR, "This run can't be imported", detail, fix, block.address, block.source)
