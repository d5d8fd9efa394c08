"""``[limits]``: what one plan may do. The environment's come before those of reconciler.toml, key by key."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final, get_args, get_type_hints

from reconciler.config.checking import check
from reconciler.config.findings import Finding, did_you_mean, error
from reconciler.config.load import Document
from reconciler.config.models import LimitsTable
from reconciler.config.positions import Lines, Path, locate
from reconciler.model.diagnostics import Source
from reconciler.model.limits import Level, Limit

NAMES: Final = tuple(LimitsTable.__annotations__)


@cache
def _kinds(name: str) -> tuple[Any, Any]:
    """For a plain value, and for a table of value and level."""
    plain, table = get_args(get_type_hints(LimitsTable, include_extras=True)[name])
    return plain, table


def read_limits(documents: Iterable[Document]) -> tuple[tuple[Limit, ...], list[Finding]]:
    """The limits, of each the one of the last document that has it. An empty list of models is no limit."""
    findings: list[Finding] = []
    chosen: dict[str, tuple[Document, Any]] = {}
    for document in documents:
        table = document.table.get("limits", {})
        if not isinstance(table, dict):
            findings.append(error(document, ("limits",), "Wrong type", "limits must be a table.", "[limits]"))
            continue
        for name, value in table.items():
            problems = _problems(document, name, value)
            findings += problems
            if not problems:
                chosen[name] = document, value
    places = _places(chosen)
    limits = [_limit(name, chosen[name][1], places[name]) for name in NAMES if name in chosen]
    return tuple(limit for limit in limits if limit.value != ()), findings


def _problems(document: Document, name: str, value: object) -> list[Finding]:
    path: Path = ("limits", name)
    if name not in NAMES:
        detail = f'"{name}" is no limit.{did_you_mean(name, NAMES)}'
        return [error(document, path, "Unknown key", detail, f"Allowed: {', '.join(NAMES)}.", on_key=True)]
    plain, table = _kinds(name)
    if isinstance(value, dict):
        return check(table, value, document, path, ("value", "level"), None)
    return check(plain, value, document, path, (), None)


def _limit(name: str, value: Any, source: Source) -> Limit:
    level = Level(value.get("level", Level.HARD)) if isinstance(value, dict) else Level.HARD
    plain = value["value"] if isinstance(value, dict) else value
    return Limit(name, tuple(plain) if isinstance(plain, list) else plain, level, source)


def _places(chosen: dict[str, tuple[Document, Any]]) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for document in {id(document): document for document, _ in chosen.values()}.values():
        names = [name for name, (where, _) in chosen.items() if where is document]
        spans, lines = locate(document.text, [("limits", name) for name in names]), Lines(document.text)
        found |= {name: Source(document.file, *lines.at(spans["limits", name].key)) for name in names}
    return found
