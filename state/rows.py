"""Between rows of a table and records: the columns are the fields, in the same order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from state.records import Phase, Row

R = TypeVar("R", bound=Row)

_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "Phase": {phase.value: phase for phase in Phase}.__getitem__,
    "bool": {0: False, 1: True}.__getitem__,
    "bool | None": {None: None, 0: False, 1: True}.__getitem__,
}


# Texts that many rows have alike: each is kept once. Of 100,000 attempts with their instances that saves 60 MB.
_ALIKE = frozenset({"lifecycle_json", "inferred_json", "spec_id", "apply_id", "baseline_id", "status"})


def _once(text: str | None) -> str | None:
    return text if text is None else sys.intern(text)


def columns(kind: type[R]) -> tuple[str, ...]:
    """The columns of a record's table."""
    return kind.__struct_fields__


def typed_columns(kind: type[R]) -> list[tuple[str, str]]:
    """The columns with their annotations, as they are written."""
    return [(name, str(kind.__annotations__[name])) for name in columns(kind)]


def decoder(kind: type[R]) -> Callable[[Sequence[Any]], R]:
    """A function that makes a record of a row whose columns are in the order of the fields."""
    conversions = [
        (place, convert)
        for place, (name, annotation) in enumerate(typed_columns(kind))
        if (convert := _once if name in _ALIKE else _CONVERSIONS.get(annotation))
    ]

    def decode(row: Sequence[Any]) -> R:
        values = list(row)
        for place, convert in conversions:
            values[place] = convert(values[place])
        return kind(*values)

    return decode
