"""Between rows of a table and records: the columns are the fields, in the same order."""

from __future__ import annotations

import dataclasses
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
    return tuple(field.name for field in dataclasses.fields(kind))


def decoder(kind: type[R]) -> Callable[[Sequence[Any]], R]:
    """A function that makes a record of a row whose columns are in the order of the fields.

    A frozen dataclass sets each field through ``object.__setattr__``: 5.9 µs for an attempt, which is most of a
    snapshot. So the fields are set on a twin of the same layout that is not frozen, which then takes the record's
    class: 1.2 µs.
    """
    fields = dataclasses.fields(kind)
    twin = dataclasses.make_dataclass(
        f"_{kind.__name__}", [field.name for field in fields], slots=True, repr=False, eq=False
    )
    conversions = [(field.name, _CONVERSIONS[str(field.type)]) for field in fields if str(field.type) in _CONVERSIONS]
    conversions += [(field.name, _once) for field in fields if field.name in _ALIKE]
    become = object.__setattr__

    def decode(row: Sequence[Any]) -> R:
        record: Any = twin(*row)
        for name, convert in conversions:
            setattr(record, name, convert(getattr(record, name)))
        become(record, "__class__", kind)
        made: R = record
        return made

    return decode
