"""Addresses: the name of one instance, ``run.NAME`` or ``run.NAME["KEY"]``."""

from __future__ import annotations

import json
import re
from typing import NewType

Address = NewType("Address", str)

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_ADDRESS = re.compile(r'run\.([A-Za-z_][A-Za-z0-9_-]*)(?:\[("(?:[^"\\]|\\.)*")\])?')


def format_address(name: str, key: str | None = None) -> Address:
    """The address of a declaration, or of one of the instances that it expands into."""
    return Address(f"run.{name}" if key is None else f"run.{name}[{json.dumps(key, ensure_ascii=False)}]")


def split_address(text: str) -> tuple[str, str | None]:
    """Name and key of an address. Raises ValueError for what is none."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r} is not an address: expected run.NAME or run.NAME["KEY"]')
    return found[1], None if found[2] is None else json.loads(found[2])
