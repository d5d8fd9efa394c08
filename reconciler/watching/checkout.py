"""The declarations of one revision as files, in a folder that stays: a state beside them outlives every revision.

Each revision has a folder of its own below ``.revisions``, whole before anything points at it; the link ``.followed``
says which one counts, and what the project has at its top are links through it. So one rename takes a revision, and
whoever is killed leaves the old one or the new one, never a part of each.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from reconciler.config.load import ROOT_FILE
from reconciler.config.validate import Desired
from reconciler.config.variables import Given
from reconciler.model.diagnostics import Diagnostic, errors, ordered
from reconciler.model.errors import ConfigurationError, UsageError
from reconciler.project import check_project
from reconciler.watching.remote import SourceRefused

_FOLLOWED: Final = ".followed"
_REVISIONS: Final = ".revisions"
_COMMIT: Final = ".commit"  # in the folder of a revision: the commit that its files are of
_FOLDERS: Final = ("runs", "environments")
_NEW: Final = ".reconciler-new"
_MOST_TOLD: Final = 100


class Checkout:
    """``root``: the folder that the project is read from. Files that are not declarations are left alone."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def good(self) -> str | None:
        """The commit whose declarations are there, as a whole; None before any was taken."""
        try:
            return (self.root / _FOLLOWED / _COMMIT).read_text("utf-8").strip() or None
        except FileNotFoundError:
            return None

    def take(
        self,
        commit: str,
        files: Mapping[str, bytes],
        environ: Mapping[str, str],
        given: Given,
        objections: Callable[[Desired], list[str]] = lambda desired: [],
    ) -> None:
        """Bring the folder to these files, if they are a project without errors that declares something, and there are
        no ``objections``, a line each.

        Raises SourceRefused and OSError, and then the declarations are as they were.
        """
        _check(files, environ, given, objections)
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._refuse_others()
        before = self.root / _REVISIONS / os.path.basename(self._linked(_FOLLOWED)) if self.good() else None
        made = self._write(commit, files, before)
        for name in (ROOT_FILE, *_FOLDERS):
            if not self._linked(name):
                self._link(name, f"{_FOLLOWED}/{name}")
        self._link(_FOLLOWED, f"{_REVISIONS}/{made.name}")
        _sync(self.root)

    def _refuse_others(self) -> None:
        """Raises SourceRefused where there is something in our place that we did not put there."""
        if (self.root / ".git").exists():
            raise SourceRefused(f"{self.root} is somebody's checkout; name another folder with -C")
        for name in (ROOT_FILE, *_FOLDERS):
            if os.path.lexists(self.root / name) and self._linked(name) != f"{_FOLLOWED}/{name}":
                raise SourceRefused(f"{self.root} holds declarations of somebody else; name another folder with -C")

    def _write(self, commit: str, files: Mapping[str, bytes], before: Path | None) -> Path:
        """Make the folder of a revision, on the disk as a whole, beside that of the one before, and of no other."""
        revisions = self.root / _REVISIONS
        revisions.mkdir(exist_ok=True)
        for left in revisions.iterdir():
            if left != before:
                shutil.rmtree(left)
        made = Path(tempfile.mkdtemp(prefix=f"{commit[:12]}-", dir=revisions))
        for name in _FOLDERS:
            (made / name).mkdir()
        for path, content in {**files, _COMMIT: f"{commit}\n".encode()}.items():
            target = made / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if before is None or not _same(before / path, content, target):
                _write(target, content)
        for folder, _, _ in os.walk(made):
            _sync(Path(folder))
        _sync(revisions)
        return made

    def _link(self, name: str, target: str) -> None:
        """In the place of one that leads elsewhere, in one step."""
        new = self.root / _NEW
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        os.replace(new, self.root / name)

    def _linked(self, name: str) -> str:
        """Where a link leads; empty where there is none."""
        with suppress(OSError):
            return os.readlink(self.root / name)
        return ""


def _check(
    files: Mapping[str, bytes],
    environ: Mapping[str, str],
    given: Given,
    objections: Callable[[Desired], list[str]],
) -> None:
    """Read them as a project elsewhere. Raises SourceRefused."""
    if ROOT_FILE not in files:
        raise SourceRefused(
            f"{ROOT_FILE}: there is none in this revision. Nothing is done: a project that is gone would end every run"
        )
    folder = Path(tempfile.mkdtemp(prefix="reconciler-watch-"))
    try:
        for path, content in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        try:
            desired = check_project(folder, environ, given)
        except ConfigurationError as problem:
            raise SourceRefused(*map(_line, problem.diagnostics)) from None
        except UsageError as problem:
            raise SourceRefused(str(problem)) from None
        except OSError:
            raise
        except Exception as problem:  # noqa: BLE001 whoever pushes must not be able to end the controller
            raise SourceRefused(
                f"{ROOT_FILE}: reading this revision fails in a way that nobody foresaw"
                f" ({type(problem).__name__}: {problem}); please report it"
            ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not desired.valid:
        found = ordered(errors(desired.diagnostics))
        raise SourceRefused(*map(_line, found[:_MOST_TOLD]))
    if not desired.instances:
        raise SourceRefused(
            f"{ROOT_FILE}: this revision declares no run. Nothing is done: whoever wants to end every run uses"
            " `reconciler destroy`"
        )
    if said := objections(desired):
        raise SourceRefused(*said)


def _line(found: Diagnostic) -> str:
    where = f"{found.source}: " if found.source else ""
    return f"{where}{found.summary}: {found.detail}"


def _same(old: Path, content: bytes, new: Path) -> bool:
    """Have a file that did not change by another name, which writes nothing; False where it did, or can't be."""
    with suppress(OSError):
        if old.read_bytes() == content:
            os.link(old, new)
            return True
    return False


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """What the folder is called and holds is on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
