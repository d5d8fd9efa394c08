"""The tables of the configuration reference, from the models: ``python -m tests.docs.configuration`` writes them.

The page's prose is written by hand; between ``<!-- keys of NAME -->`` and ``<!-- end -->`` stands what the models say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reconciler.config import meanings
from reconciler.config.meanings import Meaning
from reconciler.config.models import PATTERN_WORDS, UNBOUNDED
from reconciler.config.schema import keys, keys_of
from reconciler.dataframer.fields import MODEL_FIELDS
from tests.docs import watching

PAGE = Path(__file__).parent.parent.parent / "docs" / "configuration.md"
_PLACE = re.compile(r"(<!-- keys of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_MEANINGS: dict[str, Mapping[str, Meaning]] = {
    "api": meanings.API,
    "state": meanings.STATE,
    "apply": meanings.APPLY,
    "limits": meanings.LIMITS,
    "variables": meanings.VARIABLE,
    "run": meanings.RUN,
    "expanding": meanings.RUN,
    "lifecycle": meanings.LIFECYCLE,
    "moved": meanings.MOVED,
    "import": meanings.IMPORT,
}
_EXPANDING = ("for_each", "matrix", "matrix_include", "matrix_exclude", "shard_size", "depends_on")
_OBJECTS = {
    "SecretTable": "`{ env = … }`, `{ file = … }`",
    "LifecycleTable": "[a table](#lifecycle)",
    "MatrixTable": "a table of fields, each a list of values",
    "CountLimitTable": "`{ value, level }`",
    "CostLimitTable": "`{ value, level }`",
    "ModelsLimitTable": "`{ value, level }`",
    "PointTable": "tables",
    "RunTable": "tables",
}
TABLES = (*_MEANINGS, "watch")


def page(text: str) -> str:
    """The page with its tables as the models have them."""
    return _PLACE.sub(lambda found: f"{found[1]}{_table(found[2])}{found[3]}", text)


def places(text: str) -> list[str]:
    """The tables that a page holds."""
    return [found[2] for found in _PLACE.finditer(text)]


def _table(name: str) -> str:
    if name == "watch":
        return _rows([("key", "allowed", "default", "meaning"), ("---", "---", "---", "---"), *_watch()])
    rows = [("key", "allowed", "default", "meaning"), ("---", "---", "---", "---")]
    if not any(meaning.default for meaning in _MEANINGS[name].values()):
        rows = [(*row[:2], *row[3:]) for row in rows]
    for key, schema in _keys(name):
        meaning = _MEANINGS[name][key]
        default = (f"`{meaning.default}`" if meaning.default else "",) if len(rows[0]) == 4 else ()
        allowed = "the name of a model" if key in MODEL_FIELDS else _allowed(schema)
        rows.append((f"`{key}`", allowed, *default, meaning.text))
    return _rows(rows)


def _watch() -> Iterator[tuple[str, ...]]:
    """A row for each key of watch.toml."""
    for table, (shown, kind) in watching.tables().items():
        for key, schema in keys_of(kind).items():
            meaning = watching.MEANINGS[table][key]
            default = f"`{meaning.default}`" if meaning.default else ""
            yield f"`{shown}{key}`", watching.ALLOWED.get((table, key)) or _allowed(schema), default, meaning.text


def _rows(rows: list[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in rows)


def _keys(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if name == "lifecycle":
        yield from keys("run")["lifecycle"]["properties"].items()
    elif name in ("run", "expanding"):
        yield from ((key, value) for key, value in keys("run").items() if (key in _EXPANDING) is (name == "expanding"))
    else:
        yield from keys(name).items()


def _allowed(schema: Mapping[str, Any]) -> str:
    """What a value may be, in words."""
    kinds = [option.get("type") for option in schema.get("anyOf", ())]
    if {"string", "boolean", "integer"}.issubset(kinds):
        return "a value, or a list of values" if "array" in kinds else "a value"
    if kinds:
        return ", or ".join(dict.fromkeys(_allowed(option) for option in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return ", ".join(f'`"{word}"`' for word in schema.get("enum", [schema.get("const")]))
    match schema["type"]:
        case "object":
            return _OBJECTS.get(schema.get("title", ""), "a table of `KEY = { … }`")
        case "array":
            items = _allowed(schema["items"])
            plural = {"a text": "texts", "a value": "values"}.get(items, items)
            return f"a list of {plural}"
        case "integer" | "number":
            if "minimum" not in schema:
                return "a number"
            most = schema.get("maximum", UNBOUNDED)
            return f"from {schema['minimum']:,}" if most == UNBOUNDED else f"{schema['minimum']:,} to {most:,}"
        case "boolean":
            return "`true`, `false`"
        case _:
            return PATTERN_WORDS.get(schema.get("pattern", ""), "a text")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
