"""The whole state out of a project, and into another place, another machine, another kind of store.

Stores are known by their protocol alone. What comes in is first laid into a store of its own, beside the real one: by
then it is known to be whole and sound, and the lock need not be held while a pipe is read.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from reconciler.clock import now
from reconciler.project import Project
from reconciler.rescuing import rescue
from reconciler.safekeeping import back_up, highest_serial, remember
from state import consents, exchange, transfer
from state.errors import StateBehind, StateLineageDiffers, StateMissing
from state.records import UNTRACKED, AttemptRecord, InstanceRecord, MarkRecord, Meta, Row
from state.sqlite.backups import Why
from state.sqlite.store import open_sqlite
from state.store import Store
from state.writes import Put

_COMMAND = "state push"


class Pulled(Struct, frozen=True):
    """What was written: lineage and serial, rows by table, and what people should know of it, a line each."""

    meta: Meta
    counts: Counter[str]
    cautions: tuple[str, ...]


def pull(project: Project, out: Callable[[str], object]) -> Pulled:
    """Hand the text of the whole state to ``out``, piece by piece; takes no lock and writes nothing.

    Raises StateError, and what ``out`` raises.
    """
    with closing(project.open_state(read_only=True)) as store:
        with store.export() as (meta, rows):
            counts = transfer.write(meta, rows, out)
        return Pulled(meta, counts, tuple(_cautions(project, store, meta)))


def _cautions(project: Project, store: Store, meta: Meta) -> Iterator[str]:
    holder = store.holder()
    if holder is not None:
        yield f"{holder} is at work on this state; what it records from now on is not in the text."
    waiting = len(rescue(project, meta.lineage).waiting(meta.lineage))
    if waiting:
        yield (
            f"{waiting:,} bought run(s) wait in a rescue file, and are not in the text: run `reconciler refresh`, then"
            " pull again."
        )


class Pushed(Struct, frozen=True):
    """What a push did, or would do."""

    incoming: Meta
    counts: Counter[str]  # rows by table
    present: Meta | None  # of the state that was there
    serial: int  # of the state afterwards
    same: bool = False  # it was there already: nothing was done
    kept: Path | None = None  # the backup of what was there, for a SQLite state
    warning: str | None = None


def push(project: Project, stream: BinaryIO, name: str, dry_run: bool = False, lock_seconds: float = 0.0) -> Pushed:
    """Put a pulled state in the place of the project's, under its lock; makes the state if there is none.

    ``name``: of the stream, for people. Afterwards the next plan looks for runs that the state does not know.
    Errors: StateDocumentInvalid, StateNewer, StateBoundElsewhere, StateLineageDiffers, StateBehind, StateConflict,
    StateLocked and other StateErrors; nothing was changed then.
    """
    with tempfile.TemporaryDirectory(prefix="reconciler-") as folder, ExitStack() as stack:
        meta, rows = transfer.read(stream, name)
        exchange.refuse_elsewhere(project.settings.base_url, meta)
        counts: Counter[str] = Counter()
        incoming = stack.enter_context(_beside(Path(folder) / "incoming.db", meta))
        incoming.replace(meta, _counted(rows, counts))
        known = highest_serial(meta.lineage)
        told = Pushed(meta, counts, None, meta.serial if known <= meta.serial else known + 1)
        existed, store = _open(project, dry_run)
        if store is None:
            return told
        stack.callback(store.close)
        if dry_run:
            return _judged(store, incoming, told, Path(folder))
        with store.lock(_COMMAND, lock_seconds):
            told = _judged(store, incoming, told, Path(folder))
            if told.same:
                return told
            kept = back_up(project, store, Why.BEFORE_PUSH) if existed else None
            incoming.commit([Put(MarkRecord(UNTRACKED, "due", now())), *consents.newer(store, incoming)])
            with incoming.export() as (_, rows):
                store.replace(replace(meta, serial=told.serial), rows)
            warning = remember(store)
        return replace(told, present=told.present if existed else None, kept=kept, warning=warning)


def _open(project: Project, dry_run: bool) -> tuple[bool, Store | None]:
    """Whether there was a state, and it; one is made unless it is a dry run."""
    try:
        return True, project.open_state(read_only=dry_run)
    except StateMissing:
        return False, None if dry_run else project.open_state(create=True)


def _judged(store: Store, incoming: Store, told: Pushed, folder: Path) -> Pushed:
    """What a push would do to the state that is there. Raises what speaks against it."""
    ours, theirs = store.meta(), told.incoming
    told = replace(told, present=ours)
    if ours.lineage != theirs.lineage:
        if not _is_empty(store):
            raise StateLineageDiffers(
                f"This is another state (lineage {theirs.lineage}) than the present one ({ours.lineage}), which records"
                " runs; nothing was changed.",
                "Name a state that is empty or does not exist yet (--state, [state] url), or move the present one"
                " away.",
            )
        return told
    if theirs.serial < ours.serial:
        raise StateBehind(
            f"This is an older state (serial {theirs.serial}) than the present one (serial {ours.serial}); nothing was"
            " changed.",
            "Pull it again where it came from, if that was worked with since. To go back to an older state, restore a"
            " backup of it: `reconciler state restore --list`.",
        )
    if theirs.serial == ours.serial:
        if _fingerprint(store) == _fingerprint(incoming):
            return replace(told, serial=ours.serial, same=True)
        raise StateBehind(
            f"Both states have serial {ours.serial}, but not the same content: one of them was worked with since they"
            " were one; nothing was changed.",
            "If only statuses differ, `reconciler refresh` brings those of the present one up to date. Else work with"
            " the other one until its serial is higher, or push it to an empty place.",
        )
    _rehearse(store, incoming, folder)
    return told


def _rehearse(store: Store, incoming: Store, folder: Path) -> None:
    """Do it to a copy: what is refused is refused before a backup is made, and a dry run finds the same."""
    with store.export() as (meta, rows), _beside(folder / "present.db", meta) as copy:
        copy.replace(meta, rows)
        with incoming.export() as (theirs, others):
            copy.replace(theirs, others)


def _is_empty(store: Store) -> bool:
    with store.export() as (_, rows):
        return not any(isinstance(row, AttemptRecord | InstanceRecord) for row in rows)


def _fingerprint(store: Store) -> int:
    """Without the mark that a push sets itself."""
    with store.export() as (_, rows):
        return transfer.fingerprint(row for row in rows if not (isinstance(row, MarkRecord) and row.name == UNTRACKED))


@contextmanager
def _beside(path: Path, meta: Meta) -> Iterator[Store]:
    """A store of its own for the content of another one."""
    with closing(open_sqlite(path, base_url=meta.base_url, create=True)) as store:
        yield store


def _counted(rows: Iterable[Row], counts: Counter[str]) -> Iterator[Row]:
    for row in rows:
        counts[row.table] += 1
        yield row
