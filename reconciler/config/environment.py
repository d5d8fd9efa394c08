"""``--env NAME``: environments/NAME.toml, read over settings of reconciler.toml and values of variables."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec.structs import replace

from reconciler.config.load import Document, Loaded, read_document
from reconciler.model.address import NAME
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.errors import ConfigurationError, UsageError

FOLDER: Final = "environments"
TABLES: Final = ("api", "state", "apply", "limits", "variables")
_RESERVED: Final = "emulator"  # its default state would be that of the emulator


def with_environment(loaded: Loaded, name: str) -> Loaded:
    """The project with the file of an environment, or with the reason why that can't be read. Raises UsageError for
    what is no name, ConfigurationError where there is no file.
    """
    if NAME.fullmatch(name) is None:
        raise UsageError(f"--env {name!r} is no name: letters, digits, _ and -, not starting with a digit or -.")
    if name == _RESERVED:
        raise UsageError(f'--env {name}: this name is reserved, for the emulator. Use another, such as "local".')
    path = loaded.root / FOLDER / f"{name}.toml"
    file = f"{FOLDER}/{name}.toml"
    if not path.exists() and not path.is_symlink():
        there = declared_environments(loaded.root)
        raise ConfigurationError(
            [
                Diagnostic(
                    Severity.ERROR,
                    "No such environment",
                    f"There is no {file}. There {'are' if len(there) > 1 else 'is'}: {', '.join(there) or 'none'}.",
                    "Write the file, or name another with --env.",
                    source=Source(file),
                )
            ]
        )
    read = read_document(path, file)
    if isinstance(read, Document):
        return replace(loaded, environment=read)
    return replace(loaded, diagnostics=(*loaded.diagnostics, read))


def declared_environments(root: Path) -> list[str]:
    """The names of those that have a file, sorted."""
    return sorted(found.stem for found in (root / FOLDER).glob("*.toml"))
