"""Saved plans: written whole or not at all, read back without loss. They hold references to secrets, never values."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from msgspec import Raw, Struct, json

from reconciler.model.errors import UsageError
from reconciler.model.plan import Plan
from reconciler.model.request import sha256

FORMAT: Final = "reconciler-plan/1"


class _File(Struct, frozen=True):
    format: str
    digest: str
    content: str  # hash of the whole plan as it is written, reasons and references included
    plan: Raw


def _content(plan: Raw) -> str:
    """Spaces between values aside, which are for people."""
    return sha256(json.format(bytes(plan), indent=-1).decode())


def write_plan(path: Path, plan: Plan) -> None:
    """Save a plan. Raises UsageError where that can't be done."""
    written = Raw(json.encode(plan))
    text = json.format(json.encode(_File(FORMAT, plan.digest, _content(written), written)), indent=1)
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
        found = json.decode(path.read_bytes(), type=_File)
        if found.format != FORMAT:
            raise UsageError(f"{path} has the format {found.format!r}; this version reads {FORMAT!r}. Plan again.")
        plan, content = json.decode(found.plan, type=Plan), _content(found.plan)
    except OSError as error:
        raise UsageError(f"The plan {path} can't be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:  # msgspec's own errors, and letters that are no UTF-8
        raise UsageError(f"{path} is no plan of this version ({error}). Make it with plan --out.") from None
    if found.digest != plan.digest or found.content != content:
        raise UsageError(f"{path} was edited: the plan does not hash to its digest. Plan again.")
    return plan
