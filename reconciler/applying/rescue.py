"""Run ids that the state could not take: kept in a file of their own until it can.

A run was bought, and its id must survive a full disk or a state that can't be written. It is appended to the first
``rescue.jsonl`` that takes it, synced; where none does, the line goes to standard error. Whoever records next takes
the lines in, each once.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from reconciler.model.run import Run, RunStatus
from state.records import AttemptRecord
from state.store import Store

FILE = "rescue.jsonl"


class Rescued(Struct, frozen=True):
    """A run that was bought, and the attempt that it belongs to."""

    lineage: str
    attempt_id: str
    address: str
    run_id: str
    at: str  # ISO 8601


class Rescue:
    """The rescue files of one state; ``folders`` in the order in which they are tried."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._files = [folder / FILE for folder in folders]

    def save(self, item: Rescued) -> str:
        """Keep a run id, durably; returns where it is kept, for people."""
        line = json.dumps(asdict(item))
        for file in self._files:
            with suppress(OSError):
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _append(file, line + "\n")
                return f"kept in {file}, and taken in by the next command that records"
        sys.stderr.write(f"\nreconciler could not record this run anywhere. Keep this line:\n{line}\n")
        sys.stderr.flush()
        return f"kept nowhere but here: {line}"

    def waiting(self, lineage: str) -> list[Rescued]:
        """What waits to be taken in; reads only."""
        return [item for file in self._files for item in _read(file) if item.lineage == lineage]

    def take_in(self, store: Store, adopt: Callable[[AttemptRecord, Run], None]) -> list[str]:
        """Record what waits, under the state's lock; returns a line for each. A file is removed once nothing in it
        waits any more. A run that belongs to another attempt by now is told, and stays in its file.
        """
        lineage, told = store.meta().lineage, []
        for file in self._files:
            with _exclusive(file) as found:
                if found is None:
                    continue
                left = False
                for item in _read(file):
                    if item.lineage != lineage:
                        left = True
                        continue
                    said, done = _take(item, store, adopt)
                    told += [said] if said else []
                    left = left or not done
                if not left and not _unreadable(file):
                    file.unlink()
        return told


def _take(item: Rescued, store: Store, adopt: Callable[[AttemptRecord, Run], None]) -> tuple[str, bool]:
    """Record one line; what to tell, and whether it is recorded."""
    attempt = _attempt(item, store)
    owner = next(iter(store.attempts_of_runs([item.run_id])), None)
    ours = attempt.address if attempt else item.address
    if owner is not None and owner.address == ours and not owner.provisional:
        return "", True  # by this attempt, or, where a state that was set back has lost that one, by an import
    taken = owner is not None and owner.attempt_id != item.attempt_id
    if attempt is None or taken or (attempt.run_id is not None and not attempt.provisional):
        whose = f"it is recorded for {owner.address}" if owner else "its attempt has another run, or none is recorded"
        return f"Run {item.run_id} was bought for {item.address}, and can't be taken in: {whose}.", False
    adopt(attempt, Run(item.run_id, RunStatus.PENDING, ""))
    return f"{attempt.address}: run {item.run_id} was rescued, and is recorded now", True


def _attempt(item: Rescued, store: Store) -> AttemptRecord | None:
    """The attempt of a line, also where its address is another one by now."""
    for addresses in ([item.address], None):
        found = next((a for a in store.attempts(addresses) if a.attempt_id == item.attempt_id), None)
        if found is not None or not store.journal(item.attempt_id):
            return found
    return None


def _append(file: Path, line: str) -> None:
    while True:
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not _is(file, handle):  # taken in and removed meanwhile
                continue
            size = os.fstat(handle).st_size
            try:
                data = line.encode()
                if os.write(handle, data) != len(data):
                    raise OSError("written in part")
                os.fsync(handle)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(handle, size)
                raise
            folder = os.open(file.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            return
        finally:
            os.close(handle)


@contextmanager
def _exclusive(file: Path) -> Iterator[int | None]:
    """Nobody appends meanwhile; None where there is no file."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle if _is(file, handle) else None
    finally:
        os.close(handle)


def _is(file: Path, handle: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(handle))
    except OSError:
        return False


def _read(file: Path) -> list[Rescued]:
    return [item for item in map(_parse, _lines(file)) if item is not None]


def _unreadable(file: Path) -> bool:
    """Whether it has lines that are none of ours: they are left to people."""
    return any(_parse(line) is None for line in _lines(file))


def _lines(file: Path) -> list[str]:
    try:
        return [line for line in file.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    except OSError:
        return []


def _parse(line: str) -> Rescued | None:
    try:
        item = Rescued(**json.loads(line))
    except (ValueError, TypeError):
        return None
    return item if all(isinstance(value, str) for value in asdict(item).values()) else None
