"""The published schemas, as tests hold documents against them."""

from __future__ import annotations

import json
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
