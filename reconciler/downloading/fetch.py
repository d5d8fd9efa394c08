"""One file behind a signed link, into a file of ours: resumed after a break, never half taken for whole.

What has arrived stays in the part file. It is continued only where the server proves that it still has the same bytes
(``If-Range`` with a strong ETag or a date): without such a mark the file is begun anew. And only from where it was
known to be on the disk, so that a power cut leaves no hole in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from reconciler.dataframer.outcomes import retry_after
from reconciler.dataframer.storage import Link, LinkBroken, LinkRefused, Storage, Stored
from reconciler.model.errors import DownloadError

_SYNCED_EACH: Final = 4 * 2**20  # bytes: what a kill may cost
_WORTH: Final = 64 * 2**10  # bytes: a try that gets not so much farther counts as fruitless
_FRUITLESS_TRIES: Final = 6
_EXPIRED: Final = frozenset({400, 401, 403, 404, 410})  # storages differ in how they say that a link is over
_NEW_LINKS: Final = 2
_STALLED_SECONDS: Final = 60.0
_STALLED_BYTES: Final = 1024  # fewer in that time: the connection is given up, and a new one made
_LONGEST_PAUSE: Final = 8.0
_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


class Stopped(Exception):
    """Somebody asked to stop. What has arrived stays for the next time."""


class Wanted(Struct, frozen=True):
    """What to fetch: how to get a link to it, its size if that is known, and how many bytes it may have at most."""

    name: str  # for people
    link: Callable[[], Link]
    size: int | None
    most: int


class Means(Struct, frozen=True):
    """What fetching needs. ``stopped`` is asked all the time; ``gained`` is told of bytes, negative ones when a file is
    begun anew; ``sleep`` takes seconds.
    """

    storage: Storage
    sleep: Callable[[float], object]
    stopped: Callable[[], bool]
    gained: Callable[[int], None]
    clock: Callable[[], float] = time.monotonic


class _Expired(Exception):
    pass


class _Later(Exception):
    def __init__(self, why: str, wait: float | None = None) -> None:
        self.wait = wait
        super().__init__(why)


def fetch(wanted: Wanted, part: Path, means: Means) -> int:
    """Make ``part`` the whole file, durably; returns its size.

    Raises DownloadError when the service or its storage does not give it, Stopped, OSError; the part stays.
    """
    link: Link | None = None
    fruitless = expired = told = farthest = 0
    while True:
        if means.stopped():
            raise Stopped
        begun = _Part(part, means.gained)
        if begun.size != told:  # what an earlier download has left, or what can't be continued
            means.gained(begun.size - told)
        try:
            if wanted.size is not None and begun.size == wanted.size:
                begun.sync()
                return begun.size
            link = link or wanted.link()
            _once(wanted, link, begun, means)
            return begun.size
        except _Expired:
            link, expired = None, expired + 1
            if expired > _NEW_LINKS:
                raise DownloadError(f"{wanted.name}: new links to it are refused, too; try again later") from None
        except LinkRefused as problem:
            raise DownloadError(f"{wanted.name}: {problem}") from None
        except (LinkBroken, _Later) as problem:
            fruitless += 1
            if begun.size >= farthest + _WORTH:  # what was begun anew has to get farther than before
                fruitless, expired, farthest = 0, 0, begun.size
            if fruitless >= _FRUITLESS_TRIES:
                raise DownloadError(f"{wanted.name}: {problem}. What has arrived is kept; try again later") from None
            asked = problem.wait if isinstance(problem, _Later) else None
            pause = min(0.25 * 2**fruitless, _LONGEST_PAUSE) * random.uniform(0.5, 1.0)
            means.sleep(pause if asked is None else asked)
        finally:
            begun.close()
            told = begun.size


def sha256_of(path: Path) -> str:
    """The hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _once(wanted: Wanted, link: Link, part: _Part, means: Means) -> None:
    """One exchange that brings the rest of the file; raises when it did not."""
    start = part.size
    headers = {"range": f"bytes={start}-", "if-range": part.mark} if start else {}
    with means.storage.get(link, headers) as answer:
        size = wanted.size
        if answer.status == 206 and start:
            size = _check_range(wanted, answer, part, start)
        elif answer.status == 200:
            part.restart(_mark(answer))
        elif answer.status in _EXPIRED:
            raise _Expired
        elif answer.status == 416:
            part.restart("")
            raise _Later("the storage does not have the rest of it")
        elif answer.status in (408, 425, 429) or answer.status >= 500:
            raise _Later(f"the storage answers with HTTP {answer.status}", retry_after(answer.headers))
        else:
            raise DownloadError(f"{wanted.name}: the storage answers with HTTP {answer.status}")
        if answer.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
            raise DownloadError(f"{wanted.name}: the storage sends it packed, which was not asked for")
        if wanted.size is None and not answer.headers.keys() & {"content-length", "transfer-encoding"}:
            raise DownloadError(f"{wanted.name}: nobody says how long it is, so it can't be told from a part")
        since, there = means.clock(), part.size
        for chunk in answer.chunks:
            if means.clock() - since > _STALLED_SECONDS:
                if part.size - there < _STALLED_BYTES:
                    raise _Later(f"no more than {_STALLED_BYTES:,} bytes came within {_STALLED_SECONDS:.0f} s")
                since, there = means.clock(), part.size
            if means.stopped():
                part.sync()
                raise Stopped
            if part.size + len(chunk) > (wanted.most if wanted.size is None else wanted.size):
                part.restart("")
                raise DownloadError(f"{wanted.name}: {_too_much(wanted)}")
            part.write(chunk)
    length = answer.headers.get("content-length", "")
    if size is not None and part.size < size:
        if length.isdecimal() and answer.status == 200 and int(length) == part.size:
            part.restart("")
            raise DownloadError(
                f"{wanted.name}: the storage has {part.reached:,} bytes of it, the service lists {size:,}"
            )
        raise _Later(f"the answer ended after {part.size:,} of {size:,} bytes")
    part.end()


def _too_much(wanted: Wanted) -> str:
    if wanted.size is not None:
        return f"the storage sends more than the {wanted.size:,} bytes that the service lists"
    return f"more than {wanted.most:,} bytes arrive"


def _check_range(wanted: Wanted, answer: Stored, part: _Part, start: int) -> int | None:
    """Raise unless the answer goes on exactly where the part ends, and is of the same bytes. Returns their number."""
    found = _RANGE.fullmatch(answer.headers.get("content-range", ""))
    total = int(found[3]) if found and found[3].isdecimal() else wanted.size
    fits = found is not None and int(found[1]) == start and total is not None and wanted.size in (None, total)
    etag = answer.headers.get("etag")
    if part.mark.startswith('"') and etag is not None:
        fits = fits and etag == part.mark
    if not fits:
        part.restart("")
        raise _Later("the storage answers with another part than was asked for")
    return total


def _mark(answer: Stored) -> str:
    """What proves later that the bytes are still the same: a strong ETag, else a date, else nothing."""
    etag = answer.headers.get("etag", "")
    if len(etag) <= 500 and re.fullmatch(r'"[!#-~]*"', etag):
        return etag
    date = answer.headers.get("last-modified", "")
    return date if re.fullmatch(r"[A-Za-z0-9,: +-]{20,40}", date) else ""


class _Part:
    """A part file, and beside it what is known of it: the mark, and how much is certainly on the disk."""

    def __init__(self, path: Path, gained: Callable[[int], None]) -> None:
        self._gained = gained
        self._notes = path.with_name(f"{path.name}.json")
        self.mark, durable = self._read()
        flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o644)
        there = os.fstat(self._file).st_size
        self.size = min(durable, there) if self.mark else 0
        os.ftruncate(self._file, self.size)
        os.lseek(self._file, self.size, os.SEEK_SET)
        self._synced = self.size
        self.reached = self.size

    def write(self, chunk: bytes) -> None:
        """Append."""
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._file, view) :]
        self.size += len(chunk)
        self.reached = self.size
        self._gained(len(chunk))
        if self.size - self._synced >= _SYNCED_EACH:
            self.sync()

    def restart(self, mark: str) -> None:
        """Forget what was there, and begin with bytes of this mark."""
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        if self.size:
            self._gained(-self.size)
        self.size = self._synced = 0
        self.mark = mark
        if self._notes.exists():  # they speak of the bytes of before
            self._write()

    def end(self) -> None:
        """Make durable what is whole now: nothing has to be noted for going on."""
        os.fsync(self._file)
        self._synced = self.size

    def sync(self) -> None:
        """Make durable what has arrived, then say so."""
        os.fsync(self._file)
        self._synced = self.size
        self._write()

    def close(self) -> None:
        """Keep what has arrived."""
        try:
            if self.size > self._synced:
                self.sync()
        finally:
            os.close(self._file)

    def _read(self) -> tuple[str, int]:
        try:
            said = json.loads(self._notes.read_bytes())
            mark, durable = said["mark"], said["durable"]
        except (OSError, ValueError, KeyError, TypeError):
            return "", 0
        return (mark, durable) if isinstance(mark, str) and isinstance(durable, int) and durable >= 0 else ("", 0)

    def _write(self) -> None:
        fresh = self._notes.with_name(f"{self._notes.name}.new")
        fresh.write_text(json.dumps({"mark": self.mark, "durable": self._synced}), "ascii")
        fresh.replace(self._notes)
