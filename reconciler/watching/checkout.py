"""The declarations of one revision as files, in a folder that stays: a state beside them outlives every revision."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from reconciler.config.load import ROOT_FILE
from reconciler.config.validate import Desired
from reconciler.config.variables import Given
from reconciler.model.diagnostics import Diagnostic, errors, ordered
from reconciler.model.errors import ConfigurationError, UsageError
from reconciler.project import check_project
from reconciler.watching.remote import SourceRefused

_MARKER: Final = ".followed"  # its content: the commit that the files are of
_WATCHED: Final = ("runs", "environments")
_NEW: Final = ".reconciler-new-"
_MOST_TOLD: Final = 100


class Checkout:
    """``root``: the folder that the project is read from. Files that are not declarations are left alone."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def good(self) -> str | None:
        """The commit whose declarations are there, as a whole; None while there are none."""
        try:
            return (self.root / _MARKER).read_text("utf-8").strip() or None
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

        Raises SourceRefused, and then the folder is as it was; OSError.
        """
        _check(files, environ, given, objections)
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if (self.root / ".git").exists():
            raise SourceRefused(f"{self.root} is somebody's checkout; name another folder with -C")
        found = self._declarations()
        if found and not (self.root / _MARKER).exists():
            raise SourceRefused(f"{self.root} holds declarations of somebody else; name another folder with -C")
        # Without a commit, until all of them are there: a start after a kill takes the newest one again.
        _write(self.root / _MARKER, b"")
        for where, pattern in ((self.root, "*"), *((self.root / name, "**/*") for name in _WATCHED)):
            for left in where.glob(pattern):
                if left.name.startswith(_NEW):  # of a start that was killed
                    left.unlink(missing_ok=True)
        for path in found - files.keys():
            (self.root / path).unlink(missing_ok=True)
        for path, content in files.items():
            target = self.root / path
            if target.is_symlink() or not target.is_file() or target.read_bytes() != content:
                target.parent.mkdir(parents=True, exist_ok=True)
                _write(target, content)
        _write(self.root / _MARKER, f"{commit}\n".encode())

    def _declarations(self) -> set[str]:
        found = {ROOT_FILE} if os.path.lexists(self.root / ROOT_FILE) else set()
        for name in _WATCHED:
            for path in (self.root / name).rglob("*.toml"):
                if path.is_symlink() or not path.is_dir():
                    found.add(path.relative_to(self.root).as_posix())
        return found


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


def _write(path: Path, content: bytes) -> None:
    """Whole, or not at all."""
    handle, name = tempfile.mkstemp(prefix=_NEW, dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
