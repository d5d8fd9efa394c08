"""The archive of a run, unpacked by somebody who trusts nothing in it.

Everything is checked before the first byte is written: names, kinds of entries, sizes, the room on the disk. While
unpacking, what really comes out is counted against what was declared, for a header may lie.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from reconciler.downloading.names import UnsafeName, placed
from reconciler.downloading.provenance import FileRecord
from reconciler.model.errors import DownloadError

# An archive may hold this many times its own size, and a little. Text of a model packs 3 to 10 times, a table of
# repeated rows perhaps 100 times; a bomb 1,000 times.
MOST_RATIO: Final = 200
_FREELY: Final = 16 * 2**20  # bytes
_MOST_DIRECTORY: Final = 64 * 2**20  # bytes of the list of entries, which is read into memory
RESERVE: Final = 64 * 2**20  # bytes that are left free on the disk
_CHUNK: Final = 2**20
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 0x1


class BadArchive(DownloadError):
    """An archive that is not unpacked; its text says why."""


def unpack(archive: Path, target: Path, step: Callable[[], None]) -> list[FileRecord]:
    """Put every file of an archive below ``target``, an empty folder, durably. ``step`` is called now and then, and may
    raise. Raises BadArchive, with nothing outside of ``target`` touched, and OSError.
    """
    try:
        with archive.open("rb") as file:
            _check_directory(file)
            with zipfile.ZipFile(file) as opened:
                entries = _checked(opened, archive.stat().st_size, target)
                return [_extract(opened, entry, path, target, step) for entry, path in entries]
    except UnsafeName as problem:
        raise BadArchive(f"the archive is refused: {problem}") from None
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, ValueError, RuntimeError) as e:
        raise BadArchive(f"the archive is damaged or no ZIP ({e})") from None


def room(target: Path) -> int:
    """Bytes that may be put on the disk of a folder."""
    return max(0, shutil.disk_usage(target).free - RESERVE)


def check_room(target: Path, size: int) -> None:
    """Raise BadArchive unless so many bytes fit on the disk."""
    if size > room(target):
        raise BadArchive(f"{size:,} bytes do not fit on the disk of {target}, which has room for {room(target):,}")


def _checked(opened: zipfile.ZipFile, packed: int, target: Path) -> list[tuple[zipfile.ZipInfo, str]]:
    # ``filename`` is cut at a NUL; this is the name as it stands.
    files = sorted((e for e in opened.infolist() if not e.orig_filename.endswith("/")), key=lambda e: e.orig_filename)
    folders = (e.orig_filename.rstrip("/") for e in opened.infolist() if e.orig_filename.endswith("/"))
    placed(name for name in folders if name not in ("", "."))  # none is made, but none may lead elsewhere
    for entry in opened.infolist():
        kind = stat.S_IFMT(entry.external_attr >> 16)
        name = repr(entry.orig_filename[:100])
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise BadArchive(f"the archive is refused: {name} is a symbolic link, or no file at all")
        if entry.flag_bits & _ENCRYPTED:
            raise BadArchive(f"the archive is refused: {name} is encrypted")
        if entry.compress_type not in _METHODS:
            raise BadArchive(f"the archive is refused: {name} is packed in a way that is not known here")
    total = sum(entry.file_size for entry in files)
    if total > MOST_RATIO * packed + _FREELY:
        raise BadArchive(f"the archive is refused: {packed:,} bytes would become {total:,}")
    check_room(target, total)
    return list(zip(files, placed(entry.orig_filename for entry in files), strict=True))


def _extract(
    opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: str, target: Path, step: Callable[[], None]
) -> FileRecord:
    place = target / path
    place.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    handle = os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(handle, "wb") as out, opened.open(entry) as packed:
        while chunk := packed.read(_CHUNK):
            step()
            size += len(chunk)
            if size > entry.file_size:
                break
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    if size != entry.file_size:
        raise BadArchive(f"the archive is damaged: {entry.orig_filename[:100]!r} is not as long as it says")
    return FileRecord(path, digest.hexdigest(), size, entry.orig_filename)


def _check_directory(file: IO[bytes]) -> None:
    """Raise BadArchive for a list of entries that would fill the memory: ``zipfile`` reads it whole."""
    end = file.seek(0, os.SEEK_END)
    start = file.seek(max(0, end - 65_557))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        raise BadArchive("the archive is damaged or no ZIP (it has no end)")
    (size,) = struct.unpack_from("<L", tail, at + 12)
    longer = start + at - 20 - 56  # where ``zipfile`` looks for the numbers of a large archive
    if longer >= 0:
        file.seek(longer)
        found = file.read(56)
        if found[:4] == b"PK\x06\x06":
            (size,) = struct.unpack_from("<Q", found, 40)
    if size > _MOST_DIRECTORY:
        raise BadArchive(f"the archive is refused: a list of {size:,} bytes of entries")
    file.seek(0)
