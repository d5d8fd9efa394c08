"""A row from a text that somebody else wrote: every column is checked."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from state.records import AttemptRecord, Phase, Row
from state.rows import columns, decoder, typed_columns

HIGHEST: Final = 2**53  # what still can be counted on from
_LARGEST: Final = 2**63 - 1  # what a column holds
_PHASES: Final = frozenset(phase.value for phase in Phase)
_COUNTED: Final = ("seq", "number")
_SINCE: Final = {("applies", "git_branch"): 2}  # columns that came later, empty in texts of before
_OBJECTS: Final = ("sent_json", "lifecycle_json", "reported_json")  # other columns of JSON hold lists


class WrongError(ValueError):
    """What is wrong with a line, in words."""


def parse(text: str) -> Any:
    """A JSON value. Raises WrongError."""
    try:
        return _DECODER.decode(text)
    except WrongError:
        raise
    except (ValueError, RecursionError):
        raise WrongError("the line is no JSON") from None


def check_names(found: Mapping[str, object], wanted: Iterable[str]) -> None:
    """Raise WrongError unless exactly these are there."""
    names = dict.fromkeys(wanted)
    for name in names:
        if name not in found:
            raise WrongError(f"{name} is missing")
    for name in found:
        if name not in names:
            raise WrongError(f"{shown(name)} is not known")


def row_reader(kind: type[Row], version: int) -> Callable[[object], Row]:
    """A function that makes a row of its columns in this version of the format, or raises WrongError."""
    names = columns(kind)
    later = {name: None for name in names if _SINCE.get((kind.table, name), 1) > version}
    wanted = set(names) - later.keys()
    tests = [(name, _test(name, annotation)) for name, annotation in typed_columns(kind)]
    decode = decoder(kind)

    def make(body: object) -> Row:
        if not isinstance(body, dict):
            raise WrongError(f"there are no columns of {kind.table}")
        if body.keys() != wanted:
            check_names(body, [name for name in names if name in wanted])
        if later:
            body = body | later
        for name, test in tests:
            if not test(body[name]):
                raise WrongError(f"{name} of {kind.table} is {shown(body[name])}")
        row = decode([body[name] for name in names])
        if isinstance(row, AttemptRecord) and row.phase is Phase.ACCEPTED and row.run_id is None:
            raise WrongError("an accepted attempt has no run_id")
        return row

    return make


def _test(name: str, kind: str) -> Callable[[Any], bool]:
    """Whether a value may stand in a column; ``kind`` is the annotation of the field."""
    test: Callable[[Any], bool]
    if name.endswith("_json"):
        test = _is_object if name in _OBJECTS else _is_list
    elif name in _COUNTED:
        test = _is_counter
    else:
        test = _TESTS[kind.removesuffix(" | None")]
    return (lambda value: value is None or test(value)) if kind.endswith("None") else test


def _is_text(value: object) -> bool:
    """Halves of pairs can't be stored."""
    return isinstance(value, str) and (value.isascii() or value.encode(errors="replace").decode() == value)


def _is_phase(value: object) -> bool:
    return isinstance(value, str) and value in _PHASES


def _is_int(value: object) -> bool:
    return type(value) is int and -_LARGEST <= value <= _LARGEST


def _is_counter(value: object) -> bool:
    return type(value) is int and 1 <= value < HIGHEST


def _is_number(value: object) -> bool:
    return type(value) is float and math.isfinite(value)


_TESTS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "str": _is_text,
    "int": _is_int,
    "bool": lambda value: isinstance(value, bool),
    "float": _is_number,
    "Phase": _is_phase,
}


def _is_object(value: object) -> bool:
    return _is_text(value) and isinstance(_inside(value), dict)


def _is_list(value: object) -> bool:
    return _is_text(value) and isinstance(_inside(value), list)


def _inside(text: Any) -> Any:
    try:
        return parse(text)
    except WrongError:
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. Other readers may take the first of two equal names, and we the last."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise WrongError("the line says something twice")
    return found


def _no_number(word: str) -> float:
    raise WrongError(f"{word} is no number")


def shown(value: object) -> str:
    """A value as people are shown it; texts from outside are escaped, and not endless."""
    text = ascii(value) if isinstance(value, str | int | float | bool | None) else "a list or an object"
    return text if len(text) <= 80 else text[:80] + "…"


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number)
