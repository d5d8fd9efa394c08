"""Saved plans: written whole or not at all, read back without loss. They hold references to secrets, never values."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from reconciler.model.errors import UsageError
from reconciler.model.plan import Plan
from reconciler.model.request import sha256

FORMAT: Final = "reconciler-plan/1"


@dataclass(frozen=True, slots=True)
class _File:
    format: str
    digest: str
    content: str  # hash of the whole plan as it is written, reasons and references included
    plan: Plan


_PLAN: Final[TypeAdapter[Plan]] = TypeAdapter(Plan)


def _content(plan: Plan) -> str:
    return sha256(_PLAN.dump_json(plan).decode())


def write_plan(path: Path, plan: Plan) -> None:
    """Save a plan. Raises UsageError where that can't be done."""
    text = TypeAdapter(_File).dump_json(_File(FORMAT, plan.digest, _content(plan), plan), indent=1)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text + b"\n")
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise UsageError(f"The plan can't be saved to {path}: {error.strerror}.") from None


def read_plan(path: Path) -> Plan:
    """Read a saved plan. Raises UsageError for what is none, or was edited."""
    try:
        found = TypeAdapter(_File).validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"The plan {path} can't be read: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UsageError(
            f"{path} is no plan of this version ({where}: {first['msg']}). Make it with plan --out."
        ) from None
    if found.format != FORMAT:
        raise UsageError(f"{path} has the format {found.format!r}; this version reads {FORMAT!r}. Plan again.")
    if found.digest != found.plan.digest or found.content != _content(found.plan):
        raise UsageError(f"{path} was edited: the plan does not hash to its digest. Plan again.")
    return found.plan
