"""Stage 2: declarations to instances that still have to be validated.

A declaration takes its file's ``[defaults]``, then those of reconciler.toml. Matrix, for_each, shards and variables
expand here when they come; until then one declaration is one instance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reconciler.config.findings import Finding, error
from reconciler.config.load import Document, Loaded
from reconciler.config.positions import Lines, Path, locate
from reconciler.model.address import NAME, Address, format_address

SPEC_KEYS = ("spec", "spec_id", "spec_name")


@dataclass(frozen=True, slots=True)
class Layer:
    """A table that contributes values: the declaration itself, or defaults."""

    document: Document
    path: Path
    table: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Declared:
    """One instance before validation; ``layers`` from the strongest to the weakest."""

    address: Address
    layers: tuple[Layer, ...]

    def value(self, key: str) -> Any:
        """The value in force, or None."""
        layer = self.layer(key)
        return None if layer is None else layer.table[key]

    def layer(self, key: str) -> Layer | None:
        """The layer that decides a key. The three ways to name a spec are one choice: the strongest that makes it."""
        keys = SPEC_KEYS if key in SPEC_KEYS else (key,)
        deciding = next((layer for layer in self.layers if any(name in layer.table for name in keys)), None)
        return deciding if deciding is not None and key in deciding.table else None

    def lifecycle(self) -> dict[str, Any]:
        """Its lifecycle table, merged key by key."""
        merged: dict[str, Any] = {}
        for layer in reversed(self.layers):
            merged |= layer.table.get("lifecycle", {})
        return merged


@dataclass(frozen=True, slots=True)
class Expanded:
    """Every instance, and every defaults table that has to be validated on its own."""

    declared: tuple[Declared, ...]
    defaults: tuple[Layer, ...]
    findings: tuple[Finding, ...]


def expand(loaded: Loaded) -> Expanded:
    """Merge declarations with their defaults, and refuse names that are given twice."""
    findings: list[Finding] = []
    declared: list[Declared] = []
    seen: dict[str, Document] = {}
    defaults = {id(document): _defaults(document, findings) for document in loaded.documents}
    common = next((defaults[id(document)] for document in loaded.documents if document.is_root), ())
    for document in loaded.documents:
        runs = document.table.get("run", {})
        if not isinstance(runs, dict):
            findings.append(
                error(document, ("run",), "Wrong type", "run must be a table of declarations.", "[run.NAME]")
            )
            continue
        weaker = common if document.is_root else (*defaults[id(document)], *common)
        for name, table in runs.items():
            path: Path = ("run", name)
            problem = _problem(document, path, name, table, seen)
            if problem is not None:
                findings.append(problem)
                continue
            seen[name] = document
            declared.append(Declared(format_address(name), (Layer(document, path, table), *weaker)))
    tables = tuple(layer for layers in defaults.values() for layer in layers)
    return Expanded(tuple(declared), tables, tuple(findings))


def _defaults(document: Document, findings: list[Finding]) -> tuple[Layer, ...]:
    table = document.table.get("defaults", {})
    if not isinstance(table, dict):
        findings.append(error(document, ("defaults",), "Wrong type", "defaults must be a table.", "[defaults]"))
        return ()
    return (Layer(document, ("defaults",), table),) if table else ()


def _problem(document: Document, path: Path, name: str, table: object, seen: dict[str, Document]) -> Finding | None:
    if not isinstance(table, dict):
        return error(document, path, "Wrong type", f"run.{name} must be a table.", f"Write [run.{name}].", on_key=True)
    if NAME.fullmatch(name) is None:
        detail = f'"{name}" is not a name: letters, digits, _ and -, not starting with a digit or -.'
        return error(document, path, "Malformed name", detail, "Rename the declaration.", on_key=True)
    if name in seen:
        first = seen[name]
        line, _ = Lines(first.text).at(locate(first.text, [path])[path].key)
        detail = f"run.{name} is declared at {first.file}:{line} as well."
        fix = "Rename or remove one of the two."
        return error(document, path, "Declared twice", detail, fix, address=f"run.{name}", on_key=True)
    return None
