"""A caller of the emulator that holds every answer against the OpenAPI document, and a clock that tests move."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml
from jsonschema import Draft202012Validator, FormatChecker

from reconciler.dataframer.emulator.core import Emulator
from reconciler.dataframer.emulator.messages import ApiRequest, ApiResponse
from reconciler.dataframer.emulator.specs import SUPPORT_TICKETS

RUNS = "/api/dataframer/runs/"
DOCUMENT = Path(__file__).parents[1] / "data" / "openapi.yaml"

FORMATS = FormatChecker()


@FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@dataclass
class Clock:
    """Seconds since the epoch, moved by hand."""

    now: float = 1_780_000_000.0

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Answer:
    """An answer with its JSON parsed; `json` is None when there is no body."""

    status: int
    headers: dict[str, str]
    body: bytes
    delay: float
    json: Any = field(init=False)

    def __post_init__(self) -> None:
        is_json = self.headers.get("content-type") == "application/json"
        self.json = json.loads(self.body) if is_json else None


class Api:
    """Calls an emulator in process; raises AssertionError for an answer that the document doesn't allow."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    def call(
        self, method: str, target: str, body: object = None, headers: dict[str, str] | None = None, raw: bytes = b""
    ) -> Answer:
        url = urlsplit(target)
        content = raw if body is None else json.dumps(body).encode()
        query = dict(parse_qsl(url.query))
        response = self.emulator.handle(ApiRequest(method, url.path, query, headers or {}, content))
        answer = Answer(response.status, dict(response.headers), response.body, response.delay)
        check(method, url.path, response)
        return answer

    def get(self, target: str, **headers: str) -> Answer:
        return self.call("GET", target, headers=headers)

    def create(self, samples: int = 10, **fields: object) -> str:
        """Make a run that must be taken, and return its id."""
        answer = self.call("POST", RUNS, {"spec_id": SUPPORT_TICKETS, "number_of_samples": samples, **fields})
        assert answer.status == 201, answer.json
        return str(answer.json["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        answer = self.get(f"{RUNS}{run_id}/")
        assert answer.status == 200, answer.json
        run: dict[str, Any] = answer.json
        return run


def check(method: str, path: str, response: ApiResponse) -> None:
    """Hold one answer against the document; paths that it doesn't hold (storage, mistakes) are let through."""
    operation = _operation(method, path)
    if operation is None:
        return
    documented = operation["responses"].get(str(response.status))
    assert documented is not None, f"{method} {path} may not answer {response.status}"
    content = _resolved(documented).get("content")
    if content is None:
        assert response.body == b""
        return
    schema = content["application/json"]["schema"]
    value = json.loads(response.body)
    Draft202012Validator({**schema, "components": _document()["components"]}, format_checker=FORMATS).validate(value)
    if response.status < 300:
        strangers = _strangers(schema, value)
        assert not strangers, f"{method} {path} shows fields that the document doesn't have: {strangers}"


def _strangers(schema: dict[str, Any], value: object) -> set[str]:
    """The names in `value`, at any depth, that the schema doesn't declare."""
    schema = _resolved(schema)
    if isinstance(value, list):
        return {name for item in value for name in _strangers(schema.get("items", {}), item)}
    properties = _properties(schema)
    if not isinstance(value, dict) or not properties:
        return set()
    found = set(value) - set(properties)
    return found.union(*(_strangers(properties[name], value[name]) for name in value if name in properties))


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    schema = _resolved(schema)
    found = dict(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        found |= _properties(part)
    return found


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = _document()
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for template, operations in _document()["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path) and method.lower() in operations:
            operation: dict[str, Any] = operations[method.lower()]
            return operation
    return None


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = _with_null(yaml.safe_load(DOCUMENT.read_text(encoding="utf-8")))
    return document


def _with_null(node: Any) -> Any:
    """OpenAPI 3.0 writes `nullable: true` where JSON Schema writes a second type."""
    if isinstance(node, list):
        return [_with_null(item) for item in node]
    if not isinstance(node, dict):
        return node
    changed = {key: _with_null(value) for key, value in node.items()}
    if changed.get("nullable") is True and isinstance(changed.get("type"), str):
        changed["type"] = [changed["type"], "null"]
    return changed
