"""Checks of one table: quickly where it is plainly right, else by pydantic, which says what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reconciler.config.findings import Finding
from reconciler.config.load import Document
from reconciler.config.plain import plain
from reconciler.config.positions import Path


def check(
    kind: Any, value: object, document: Document, path: Path, known: Sequence[str], address: str | None
) -> list[Finding]:
    """Types, bounds, enumerations and known keys of one table (a type of ``models``); all problems of it."""
    if plain(kind)(value):
        return []
    from reconciler.config.problems import problems  # with pydantic, 0.1 s

    return problems(kind, value, document, path, known, address)
