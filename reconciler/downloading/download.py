"""Runs into folders: what is there already, what has to be fetched, and the fetching of it by several threads.

A run that lists its files is fetched file by file: each has an id, a name and a size that never change, so each can be
resumed, checked and fetched again alone. The archive of the whole run is the way where it lists none: its bytes
change when the run is evaluated, so it can be checked only by what is in it, and one broken file costs all of it.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from reconciler.clock import now
from reconciler.dataframer.client import Client
from reconciler.dataframer.parse import usable_id
from reconciler.downloading import provenance
from reconciler.downloading.crew import Crew
from reconciler.downloading.fetch import Means, Stopped, Wanted, fetch, sha256_of
from reconciler.downloading.names import UnsafeName, placed, short_digest
from reconciler.downloading.packing import packed
from reconciler.downloading.provenance import FileRecord, Origin
from reconciler.downloading.shelf import FILES, Found, Shelf
from reconciler.downloading.unpack import BadArchive, check_room, unpack
from reconciler.model.downloads import DownloadEvent, Failed, Fetched, Fetching, Gained, Kept, Noted
from reconciler.model.errors import ReconcilerError, ServiceRefused, ServiceUnreachable
from reconciler.model.run import Run, RunStatus

Tell = Callable[[DownloadEvent], None]
_LARGEST_FILE: Final = 64 * 2**30  # bytes, where the service does not say how many there are
_FOR_ALL: Final = (401, 402, 403)  # answers that every other call would get as well


@dataclass(frozen=True, slots=True)
class Needed:
    """A run of which something is missing."""

    origin: Origin
    found: Found

    @property
    def address(self) -> str:
        """The address that the run was bought for."""
        return self.origin.attempt.address

    @property
    def run_id(self) -> str:
        """The run."""
        return self.origin.attempt.run_id or ""


def inspect(origins: Iterable[Origin], shelf: Shelf, threads: int, tell: Tell) -> list[Needed]:
    """Look what is there, without a word to the service; what is whole is told as Kept, the rest returned in order."""
    crew = Crew(threads)
    needed: dict[int, Needed] = {}

    def look(number: int, origin: Origin) -> None:
        item = Needed(origin, Found(""))
        with_failures(item, tell, lambda: consider(number, Needed(origin, shelf.look(item.address, item.run_id))))

    def consider(number: int, item: Needed) -> None:
        there = item.found.provenance
        if there is not None and item.found.whole:
            tell(Kept(item.address, str(shelf.root / item.found.folder), len(there.files), there.size))
            return
        for path in item.found.changed:
            tell(Noted(item.address, f"{path} is not as it was downloaded; it is fetched again, and kept in changed/"))
        for path in item.found.missing:
            tell(Noted(item.address, f"{path} is missing; it is fetched again"))
        needed[number] = item

    for number, origin in enumerate(origins):
        crew.add(partial(look, number, origin))
    crew.work()
    return [needed[number] for number in sorted(needed)]


def download(needed: Iterable[Needed], client: Client, shelf: Shelf, threads: int, patience: float, tell: Tell) -> None:
    """Fetch what is needed. ``patience``: seconds to wait for an archive to be packed. A run that fails is told as
    Failed, and the others go on. Raises ServiceRefused where no other run would fare better.
    """
    crew = Crew(threads)
    for item in needed:
        job = _RunJob(item, client, shelf, crew, patience, tell)
        crew.add(job.begin)
    crew.work()


def with_failures(item: Needed, tell: Tell, step: Callable[[], None]) -> bool:
    """Carry out a step; whether it went well. What goes wrong with one run is told, and stops no other."""
    try:
        step()
    except ServiceRefused as problem:
        if problem.status in _FOR_ALL:
            raise
        tell(Failed(item.address, f"the service: {problem}"))
    except ReconcilerError as problem:
        tell(Failed(item.address, str(problem)))
    except UnsafeName as problem:
        tell(Failed(item.address, f"refused, nothing of it is written: {problem}"))
    except OSError as problem:
        tell(Failed(item.address, f"{problem.filename or 'the disk'}: {problem.strerror or problem}"))
    else:
        return True
    return False


@dataclass(frozen=True, slots=True)
class _Listed:
    """A file that the run lists, and where it goes."""

    file_id: str
    name: str
    path: str
    size: int | None
    file_type: str | None


@dataclass(slots=True)
class _RunJob:
    """One run, fetched by jobs of a crew; the last of them finishes it."""

    item: Needed
    client: Client
    shelf: Shelf
    crew: Crew
    patience: float
    tell: Tell
    _run: Run | None = None
    _files: list[FileRecord] = field(default_factory=list)
    _waiting: int = 0
    _failed: bool = False
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Ask for the run, and add a job for each file, or for its archive."""
        with_failures(self.item, self.tell, self._begin)

    def _begin(self) -> None:
        run = self._run = self._succeeded()
        listed = _listed(run)
        staged = self.shelf.staging(self.item.address, self.item.run_id)
        if not listed:
            self._add(partial(self._archive, staged))
            return
        wanted = [one for one in listed if self._is_wanted(one.path)]
        gone = self._damaged() - {one.path for one in wanted}
        if gone:
            raise ServiceUnreachable(f"the run does not list {', '.join(sorted(gone)[:3])} any more")
        known = [one.size for one in wanted if one.size is not None]
        check_room(staged, sum(known))
        self.tell(Fetching(self.item.address, len(wanted), sum(known) if len(known) == len(wanted) else None))
        self._add(*(partial(self._file, staged, one) for one in wanted))

    def _succeeded(self) -> Run:
        run = self.client.get_run(self.item.run_id)
        if run is None:
            raise ServiceUnreachable(f"run {self.item.run_id} is gone from the service, and its files with it")
        if run.status is not RunStatus.SUCCEEDED:
            later = "" if run.status.final else "; its files are there once it has SUCCEEDED"
            raise ServiceUnreachable(f"run {run.id} is {run.status}{later}")
        return run

    def _damaged(self) -> set[str]:
        return {*self.item.found.changed, *self.item.found.missing}

    def _is_wanted(self, path: str) -> bool:
        return self.item.found.provenance is None or path in self._damaged()

    def _add(self, *steps: Callable[[], None]) -> None:
        self._waiting = len(steps)
        for step in steps:
            self.crew.add(partial(self._step, step), urgent=True)

    def _step(self, step: Callable[[], None]) -> None:
        if not self._failed and not with_failures(self.item, self._tell_once, step):
            self._failed = True
        with self._guard:
            self._waiting -= 1
            last = self._waiting == 0
        if last and not self._failed:
            with_failures(self.item, self.tell, self._finish)

    def _tell_once(self, event: DownloadEvent) -> None:
        """Several files of a run may fail at once: the first one says it."""
        with self._guard:
            first, self._failed = not self._failed, True
        if first:
            self.tell(event)

    def _means(self) -> Means:
        address = self.item.address
        return Means(
            self.client.storage, self.crew.pause, self.crew.stopped, lambda size: self.tell(Gained(address, size))
        )

    def _file(self, staged: Path, one: _Listed) -> None:
        place = staged / FILES / one.path
        if place.is_file() and not place.is_symlink() and one.size in (None, place.stat().st_size):
            self.tell(Gained(self.item.address, place.stat().st_size))
        else:
            part = staged / "parts" / f"{short_digest(one.file_id)}.part"
            ask = partial(self.client.file_link, self.item.run_id, one.file_id)
            fetch(Wanted(one.name, ask, one.size, _LARGEST_FILE), part, self._means())
            place.parent.mkdir(parents=True, exist_ok=True)
            part.replace(place)
        record = FileRecord(one.path, sha256_of(place), place.stat().st_size, one.name, one.file_id, one.file_type)
        with self._guard:
            self._files.append(record)

    def _archive(self, staged: Path) -> None:
        part = staged / "parts" / "archive.zip"
        self.tell(Fetching(self.item.address, 0, None))
        whole = packed(self.client, self.item.run_id, self.patience, self.crew.pause)
        check_room(staged, whole.size or 0)
        self.tell(Fetching(self.item.address, 0, whole.size))
        ask = partial(whole.again, self.client)
        fetch(Wanted("the archive", ask, whole.size, _LARGEST_FILE), part, self._means())
        shutil.rmtree(staged / FILES)
        (staged / FILES).mkdir()
        try:
            self._files = [one for one in unpack(part, staged / FILES, self._look_up) if self._is_wanted(one.path)]
        except BadArchive:
            shutil.rmtree(staged)  # the next download begins anew
            raise

    def _look_up(self) -> None:
        if self.crew.stopped():
            raise Stopped

    def _finish(self) -> None:
        assert self._run is not None
        there, at = self.item.found.provenance, now()
        files = sorted(self._files, key=lambda one: one.path)
        gone = self._damaged() - {one.path for one in files}
        if gone:
            raise ServiceUnreachable(f"the archive does not hold {', '.join(sorted(gone)[:3])} any more")
        if there is None:
            source = "files" if all(one.file_id for one in files) else "archive"
            told: dict[str, Any] = provenance.provenance(self.item.origin, self._run, files, source, at)
            self.shelf.finish(self.item.address, self.item.run_id, told)
        else:
            fresh = {one.path: one for one in files}
            told = provenance.with_files(there.told, (fresh.get(one.path, one) for one in there.files), at)
            self.shelf.repair(self.item.address, self.item.run_id, told, self.item.found, sorted(fresh))
        folder = str(self.shelf.root / self.item.found.folder)
        self.tell(Fetched(self.item.address, folder, len(files), sum(one.size_bytes for one in files)))


def _listed(run: Run) -> Sequence[_Listed]:
    """The files that a run lists, each with its place; none where one of them can't be asked for. Raises UnsafeName."""
    found = []
    for one in run.generated_files or ():
        file_id, name, size = one.get("id"), one.get("path"), one.get("size_bytes")
        if not usable_id(file_id) or not isinstance(name, str):
            return ()
        kind = one.get("file_type")
        whole = isinstance(size, int) and not isinstance(size, bool) and size >= 0
        found.append((name, file_id, size if whole else None, kind if isinstance(kind, str) else None))
    found.sort(key=lambda item: item[:2])  # the order of the list may differ from call to call, the places may not
    paths = placed(name for name, *_ in found)
    return [_Listed(i, name, path, size, kind) for (name, i, size, kind), path in zip(found, paths, strict=True)]
