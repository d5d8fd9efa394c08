"""Values of variables: what a type allows, and how a text from outside of TOML is read as one."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final

from reconciler.config.findings import did_you_mean, shown
from reconciler.config.positions import Path

Scalar = str | int | float | bool
Value = Scalar | list[Scalar]

_INTEGER: Final = re.compile(r"[+-]?\d{1,18}(_\d{1,18})*")
_NUMBER: Final = re.compile(r"[+-]?\d{1,30}(_\d{1,30})*(\.\d{1,30})?([eE][+-]?\d{1,3})?")
_LONGEST: Final = 65_536  # characters of a list that is given as a text
_WORDS: Final = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "list": "a list of texts, numbers or booleans",
}


def is_a(kind: str, value: object) -> bool:
    """Whether a value is of a variable's type."""
    match value:
        case bool():
            return kind == "boolean"
        case str():
            return kind == "string"
        case int():
            return kind in ("integer", "number")
        case float():
            return kind == "number" and math.isfinite(value)
        case list():
            return kind == "list" and all(isinstance(item, (str, int, float, bool)) for item in value)
        case _:
            return False


def fits(table: dict[str, Any], value: object) -> None:
    """Raises ValueError, in words that follow the variable's name, for what its declaration does not allow."""
    if not is_a(table["type"], value):
        raise ValueError(f"must be {_WORDS[table['type']]}, not {shown(value)}")
    least, most = table.get("minimum"), table.get("maximum")
    if isinstance(value, (int, float)) and least is not None and value < least:
        raise ValueError(f"must be at least {least}, not {shown(value)}")
    if isinstance(value, (int, float)) and most is not None and value > most:
        raise ValueError(f"must be at most {most}, not {shown(value)}")
    if "allowed" in table:
        for item in value if isinstance(value, list) else [value]:
            _allow(item, table["allowed"])


def _allow(item: object, allowed: list[Scalar]) -> None:
    known = [literal(other) for other in allowed]
    if any(item == other and type(item) is type(other) for other in known):
        return
    near = did_you_mean(item, (other for other in known if isinstance(other, str))) if isinstance(item, str) else ""
    raise ValueError(f"must be one of {', '.join(map(shown, known))}, not {shown(item)}{near and f'.{near}'}")


def table_problems(name: str, table: dict[str, Any]) -> Iterator[tuple[Path, tuple[str, str]]]:
    """What is wrong with a declaration beyond the types of its keys; its default is looked at with the other values."""
    kind = table["type"]
    for key in ("minimum", "maximum"):
        if key in table and kind not in ("integer", "number"):
            yield (key,), ("A key without effect", f"{key} bounds numbers, and {name} is of type {kind}.")
        elif key in table and not is_a("number", table[key]):
            yield (key,), ("Wrong type", f"{key} must be a number, not {shown(table[key])}.")
    least, most = table.get("minimum"), table.get("maximum")
    if least is not None and most is not None and least > most:
        yield ("maximum",), ("Value out of bounds", f"The maximum {shown(most)} is below the minimum {shown(least)}.")
    allowed = table.get("allowed", [None])
    if not isinstance(allowed, list) or not allowed:
        yield ("allowed",), ("Wrong type", f"allowed must be a list of values, not {shown(allowed)}, and not empty.")
    for index, item in enumerate(allowed if isinstance(allowed, list) and "allowed" in table else ()):
        try:
            right = is_a(kind, literal(item)) if kind != "list" else is_a("list", [literal(item)])
        except ValueError as problem:
            yield ("allowed", index), ("Reference not allowed here", f"allowed {problem}.")
        else:
            if not right:
                yield ("allowed", index), ("Wrong type", f"{name} is of type {kind}; {shown(item)} is not.")


def literal(value: Any) -> Any:
    """A value as a file gives it: variables do not refer to one another, and ``$${`` stands for ``${``."""
    if isinstance(value, list):
        return [literal(item) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    if "${" in value.replace("$${", ""):
        raise ValueError("can't refer to variables; $${ stands for a plain ${")
    return value.replace("$${", "${")


def read_text(table: dict[str, Any], text: str) -> Any:
    """A text by the variable's type. Raises ValueError in words that follow the variable's name."""
    kind = table["type"]
    if kind == "list":
        return _read_list(table, text)
    try:
        return _read_scalar(kind, text)
    except ValueError:
        raise ValueError(f"must be {_WORDS[kind]}, not {shown(text)}") from None


def _read_scalar(kind: str, text: str) -> Scalar:
    match kind:
        case "string":
            return text
        case "boolean" if text in ("true", "false"):
            return text == "true"
        case "integer" | "number" if _INTEGER.fullmatch(text):
            return int(text)
        case "number" if _NUMBER.fullmatch(text):
            return float(text)
        case _:
            raise ValueError(text)


def _read_list(table: dict[str, Any], text: str) -> list[Any]:
    """A TOML array; or elements between commas, of the type that all elements of the default have, else texts."""
    if len(text) > _LONGEST:
        raise ValueError(f"is given as a text of more than {_LONGEST:,} characters; use --var-file")
    if text.lstrip().startswith("["):
        try:
            (value,) = tomllib.loads(f"v = {text.strip()}").values()  # more keys than one are an error as well
            return list(value)
        except (ValueError, RecursionError):
            raise ValueError(f"must be a TOML array, or elements between commas, not {shown(text)}") from None
    default = table.get("default") or [""]
    kinds = ("integer", "number", "boolean")
    kind = next((kind for kind in kinds if all(is_a(kind, item) for item in default)), "string")
    try:
        return [_read_scalar(kind, part.strip()) for part in text.split(",")] if text.strip() else []
    except ValueError as problem:
        wrong = shown(str(problem))
        raise ValueError(f"must hold {_WORDS[kind]} in each place, as its default does, not {wrong}") from None
