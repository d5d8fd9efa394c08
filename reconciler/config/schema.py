"""A JSON Schema of the TOML files, for editors: completion, descriptions, and most mistakes while one types.

Draft 7, because that is what TOML editors (taplo, Even Better TOML) read. One schema for all files of a project, since
an editor finds it by one line: what only some of the files may hold is left to ``validate``, and so is whatever lies in
more than one table, such as a field that is needed unless ``[defaults]`` of another file has it. A schema must never
refuse what ``validate`` takes.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from reconciler import __version__
from reconciler.config import meanings, models
from reconciler.config.meanings import Meaning
from reconciler.config.whole import DeclarationTable
from reconciler.dataframer.catalogue import catalogue
from reconciler.dataframer.fields import BUDGET_OF, MAX_SAMPLES, MODEL_FIELDS

SCHEMA_FILE: Final = "reconciler.schema.json"
_Schema = dict[str, Any]
_NAME: Final = r"[A-Za-z_][A-Za-z0-9_-]*"
_VARIABLE: Final = rf"\$\{{var\.{_NAME}\}}"
# Models: known names for completion, the newest first; any other text is the service's to judge.
_MODELS: Final = tuple(dict.fromkeys(name for listed in reversed(catalogue()) for name in listed.models))
_SHARED: Final[dict[str, _Schema]] = {
    "reference": {
        "type": "string",
        "pattern": f"^{_VARIABLE}$",
        "description": "A variable; it gives the type as well.",
    },
    "text": {"type": "string", "pattern": _VARIABLE, "description": "A text with variables in it."},
    "model": {"anyOf": [{"type": "string", "enum": list(_MODELS)}, {"type": "string", "minLength": 1}]},
}
_KEYS: Final[dict[str, Mapping[str, Meaning]]] = {
    "SecretTable": meanings.SECRET,
    "LifecycleTable": meanings.LIFECYCLE,
    "PointTable": meanings.RUN,
    "RunTable": meanings.RUN,
    "MatrixTable": meanings.RUN,
    "DeclarationTable": meanings.RUN,
    "MovedTable": meanings.MOVED,
    "ImportTable": meanings.IMPORT,
    "VariableTable": meanings.VARIABLE,
    "CountLimitTable": meanings.LIMIT,
    "CostLimitTable": meanings.LIMIT,
    "ModelsLimitTable": meanings.LIMIT,
    "LimitsTable": meanings.LIMITS,
    "ApiTable": meanings.API,
    "StateTable": meanings.STATE,
    "ApplyTable": meanings.APPLY,
}
_TABLES: Final[dict[str, Any]] = {
    "api": models.ApiTable,
    "state": models.StateTable,
    "apply": models.ApplyTable,
    "limits": models.LimitsTable,
    "variables": models.VariableTable,
    "specs": models.SpecsTable,
    "defaults": models.RunTable,
    "run": DeclarationTable,
    "moved": models.MovedTable,
    "import": models.ImportTable,
}


def schema() -> _Schema:
    """The whole schema."""
    definitions = dict(_SHARED)
    tables = {name: _table(table, definitions) for name, table in _TABLES.items()}
    for name in ("run", "variables"):
        tables[name] = {"type": "object", "propertyNames": _named(), "additionalProperties": tables[name]}
    tables["specs"]["propertyNames"] = _named()
    for name in ("moved", "import"):
        tables[name] = {"type": "array", "items": tables[name]}
    # In environments/NAME.toml a variable has a value instead of a declaration.
    value = {"type": ["string", "number", "boolean", "array"]}
    tables["variables"]["additionalProperties"] = {"anyOf": [tables["variables"]["additionalProperties"], value]}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": f"Made by `reconciler schema`, version {__version__}; it is made anew, not edited.",
        "title": "reconciler",
        "description": "Dataframer generation runs as they are to be.",
        "type": "object",
        "properties": {name: table | {"description": meanings.TABLES[name].text} for name, table in tables.items()},
        "additionalProperties": False,
        "definitions": definitions,
    }


def schema_text() -> str:
    """The schema as it is written to a file."""
    return json.dumps(schema(), indent=1) + "\n"


def keys(table: str) -> dict[str, _Schema]:
    """The keys of a table of the files, such as ``api``, as pydantic describes them, with all that they refer to."""
    return keys_of(_TABLES[table])


def keys_of(kind: Any) -> dict[str, _Schema]:
    """The same of any table, by its type."""
    raw = TypeAdapter(kind).json_schema()
    found: dict[str, _Schema] = _resolved(raw.get("properties", {}), raw.get("$defs", {}))
    return found


def _resolved(node: Any, definitions: Mapping[str, _Schema]) -> Any:
    if isinstance(node, list):
        return [_resolved(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _resolved(definitions[node["$ref"].rpartition("/")[2]], definitions)
    return {key: _resolved(value, definitions) for key, value in node.items()}


def _named() -> _Schema:
    return {"pattern": f"^{_NAME}$"}


def _table(table: Any, definitions: dict[str, _Schema]) -> _Schema:
    """A table as an object; what it refers to goes to ``definitions``."""
    raw = TypeAdapter(table).json_schema(ref_template="#/definitions/{model}")
    for name, definition in raw.pop("$defs", {}).items():
        if name not in definitions:
            definitions[name] = _dressed(definition)
    return _dressed(raw)


def _dressed(node: _Schema) -> _Schema:
    """Without what pydantic says of our code; with meanings, references to variables, and rules between the keys."""
    name = node.get("title", "")
    node = {key: value for key, value in node.items() if key not in ("title", "description")}
    if "anyOf" in node:
        node["anyOf"] = [_dressed(item) for item in node["anyOf"]]
    if "items" in node:
        node["items"] = _or_variable(_dressed(node["items"]))
        if not {"enum", "const"}.isdisjoint(node["items"].get("anyOf", [{}])[0]):  # words: each once
            node["uniqueItems"] = True
    if isinstance(node.get("additionalProperties"), dict):
        node["additionalProperties"] = _or_variable(_dressed(node["additionalProperties"]))
    if "properties" in node:
        known = _KEYS[name]
        node["properties"] = {key: _key(key, value, known[key]) for key, value in node["properties"].items()}
        if name == "MatrixTable":
            for axis in node["properties"].values():
                axis["uniqueItems"] = True
        for key, rule in _KEY_RULES.items():
            if key[0] == name:
                node["properties"][key[1]] |= rule
        node |= _RULES.get(name, {})
    return node


def _key(name: str, value: _Schema, meaning: Meaning) -> _Schema:
    value = _dressed(value)
    model = {"$ref": "#/definitions/model"}
    if name in MODEL_FIELDS:
        value = value | {"items": model} if value.get("type") == "array" else model
    value = _or_variable(value)
    value = {"allOf": [value]} if "$ref" in value else value  # what stands beside a reference is not read
    default = tomllib.loads(f"it = {meaning.default}")["it"] if meaning.default else None
    return {"description": meaning.text} | ({} if default is None else {"default": default}) | value


def _or_variable(value: _Schema) -> _Schema:
    """The value, or a text with ``${var.NAME}`` in it; for anything but texts, such a reference alone."""
    options: list[_Schema] = value.get("anyOf", [value])
    texts = [option for option in options if option.get("type") == "string"]
    if any({"pattern", "enum", "const"}.isdisjoint(option) for option in texts):
        return value  # any text fits already
    if all("$ref" in option or option.get("type") == "object" for option in options):
        return value
    if len(options) == 1 and "pattern" in value:
        return value | {"pattern": f"{value['pattern']}|{_VARIABLE}"}
    if len(options) == 1 and not texts:  # a bound says nothing of texts, a pattern nothing of numbers
        return value | {"type": [value["type"], "string"], "pattern": f"^{_VARIABLE}$"}
    kind = "text" if len(texts) == len(options) else "reference"
    return {"anyOf": [*options, {"$ref": f"#/definitions/{kind}"}]}


def _not_both(*names: str) -> list[_Schema]:
    return [{"not": {"required": [one, other]}} for n, one in enumerate(names) for other in names[n + 1 :]]


_HOST: Final = r"[^?#@\\\s]+"
_LOOPBACK: Final = r"([Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]|127\.[0-9.]+|\[::1\])(:[0-9]*)?(/[^?#@\\\s]*)?"
_KEY_RULES: Final[dict[tuple[str, str], _Schema]] = {
    ("ApiTable", "base_url"): {
        "pattern": rf"{_VARIABLE}|^emulator$|^[Hh][Tt][Tt][Pp][Ss]://{_HOST}$|^[Hh][Tt][Tt][Pp]://{_LOOPBACK}$"
    },
    ("StateTable", "url"): {"not": {"type": "string", "pattern": r"^postgres(ql)?://[^/?@]*:[^/?@]+@|[?&]password="}},
}
_ONE_SPEC: Final = _not_both("spec", "spec_id", "spec_name")
_PLAIN: Final = {"not": {"anyOf": [{"required": [key]} for key in ("for_each", "matrix")]}}


def _when_plain(present: str, then: _Schema) -> _Schema:
    """A rule for declarations whose own fields are those of every run: none that expands may set them otherwise."""
    return {"if": {"allOf": [_PLAIN, {"required": [present]}]}, "then": {"properties": then}}


_TYPES: Final = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean", "list": "array"}


def _typed(word: str, kind: str) -> _Schema:
    """A rule for variables of one type."""
    of_type: _Schema = {"default": {"type": kind}}
    if kind != "array":
        of_type["allowed"] = {"items": {"type": kind}}
    return {"if": {"required": ["type"], "properties": {"type": {"const": word}}}, "then": {"properties": of_type}}


_RULES: Final[dict[str, _Schema]] = {
    "VariableTable": {"allOf": [_typed(word, kind) for word, kind in _TYPES.items()]},
    "SecretTable": {"minProperties": 1, "maxProperties": 1},
    "PointTable": {"allOf": _ONE_SPEC},
    "MatrixTable": {"allOf": _ONE_SPEC},
    "RunTable": {"allOf": _ONE_SPEC},
    "DeclarationTable": {
        "allOf": [
            *_ONE_SPEC,
            *_not_both("for_each", "matrix", "shard_size"),
            *_not_both("enable_revisions", "revision_types"),
            *_not_both("enable_revisions", "filtering_types"),
            *(
                _when_plain(budget, {model: {"pattern": r"-thinking$|\$\{var\."}})
                for budget, model in BUDGET_OF.items()
            ),
            {
                "if": {"allOf": [_PLAIN, {"not": {"required": ["shard_size"]}}]},
                "then": {"properties": {"number_of_samples": {"maximum": MAX_SAMPLES}}},
            },
        ],
        "dependencies": {"matrix_exclude": ["matrix"], "matrix_include": ["matrix"]},
    },
}
