"""Runs into folders: what is there already, what has to be fetched, and the fetching of it by several threads.

A run that lists its files is fetched file by file: each has an id, a name and a size that never change, so each can be
resumed, checked and fetched again alone. The archive of the whole run changes when the run is evaluated, so it can be
checked only by what is in it, and one broken file costs all of it. It is the way where a run lists no files; and where
it lists very many, for which two requests each would take longer than the files: what is listed is taken out of it,
and if that is not all in it, the files are fetched one by one after all.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from reconciler.clock import now
from reconciler.dataframer.client import Client
from reconciler.downloading import provenance
from reconciler.downloading.crew import Crew
from reconciler.downloading.fetch import Means, Stopped, Wanted, fetch, sha256_of
from reconciler.downloading.listing import Listed, as_listed, listed
from reconciler.downloading.names import UnsafeName, short_digest
from reconciler.downloading.packing import packed
from reconciler.downloading.provenance import FileRecord, Origin
from reconciler.downloading.shelf import FILES, Found, Shelf
from reconciler.downloading.unpack import BadArchive, check_room, room, unpack
from reconciler.model.downloads import DownloadEvent, Failed, Fetched, Fetching, Gained, Kept, Noted
from reconciler.model.errors import DownloadError, ReconcilerError, ServiceError, ServiceRefused
from reconciler.model.run import Run, RunStatus

Tell = Callable[[DownloadEvent], None]
MANY_FILES: Final = 500
_UNPACKED: Final = "unpacked"
_FOR_ALL: Final = (401, 402, 403)  # answers that every other call would get as well


class Needed(Struct, frozen=True):
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
        if item.found.changed:
            what = f"{_some(item.found.changed)} not as downloaded: fetched again, and what is there kept in changed/"
            tell(Noted(item.address, what))
        if item.found.missing:
            tell(Noted(item.address, f"{_some(item.found.missing)} missing: fetched again"))
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


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3:,} more" if len(paths) > 3 else ""
    return f"{', '.join(paths[:3])}{more}"


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


class _RunJob(Struct):
    """One run, fetched by jobs of a crew; the last of them finishes it."""

    item: Needed
    client: Client
    shelf: Shelf
    crew: Crew
    patience: float
    tell: Tell
    _run: Run | None = None
    _files: list[FileRecord] = field(default_factory=list)
    _source: str = "files"
    _waiting: int = 0
    _failed: bool = False
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Ask for the run, and add a job for each file, or for its archive."""
        with_failures(self.item, self.tell, self._begin)

    def _begin(self) -> None:
        run = self._run = self._succeeded()
        every = listed(run)
        staged = self.shelf.staging(self.item.address, self.item.run_id)
        if not every:
            self._add(partial(self._archive, staged))
            return
        wanted = [one for one in every if self._is_wanted(one.path)]
        gone = self._damaged() - {one.path for one in wanted}
        if gone:
            raise DownloadError(f"the run does not list {', '.join(sorted(gone)[:3])} any more")
        known = [one.size for one in wanted if one.size is not None]
        check_room(staged, sum(known))
        if len(wanted) > MANY_FILES and not any(_is_staged(staged, one) for one in wanted):
            self._add(partial(self._out_of_archive, staged, wanted))
        else:
            self._each(staged, wanted)

    def _each(self, staged: Path, wanted: Sequence[Listed]) -> None:
        known = [one.size for one in wanted if one.size is not None]
        self.tell(Fetching(self.item.address, len(wanted), sum(known) if len(known) == len(wanted) else None))
        self._add(*(partial(self._file, staged, one) for one in wanted))

    def _succeeded(self) -> Run:
        run = self.client.get_run(self.item.run_id)
        if run is None:
            raise DownloadError(f"run {self.item.run_id} is gone from the service, and its files with it")
        if run.status is not RunStatus.SUCCEEDED:
            later = "" if run.status.final else "; its files are there once it has SUCCEEDED"
            raise DownloadError(f"run {run.id} is {run.status}{later}")
        return run

    def _damaged(self) -> set[str]:
        return {*self.item.found.changed, *self.item.found.missing}

    def _is_wanted(self, path: str) -> bool:
        return self.item.found.provenance is None or path in self._damaged()

    def _add(self, *steps: Callable[[], None]) -> None:
        with self._guard:
            self._waiting += len(steps)
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

    def _file(self, staged: Path, one: Listed) -> None:
        place = staged / FILES / one.path
        if _is_staged(staged, one):
            self.tell(Gained(self.item.address, place.stat().st_size))
        else:
            part = staged / "parts" / f"{short_digest(one.path)}.part"
            ask = partial(self.client.file_link, self.item.run_id, one.file_id)
            fetch(Wanted(one.name, ask, one.size, room(staged)), part, self._means())
            place.parent.mkdir(parents=True, exist_ok=True)
            part.replace(place)
        record = FileRecord(one.path, sha256_of(place), place.stat().st_size, one.name, one.file_id, one.file_type)
        with self._guard:
            self._files.append(record)

    def _archive(self, staged: Path) -> None:
        self._source = "archive"
        self._files = [one for one in self._unpacked(staged) if self._is_wanted(one.path)]
        _take(staged)

    def _out_of_archive(self, staged: Path, wanted: Sequence[Listed]) -> None:
        """The files that are wanted, all of them out of the archive, or each by itself."""
        try:
            there = {one.path: one for one in self._unpacked(staged)}
        except (DownloadError, ServiceError) as problem:
            if isinstance(problem, ServiceRefused) and problem.status in _FOR_ALL:
                raise
            why = str(problem)
        else:
            found = [as_listed(one, there.get(one.path)) for one in wanted]
            self._files = [one for one in found if one is not None]
            if len(self._files) == len(wanted):
                self._source = "archive"
                _take(staged)
                return
            why = "its archive does not hold what the run lists"
        self.tell(Noted(self.item.address, f"{why}; its files are fetched one by one"))
        self._files = []
        self._each(self.shelf.staging(self.item.address, self.item.run_id), wanted)

    def _unpacked(self, staged: Path) -> list[FileRecord]:
        """Every file of the archive, in a folder beside that of the staged files."""
        part = staged / "parts" / "archive.zip"
        self.tell(Fetching(self.item.address, 0, None))
        whole = packed(self.client, self.item.run_id, self.patience, self.crew.pause)
        check_room(staged, whole.size or 0)
        self.tell(Fetching(self.item.address, 0, whole.size))
        ask = partial(whole.again, self.client)
        fetch(Wanted("the archive", ask, whole.size, room(staged)), part, self._means())
        shutil.rmtree(staged / _UNPACKED, ignore_errors=True)
        (staged / _UNPACKED).mkdir()
        try:
            return unpack(part, staged / _UNPACKED, self._look_up)
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
            raise DownloadError(f"the archive does not hold {', '.join(sorted(gone)[:3])} any more")
        if there is None:
            told: dict[str, Any] = provenance.provenance(self.item.origin, self._run, files, self._source, at)
            self.shelf.finish(self.item.address, self.item.run_id, told)
        else:
            fresh = {one.path: one for one in files}
            told = provenance.with_files(there.told, (fresh.get(one.path, one) for one in there.files), at)
            self.shelf.repair(self.item.address, self.item.run_id, told, self.item.found, sorted(fresh))
        folder = str(self.shelf.root / self.item.found.folder)
        self.tell(Fetched(self.item.address, folder, len(files), sum(one.size_bytes for one in files)))


def _is_staged(staged: Path, one: Listed) -> bool:
    """Whether a file has come already: it gets this name only when it is whole and on the disk."""
    place = staged / FILES / one.path
    return place.is_file() and not place.is_symlink() and one.size in (None, place.stat().st_size)


def _take(staged: Path) -> None:
    """Make what was unpacked the staged files."""
    shutil.rmtree(staged / FILES)
    (staged / _UNPACKED).rename(staged / FILES)
