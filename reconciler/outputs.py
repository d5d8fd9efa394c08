"""Files of recorded runs: which are meant, where they go, and the fetching of them. Takes no lock of the state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from reconciler.downloading.download import Needed, Tell, download, inspect
from reconciler.downloading.names import folder_name
from reconciler.downloading.provenance import Origin
from reconciler.downloading.shelf import shelf
from reconciler.model.address import matching, nearest, spelled
from reconciler.model.downloads import Failed, Noted
from reconciler.model.errors import UsageError
from reconciler.model.run import RunStatus, is_final
from reconciler.project import Project
from state.records import AttemptRecord, Snapshot

FOLDER: Final = "outputs"


class How(Struct, frozen=True):
    """Where to (None: ``outputs`` in the project), how many transfers at once, and how many seconds to wait for an
    archive to be packed.
    """

    out: Path | None = None
    parallelism: int = 4
    patience: float = 600.0


class Chosen(Struct, frozen=True):
    """The runs that are meant, by address; ``named``: those that were named one by one. ``skipped``: what was said of
    the others.
    """

    attempts: tuple[AttemptRecord, ...]
    named: frozenset[str]
    skipped: tuple[Noted | Failed, ...]


def download_outputs(project: Project, patterns: Sequence[str], how: How, tell: Tell) -> None:
    """Bring the files of runs that SUCCEEDED; asks the service for nothing where all of them are there.

    Errors: UsageError, StateError, SecretError, ServiceRefused where nothing more would be answered. What goes wrong
    with one run is told as Failed.
    """
    store = project.open_state_if_any()
    if store is None:
        if patterns:
            raise UsageError(f"{patterns[0]} is not recorded: there is no state yet. `reconciler apply` creates it.")
        return
    try:
        snapshot = store.snapshot()
        chosen = choose(snapshot, patterns)
        applies = store.applies({one.apply_id for one in chosen.attempts if one.apply_id})
    finally:
        store.close()
    for event in chosen.skipped:
        tell(event)
    meta = snapshot.meta
    origins = [
        Origin(one, applies.get(one.apply_id or ""), meta.base_url, meta.lineage)
        for one in chosen.attempts
        if one.run_id is not None
    ]
    _refuse_shared_folders(origins)
    if not origins:
        return
    with shelf(how.out or project.root / FOLDER) as target:
        needed = _present(inspect(origins, target, how.parallelism, tell), chosen.named, tell)
        if not needed:
            return
        client = project.connect()
        try:
            download(needed, client, target, how.parallelism, how.patience, tell)
        finally:
            client.close()


def choose(snapshot: Snapshot, patterns: Sequence[str]) -> Chosen:
    """The current runs that patterns name; for none of them every run that SUCCEEDED. One that was named by its whole
    address and is not over as recorded is asked for, one that ended otherwise has failed. Raises UsageError.
    """
    known = sorted(snapshot.instances)
    named = {spelled(pattern) for pattern in patterns} & set(known)
    wanted: dict[str, None] = {} if patterns else dict.fromkeys(known)
    for pattern in patterns:
        found = matching(pattern, known)
        if not found:
            raise UsageError(f"{pattern} names no recorded run.{nearest(pattern, known)} See `reconciler output`.")
        wanted |= dict.fromkeys(found)
    attempts, skipped, others = [], [], []
    for address in wanted:
        attempt = snapshot.current.get(address)
        status = attempt.status if attempt is not None else None
        if attempt is not None and (status == RunStatus.SUCCEEDED or (address in named and not is_final(status))):
            attempts.append(attempt)
        elif address in named:
            why = f"its run is {status}, so it has no files" if attempt else "it has no run yet"
            skipped.append(Failed(address, why))
        else:
            others.append(Noted(address, f"skipped: {'its run is ' + (status or 'new') if attempt else 'no run yet'}"))
    return Chosen(tuple(attempts), frozenset(named), (*others, *skipped))


def _present(needed: list[Needed], named: frozenset[str], tell: Tell) -> list[Needed]:
    """Without the runs that are gone from the service, unless they were named."""
    for item in needed:
        if item.origin.attempt.gone_at is not None and item.address not in named:
            tell(Noted(item.address, f"skipped: run {item.run_id} is gone from the service"))
    return [item for item in needed if item.origin.attempt.gone_at is None or item.address in named]


def _refuse_shared_folders(origins: Sequence[Origin]) -> None:
    """Folder names hold a part of a hash: that two are alike is all but impossible, and would mix two runs."""
    folders: dict[str, str] = {}
    for origin in origins:
        address = origin.attempt.address
        other = folders.setdefault(folder_name(address), address)
        if other != address:
            raise UsageError(f"{other} and {address} would share a folder. Download one of them with another --out.")
