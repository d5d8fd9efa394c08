"""The decision table of stage 5. A pure function of instances and records: no clock, no network, no database.

Each address gets the first row that fits; the rows are numbered as in the documentation of decisions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct, field

from reconciler.model.address import Address
from reconciler.model.changes import Action, Kind, Precondition, StatusClass, owed_cancel
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.plan import Drift, NoChange, Outlook, Unmet
from reconciler.model.request import Instance, Lifecycle
from reconciler.model.run import is_final
from reconciler.planning.comparison import (
    Comparison,
    compare,
    satisfies,
    sent_request,
    standing_of,
    works_on,
)
from reconciler.planning.steps import (
    Decision,
    buy,
    keep,
    kept,
    lifecycle_update,
    progress,
    reuse,
    unknown,
    unmet,
    why_create,
    why_replace,
)
from state.records import AttemptRecord, InstanceRecord, OwedRecord, Phase


class Recorded(Struct, frozen=True):
    """The recorded side, with what the service said laid over it."""

    instances: Mapping[str, InstanceRecord] = field(default_factory=dict)
    current: Mapping[str, AttemptRecord] = field(default_factory=dict)
    open: Mapping[str, AttemptRecord] = field(default_factory=dict)
    history: Mapping[str, tuple[AttemptRecord, ...]] = field(default_factory=dict)  # where it matters, oldest first
    owed: tuple[tuple[OwedRecord, AttemptRecord | None], ...] = ()
    busy: bool = False  # another apply is at work
    foreseen: Mapping[str, Outlook] = field(default_factory=dict)  # what will become of open submissions


class Decisions(Struct, frozen=True):
    """What the table says of every address."""

    actions: tuple[Action, ...]
    unchanged: tuple[NoChange, ...]
    unmet: tuple[Unmet, ...]
    drift: tuple[Drift, ...]
    diagnostics: tuple[Diagnostic, ...]


NOT_DECLARED = "not declared any more"


def diff(
    instances: Iterable[Instance], recorded: Recorded, replace: Collection[str] = (), why: str = NOT_DECLARED
) -> Decisions:
    """Decide every address, declared or recorded. ``replace``: addresses that a person wants bought again; ``why``:
    what people read of the others' end.
    """
    found = _Found()
    declared: set[str] = set()
    for instance in instances:
        declared.add(instance.address)
        found.add(_declared(instance, recorded, instance.address in replace))
    for address, record in recorded.instances.items():
        if address not in declared:
            found.add(_undeclared(Address(address), record, recorded, why))
    found.add(_owed(recorded))
    return found.decisions()


class _Found:
    """Decisions by their kind, in order."""

    def __init__(self) -> None:
        self._actions: list[Action] = []
        self._unchanged: list[NoChange] = []
        self._unmet: list[Unmet] = []
        self._drift: list[Drift] = []
        self._diagnostics: list[Diagnostic] = []

    def add(self, decisions: Iterable[Decision]) -> None:
        for item in decisions:
            match item:
                case NoChange():
                    self._unchanged.append(item)
                case Action():
                    self._actions.append(item)
                case Unmet():
                    self._unmet.append(item)
                case Drift():
                    self._drift.append(item)
                case Diagnostic():
                    self._diagnostics.append(item)

    def decisions(self) -> Decisions:
        return Decisions(
            tuple(self._actions),
            tuple(self._unchanged),
            tuple(self._unmet),
            tuple(self._drift),
            tuple(self._diagnostics),
        )


def needs_history(instances: Iterable[Instance], recorded: Recorded, replace: Collection[str] = ()) -> list[str]:
    """Declared addresses that the current run alone does not decide."""
    return [
        instance.address for instance in instances if not _settled(instance, recorded) or instance.address in replace
    ]


def _settled(instance: Instance, recorded: Recorded) -> bool:
    current = recorded.current.get(instance.address)
    if current is None:
        return instance.address in recorded.open
    comparison = compare(instance.request, current)
    return comparison.exact and (satisfies(comparison, current, instance.lifecycle) or works_on(comparison, current))


def _declared(instance: Instance, recorded: Recorded, replace: bool) -> list[Decision]:
    address = instance.address
    blocking = recorded.open.get(address)
    if blocking is not None:  # row 1
        return [unknown(address, blocking, recorded.busy, instance, recorded.foreseen.get(address))]
    record = recorded.instances.get(address)
    current = recorded.current.get(address)
    history = recorded.history.get(address, ())
    comparison = compare(instance.request, current) if current else Comparison()
    if replace:  # row 2
        return [
            buy(instance, Kind.REPLACE if current else Kind.CREATE, "asked for with --replace", current, comparison)
        ]
    as_wanted = current is not None and (
        satisfies(comparison, current, instance.lifecycle) or works_on(comparison, current)
    )
    better = _reusable(instance, history, current, exact=as_wanted)
    if as_wanted and current is not None and (comparison.exact or better is None):  # rows 3 and 4
        return keep(instance, current, comparison, record)
    if better is not None:  # row 5
        return [reuse(instance, better, current)]
    asked = next((old for old in reversed(history) if _counts(old) and compare(instance.request, old).exact), None)
    exhausted = asked is not None and _exhausted(instance, asked, history)
    if current is None:
        last = next((attempt for attempt in reversed(history) if _counts(attempt)), None)
        if asked is None or not (exhausted or asked is last):  # row 6
            return [buy(instance, Kind.CREATE, why_create(history), None, Comparison())]
        return _repeat(instance, asked, history, record, None)
    if not comparison.exact:  # row 7
        if instance.lifecycle.on_change == "keep":
            return kept(instance, current, comparison, record)
        if asked is not None and exhausted:  # rows 8 and 9 hold for a request, also where another one is current
            return _repeat(instance, asked, history, record, current)
        return [buy(instance, Kind.REPLACE, why_replace(comparison), current, comparison)]
    given_up = asked if asked is not None and asked.phase is Phase.ABANDONED else None
    return _repeat(instance, given_up or current, history, record, current)


def _exhausted(instance: Instance, asked: AttemptRecord, history: tuple[AttemptRecord, ...]) -> bool:
    """Whether a request was given up, or FAILED as often as it may be bought."""
    if asked.phase is Phase.ABANDONED:
        return True
    return standing_of(asked) is StatusClass.FAILED and _bought(instance, history) >= instance.lifecycle.max_attempts


def _bought(instance: Instance, history: tuple[AttemptRecord, ...]) -> int:
    """How many times the request was bought in all."""
    same = sum(1 for attempt in history if attempt.run_id and compare(instance.request, attempt).exact)
    return max(same, 1)


def _counts(attempt: AttemptRecord) -> bool:
    """Whether an attempt of a forgotten address still says something: one whose finished run was deleted does not."""
    deleted = is_final(attempt.status) and attempt.gone_at is not None
    return attempt.phase is Phase.ABANDONED or (attempt.run_id is not None and not deleted)


def _repeat(
    instance: Instance,
    current: AttemptRecord,
    history: tuple[AttemptRecord, ...],
    record: InstanceRecord | None,
    displaced: AttemptRecord | None,
) -> list[Decision]:
    """Rows 8 and 9: the same request did not bring what is wanted. ``displaced``: the recorded current run."""
    standing = standing_of(current)
    if standing is StatusClass.FAILED:
        bought = _bought(instance, history)
        most = instance.lifecycle.max_attempts
        if bought < most:
            why = f"run {current.run_id} FAILED; attempt {bought + 1} of {most}"
            return [buy(instance, Kind.RETRY, why, displaced, Comparison(), retried=current)]
        why = f"FAILED, and bought {bought} of {most} times; raise max_attempts or rerun, or use --replace"
        return _unmet(instance, "failed", why, current, record)
    raise_it = "raise rerun or use --replace to buy it again"
    match standing:
        case StatusClass.CANCELED:
            kind, why = "canceled", f"was CANCELED; {raise_it}"
        case StatusClass.SUCCEEDED:
            wanted, made = instance.lifecycle.min_samples, current.samples_completed or 0
            kind, why = "short", f"SUCCEEDED with {made:,} samples, {wanted:,} are wanted (min_samples); {raise_it}"
        case StatusClass.NONE:
            kind, why = "abandoned", f"its submission was given up; {raise_it}"
        case _:
            kind, why = "gone", f"is gone from the service before it finished; {raise_it}"
    return _unmet(instance, kind, why, current, record)


def _unmet(
    instance: Instance, kind: str, why: str, current: AttemptRecord, record: InstanceRecord | None
) -> list[Decision]:
    update = lifecycle_update(instance, current, record)
    return [unmet(instance, kind, why, current), *([update] if update else [])]


def _undeclared(address: Address, record: InstanceRecord, recorded: Recorded, why: str) -> list[Decision]:
    blocking = recorded.open.get(address)
    if blocking is not None:  # row 1
        return [unknown(address, blocking, recorded.busy, None, recorded.foreseen.get(address))]
    current = recorded.current.get(address)
    lifecycle = Lifecycle.from_json(record.lifecycle_json)
    standing = standing_of(current)
    there = current is not None and current.gone_at is None
    if lifecycle.on_remove == "delete" and there:
        kind, why = Kind.DELETE, f'{why} (on_remove = "delete": the run and its files go)'
    elif standing is StatusClass.WORKING and lifecycle.on_remove != "keep":  # row 10
        kind = Kind.CANCEL
    else:  # row 11
        kind = Kind.FORGET
    return [
        Action(
            kind,
            address,
            why,
            Precondition(current.run_id if current else None, standing),
            before=sent_request(current) if current else None,
            lifecycle_before=lifecycle,
            subject=progress(current) if there else None,
        )
    ]


def _owed(recorded: Recorded) -> list[Decision]:
    """Cancels that were promised when their successors were accepted, and are not done."""
    return [
        owed_cancel(owed.address, owed.run_id, owed.reason, progress(attempt))
        for owed, attempt in recorded.owed
        if attempt is None or standing_of(attempt) is StatusClass.WORKING
    ]


def _reusable(
    instance: Instance, history: tuple[AttemptRecord, ...], current: AttemptRecord | None, exact: bool
) -> AttemptRecord | None:
    """The newest older run that would do, one that was asked for exactly the declared fields before one that was asked
    for more. ``exact``: only such a one is better than what there is.
    """
    more: AttemptRecord | None = None
    for attempt in reversed(history):
        if attempt.run_id is None or attempt.gone_at or (current and attempt.attempt_id == current.attempt_id):
            continue
        comparison = compare(instance.request, attempt)
        if satisfies(comparison, attempt, instance.lifecycle) or works_on(comparison, attempt):
            if comparison.exact:
                return attempt
            more = more or attempt
    return None if exact else more
