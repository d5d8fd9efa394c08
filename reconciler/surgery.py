"""By hand on the recorded side: an address that is called another from now on, or forgotten. Asks no service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from reconciler.applying.record import Recorder
from reconciler.model.address import Address, matching, nearest, spelled, split_address
from reconciler.model.errors import UsageError
from reconciler.model.request import Instance, Lifecycle
from reconciler.model.run import is_final
from reconciler.planning.comparison import compare, satisfies, works_on
from reconciler.project import Project
from reconciler.rescuing import rescue
from reconciler.safekeeping import back_up, remember
from reconciler.wiring import Tell, recorder
from state.errors import StateMissing
from state.records import AttemptRecord, Snapshot
from state.sqlite.backups import Why
from state.store import Store


class Moved(Struct, frozen=True):
    """What a move did, or would do: (source, target, the current run), and what people should know, a line each."""

    pairs: tuple[tuple[str, str, AttemptRecord | None], ...]
    cautions: tuple[str, ...]
    kept: Path | None = None  # the backup of before, for a SQLite state


class Forgotten(Struct, frozen=True):
    """What was forgotten, or would be: the address, its current run, and what becomes of both, a sentence each."""

    items: tuple[tuple[str, AttemptRecord | None, tuple[str, ...]], ...]
    kept: Path | None = None


def chosen(patterns: Iterable[str], known: Sequence[str], what: str = "recorded") -> list[str]:
    """The addresses that patterns name, each once, in the order of ``known``; all of them where there is no pattern.

    Raises UsageError for a pattern that names none.
    """
    wanted = list(patterns)
    if not wanted:
        return list(known)
    found: set[str] = set()
    for pattern in wanted:
        named = matching(pattern, known)
        if not named:
            shown = ", ".join(known[:20]) + (", …" if len(known) > 20 else "") or "nothing yet"
            raise UsageError(f"{pattern} is not {what}.{nearest(pattern, known)} {what.capitalize()}: {shown}.")
        found.update(named)
    return [address for address in known if address in found]


def move(
    project: Project, source: str, target: str, tell: Tell, dry_run: bool = False, lock_seconds: float = 0.0
) -> Moved:
    """Call ``source`` ``target`` from now on; two names without keys stand for all of their instances. A forgotten
    address is recorded again, under the other name.

    Errors: UsageError where that can't be, StateError; nothing was changed then.
    """
    source, target = spelled(source), spelled(target)
    with _open(project, "state mv", dry_run, lock_seconds, tell) as (store, made):
        snapshot = store.snapshot()
        pairs = _pairs(source, target, snapshot, store)
        forgotten = _forgotten_runs([one for one, _ in pairs if one not in snapshot.instances], store)
        done = Moved(
            tuple((one, other, snapshot.current.get(one) or forgotten.get(one)) for one, other in pairs),
            tuple(_cautions(project, pairs)),
        )
        if made is None:
            return done
        kept = back_up(project, store, Why.BEFORE_MOVE)
        made.moves(pairs, "moved by hand", forgotten)
        return Moved(done.pairs, done.cautions, kept)


def _pairs(source: str, target: str, snapshot: Snapshot, store: Store) -> list[tuple[str, str]]:
    known = sorted(snapshot.instances)
    if source not in known and not any(address.startswith(f"{source}[") for address in known):
        known = _with_runs(source, store) or known  # forgotten: taken back under the other name
    (_, source_key), (target_name, target_key) = _split(source), _split(target)
    named = [source] if source_key is not None else matching(source, known)
    keyed = [address for address in known if address.startswith(f"{source}[")] if source_key is None else []
    if source in known and (target_key is not None or not keyed):
        pairs = [(source, target)]
    elif keyed and target_key is None:
        pairs = [(address, f"run.{target_name}{address[len(source) :]}") for address in sorted({*named, *keyed})]
    elif keyed:
        raise UsageError(f"{source} has {len(keyed):,} instances ({keyed[0]}, …): name the one that is {target}.")
    else:
        raise UsageError(f"{source} is not recorded.{nearest(source, known)}")
    taken = [other for _, other in pairs if other in snapshot.instances or other in snapshot.open]
    if taken:
        raise UsageError(
            f"{taken[0]} is recorded already: {source} can't take its place."
            f" Move it elsewhere first (`reconciler state mv`), or forget it (`reconciler state rm '{taken[0]}'`)."
        )
    return pairs


def _with_runs(source: str, store: Store) -> list[str]:
    """The forgotten addresses of that name that have a run, sorted."""
    named = [address for address in store.addresses() if address == source or address.startswith(f"{source}[")]
    return sorted(_forgotten_runs(named, store))


def _forgotten_runs(addresses: Sequence[str], store: Store) -> dict[str, AttemptRecord]:
    """Of each, the newest attempt whose run is not known to be gone."""
    attempts = store.attempts(addresses) if addresses else []
    return {one.address: one for one in attempts if one.run_id is not None and one.gone_at is None}


def _split(address: str) -> tuple[str, str | None]:
    try:
        return split_address(address)
    except ValueError as problem:
        raise UsageError(f"{problem}.") from None


def _cautions(project: Project, pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    declared = {instance.address for instance in project.desired.instances}
    for source, target in pairs:
        if target not in declared:
            yield f"{target} is not declared: as it stands, the next apply ends it as its lifecycle says."
        if source in declared:
            yield f"{source} is still declared, and has no run from then on: the next plan may buy one."


def forget(
    project: Project, patterns: Sequence[str], tell: Tell, dry_run: bool = False, lock_seconds: float = 0.0
) -> Forgotten:
    """Drop addresses from the recorded side; attempts and runs stay.

    Errors: UsageError for a protected address and for one with a submission whose outcome is not certain; StateError.
    Nothing was changed then.
    """
    with _open(project, "state rm", dry_run, lock_seconds, tell) as (store, made):
        snapshot = store.snapshot()
        addresses = chosen(patterns, sorted(snapshot.instances))
        for address in addresses:
            _refuse_loss(address, snapshot)
        declared = {instance.address: instance for instance in project.desired.instances}
        items = tuple(
            (address, snapshot.current.get(address), tuple(_fate(address, snapshot, declared.get(Address(address)))))
            for address in addresses
        )
        if made is None:
            return Forgotten(items)
        kept = back_up(project, store, Why.BEFORE_REMOVAL)
        made.drop(addresses, "by hand")
        return Forgotten(items, kept)


def _refuse_loss(address: str, snapshot: Snapshot) -> None:
    if Lifecycle.from_json(snapshot.instances[address].lifecycle_json).protect:
        raise UsageError(
            f"{address} is protected (lifecycle.protect), so it is not forgotten. Set protect = false and apply first."
            " Nothing was changed."
        )
    if address in snapshot.open:
        raise UsageError(
            f"{address} has a submission whose outcome is not certain; forgotten, nobody would look after a run that"
            f" may have been bought. Settle it first: `reconciler apply`, or `reconciler resolve '{address}'`."
            " Nothing was changed."
        )


def _fate(address: str, snapshot: Snapshot, declared: Instance | None) -> Iterator[str]:
    current = snapshot.current.get(address)
    if current is None or current.run_id is None:
        yield "It has no run."
    elif is_final(current.status) or current.gone_at is not None:
        yield f"Its run {current.run_id} ({current.status}) stays as it is."
    else:
        yield (
            f"Its run {current.run_id} ({current.status or 'not looked at yet'}) goes on and is paid for, and nobody"
            " follows it any more."
        )
    if any(owed.address == address for owed in snapshot.owed):
        yield "A run that was replaced is still to be cancelled; that stays so."
    if declared is None:
        return
    where = f"It is still declared ({declared.source.file}:{declared.source.line})"
    if current is None:
        yield f"{where}: the next apply deals with it as if it had never been recorded."
        return
    comparison = compare(declared.request, current)
    if satisfies(comparison, current, declared.lifecycle) or works_on(comparison, current):
        yield f"{where}: the next apply finds this run again and buys nothing."
    elif comparison.exact:
        yield f"{where}: the next plan says what becomes of it; this run does not satisfy it."
    else:
        yield f"{where}, and asks for something else than this run: the next plan may buy it, whatever on_change says."


@contextmanager
def _open(
    project: Project, command: str, dry_run: bool, lock_seconds: float, tell: Tell
) -> Iterator[tuple[Store, Recorder | None]]:
    """The state: for a dry run to read, else under its lock and with who writes into it."""
    try:
        store = project.open_state(read_only=dry_run)
    except StateMissing as missing:
        raise UsageError(f"{missing} Nothing is recorded.") from None
    try:
        if dry_run:
            yield store, None
            return
        made = recorder(project, store, command)
        with store.lock(command, lock_seconds):
            for line in rescue(project, store.meta().lineage).take_in(
                store, lambda attempt, run: made.adopt(attempt, run, confirmed=True)
            ):
                tell(line)
            yield store, made
            warning = remember(store)
            if warning:
                tell(warning)
    finally:
        store.close()
