"""Between rows of a table and records: the columns are the fields, in the same order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from state.records import Phase, Row

R = TypeVar("R", bound=Row)

_CONVERSIONS: dict[str, dict[Any, Any]] = {
    "Phase": {phase.value: phase for phase in Phase},
    "bool": {0: False, 1: True},
    "bool | None": {None: None, 0: False, 1: True},
}


# Texts that many rows have alike: each is kept once. Of 100,000 attempts with their instances that saves 60 MB.
_ALIKE = frozenset({"lifecycle_json", "inferred_json", "spec_id", "apply_id", "baseline_id", "status"})


def columns(kind: type[R]) -> tuple[str, ...]:
    """The columns of a record's table."""
    return kind.__struct_fields__


def typed_columns(kind: type[R]) -> list[tuple[str, str]]:
    """The columns with their annotations, as they are written."""
    return [(name, str(kind.__annotations__[name])) for name in columns(kind)]


def decoder(kind: type[R]) -> Callable[[Sequence[Any]], R]:
    """A function that makes a record of a row whose columns are in the order of the fields."""
    placed = list(enumerate(typed_columns(kind)))
    conversions = [(place, _CONVERSIONS[kind]) for place, (_, kind) in placed if kind in _CONVERSIONS]
    alike = [place for place, (name, _) in placed if name in _ALIKE]
    once = sys.intern

    def decode(row: Sequence[Any]) -> R:
        values = [*row]
        for place, convert in conversions:
            values[place] = convert[values[place]]
        for place in alike:
            text = values[place]
            if text is not None:
                values[place] = once(text)
        return kind(*values)

    return decode
