"""The folder that downloads go to: what is there, and how a run gets into it whole.

::

    outputs/
      run.eval/                     the files of the current run
        provenance.json
        files/…
        changed/…                   what somebody changed, before it was fetched again
      run.eval@RUN_ID/              a run from before, kept when another one took its place
      .run.eval@RUN_ID.partial/     a download that is not whole yet; the next one goes on with it

A folder appears by one rename, when everything in it is on the disk. What ``download`` did not make is never touched.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from reconciler.downloading import provenance
from reconciler.downloading.fetch import sha256_of
from reconciler.downloading.names import folder_name, set_aside_name
from reconciler.downloading.provenance import FileRecord, Provenance
from reconciler.model.errors import DownloadError, UsageError

FILES: Final = "files"
_CHANGED: Final = "changed"
_PARTIAL: Final = ".partial"
_LOCK: Final = ".download.lock"
_LARGEST_PROVENANCE: Final = 256 * 2**20


class NotOurs(DownloadError):
    """Something stands where a run should go that ``download`` did not make."""


class Found(Struct, frozen=True):
    """What is there of a run: its provenance if its folder is there, and the files of it that are not as they were."""

    folder: str
    provenance: Provenance | None = None
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Nothing has to be fetched."""
        return self.provenance is not None and not self.changed and not self.missing


class Shelf:
    """The target folder. Made by :func:`shelf`; its methods concern one run each, and may run at the same time."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def look(self, address: str, run_id: str) -> Found:
        """What is there of a run. A whole folder of it that was set aside takes its place again. Raises NotOurs."""
        folder = folder_name(address)
        target = self.root / folder
        there = self._provenance(target, address)
        if there is None or there.run_id != run_id:
            aside = self.root / set_aside_name(folder, run_id)
            kept = self._provenance(aside, address) if os.path.lexists(aside) else None
            if kept is None or kept.run_id != run_id:
                return Found(folder)
            self._set_aside(folder, there)
            os.rename(aside, target)
            _sync(self.root)
            there = kept
        changed, missing = [], []
        for one in there.files:
            path = target / FILES / one.path
            if not os.path.lexists(path):
                missing.append(one.path)
            elif not path.is_file() or path.stat().st_size != one.size_bytes or sha256_of(path) != one.sha256:
                changed.append(one.path)
        found = Found(folder, there, tuple(changed), tuple(missing))
        staged = self._staging(folder, run_id)
        if found.whole and staged.is_dir() and not staged.is_symlink():  # a repair ended after its last file
            shutil.rmtree(staged)
        return found

    def staging(self, address: str, run_id: str) -> Path:
        """The hidden folder in which a run is put together; what an earlier download left in it is still there."""
        path = self._staging(folder_name(address), run_id)
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise NotOurs(f"{path} is in the way and was not made by `download`. Move it away.")
        for folder in (path, path / FILES, path / "parts"):
            folder.mkdir(exist_ok=True)
            if folder.is_symlink():
                raise NotOurs(f"{folder} is a symbolic link, which `download` does not make. Move it away.")
        return path

    def finish(self, address: str, run_id: str, told: dict[str, Any]) -> None:
        """Give the staged files of a run, which are on the disk, their place."""
        folder, staged = folder_name(address), self.staging(address, run_id)
        _keep_only({one["path"] for one in told["files"]}, staged / FILES)
        write(staged / provenance.NAME, provenance.written(told))
        for leftover in staged.iterdir():
            if leftover.name not in (FILES, provenance.NAME):
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        _sync_folders(staged)
        target = self.root / folder
        self._set_aside(folder, self._provenance(target, address))
        os.rename(staged, target)
        _sync(self.root)
        self._clean(folder)

    def repair(self, address: str, run_id: str, told: dict[str, Any], found: Found, fetched: list[str]) -> None:
        """Put staged files into a folder that lacks them; what somebody changed is kept beside them."""
        target, staged = self.root / found.folder, self.staging(address, run_id)
        for path in fetched:
            place = target / FILES / path
            _make_folders(target, place.parent)
            if os.path.lexists(place):
                kept = target / _CHANGED / path
                _make_folders(target, kept.parent)
                os.rename(place, _free(kept))
            os.replace(staged / FILES / path, place)
            _sync(place.parent)
        write(staged / provenance.NAME, provenance.written(told))
        os.replace(staged / provenance.NAME, target / provenance.NAME)
        _sync(target)
        shutil.rmtree(staged)

    def _staging(self, folder: str, run_id: str) -> Path:
        return self.root / f".{set_aside_name(folder, run_id)}{_PARTIAL}"

    def _provenance(self, folder: Path, address: str) -> Provenance | None:
        """Of a run's folder; None where there is no folder. Raises NotOurs."""
        if not os.path.lexists(folder):
            return None
        told = folder / provenance.NAME
        if not folder.is_symlink() and folder.is_dir() and _is_plain(told):
            found = provenance.read(told.read_bytes()) if told.stat().st_size <= _LARGEST_PROVENANCE else None
            if found is not None and found.address == address and all(_is_inside(one) for one in found.files):
                return found
        raise NotOurs(
            f"{folder} is there, and is not what `download` made for {address}"
            f" (no readable {provenance.NAME} of this address in it). Move it away, or name another folder with --out."
        )

    def _set_aside(self, folder: str, there: Provenance | None) -> None:
        """Give what stands in a run's place another name."""
        if there is not None:
            os.rename(self.root / folder, _free(self.root / set_aside_name(folder, there.run_id)))

    def _clean(self, folder: str) -> None:
        """Take away what was never finished of earlier runs."""
        for entry in list(os.scandir(self.root)):
            if entry.name.startswith(f".{folder}@") and entry.name.endswith(_PARTIAL) and not entry.is_symlink():
                shutil.rmtree(entry.path, ignore_errors=True)


@contextmanager
def shelf(root: Path) -> Iterator[Shelf]:
    """The target folder, made if need be, for one download at a time. Raises UsageError."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = os.open(root / _LOCK, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as problem:
        raise UsageError(f"Nothing can be put into {root}: {problem.strerror}. Name another folder (--out).") from None
    try:
        if not _locked(lock):
            raise UsageError(f"Another download into {root} is at work. Wait for it, or name another folder.")
        yield Shelf(root)
    finally:
        os.close(lock)


def _locked(handle: int) -> bool:
    """Whether we have the lock. Some file systems have none: downloads at the same time are their user's care there."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def write(path: Path, data: bytes) -> None:
    """Put bytes into a file, durably and at once."""
    fresh = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    handle = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
    _sync(path.parent)


def _is_inside(one: FileRecord) -> bool:
    """A provenance file that somebody wrote can't lead out of its folder."""
    parts = one.path.split("/")
    return "\0" not in one.path and all(part not in ("", ".", "..") for part in parts)


def _is_plain(path: Path) -> bool:
    """Whether it is a file, and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _make_folders(root: Path, folder: Path) -> None:
    """Like ``mkdir -p`` below ``root``, but through no symbolic link, and over nothing that is no folder."""
    at = root
    for part in folder.relative_to(root).parts:
        at = at / part
        if at.is_symlink() or (at.exists() and not at.is_dir()):
            raise NotOurs(f"{at} is no folder any more, so no file can be put into it. Move it away.")
        at.mkdir(exist_ok=True)


def _free(path: Path) -> Path:
    """This name, or the first one with a number that nothing has."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.name}.{number}")
    return free


def _keep_only(paths: set[str], folder: Path) -> None:
    """Take away what an earlier try has left and the run does not list any more."""
    for path in folder.rglob("*"):
        if not path.is_dir() and path.relative_to(folder).as_posix() not in paths:
            path.unlink()


def _sync_folders(root: Path) -> None:
    for folder, _, _ in os.walk(root):
        _sync(Path(folder))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
