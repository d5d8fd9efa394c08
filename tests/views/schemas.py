"""The published schemas, as tests hold documents against them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]


@cache
def schema(name: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text("utf-8")))


def strict(found: Any) -> Any:
    """The schema with every object closed, which the published one leaves open for what is added later."""
    if isinstance(found, list):
        return [strict(item) for item in found]
    if not isinstance(found, dict):
        return found
    closed = {key: strict(value) for key, value in found.items()}
    if "properties" in found and "object" in (found.get("type") or ()):
        closed.setdefault("additionalProperties", False)
    return closed


@cache
def validator(name: str, closed: bool = False) -> Draft202012Validator:
    whole = schema(name)
    return Draft202012Validator(whole | {"$defs": strict(whole["$defs"])} if closed else whole)


def problems(name: str, document: Any, closed: bool = False) -> list[str]:
    """What is wrong with a document; ``closed``: also what is not described."""
    found = json.loads(json.dumps(document))
    return [f"{error.json_path}: {error.message}" for error in validator(name, closed).iter_errors(found)]


def change(document: dict[str, Any], path: str, value: Any = ...) -> dict[str, Any]:
    """A copy with one value set, or taken out."""
    made = copy.deepcopy(document)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    at: Any = made
    for part in parents:
        at = at[part]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return made


def never_there(name: str, documents: Iterable[dict[str, Any]], told_by: str = "") -> list[str]:
    """Fields that are described, and that none of the documents has. ``told_by``: the field that says which of the
    definitions a document is one of; empty: it is either branch of the whole.
    """
    whole, seen = schema(name), set[tuple[int, str]]()

    def walk(part: dict[str, Any], value: Any) -> None:
        if "$ref" in part:
            walk(whole["$defs"][part["$ref"].rpartition("/")[2]], value)
        for inner in part.get("oneOf", ()):
            walk(inner, value)
        for key, inner in part.get("properties", {}).items():
            if isinstance(value, dict) and key in value:
                seen.add((id(part), key))
                walk(inner, value[key])
        if isinstance(value, (list, tuple)):
            for item in value:
                walk(part.get("items", {}), item)

    def declared(part: Any) -> Iterator[tuple[int, str]]:
        if isinstance(part, dict):
            yield from ((id(part), key) for key in part.get("properties", ()))
        for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            yield from declared(inner)

    for document in documents:
        for part in whole["$defs"].values() if told_by else [whole["then"], whole["else"]]:
            kind = part.get("properties", {}).get(told_by, {}).get("const")
            if not told_by or kind == document.get(told_by):
                walk(part, document)
    return [key for part, key in declared(whole["$defs"]) if (part, key) not in seen]
