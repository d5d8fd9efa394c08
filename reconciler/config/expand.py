"""Stage 2: declarations to instances that still have to be validated.

A declaration takes its file's ``[defaults]``, then those of reconciler.toml. ``for_each``, ``matrix`` and
``shard_size`` lay what an instance has of its own above it; without them one declaration is one instance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from reconciler.config.findings import Finding, error
from reconciler.config.layers import Declared, Layer, Values, in_force, laid_over
from reconciler.config.load import Document, Loaded
from reconciler.config.matrix import points
from reconciler.config.positions import Lines, Path, locate
from reconciler.config.variants import EXPANDING, WAYS, Variant, can_shard, keyed, name_of, shards
from reconciler.model.address import NAME, format_address
from reconciler.model.diagnostics import Severity

MOST_INSTANCES: Final = 250_000  # of a whole project: a few lines may ask for more than any machine holds
_NO_FIELDS = frozenset({*EXPANDING, "shard_size", "depends_on"})


class Declaration(Struct, frozen=True):
    """One ``[run.NAME]`` table: ``own`` holds all of it, ``variants`` what its instances have of their own."""

    name: str
    own: Layer
    instances: tuple[Declared, ...]
    broken: bool = False  # instances may be missing, because of an error that is told

    @property
    def is_keyed(self) -> bool:
        """Whether each instance has a line of its own."""
        return "for_each" in self.own.table


class Expanded(Struct, frozen=True):
    """Every declaration, and every defaults table that has to be validated on its own."""

    declarations: tuple[Declaration, ...]
    defaults: tuple[Layer, ...]
    findings: tuple[Finding, ...]


def expand(loaded: Loaded) -> Expanded:
    """Merge declarations with their defaults, expand them, and refuse names that are given twice."""
    findings: list[Finding] = []
    declarations: list[Declaration] = []
    seen: dict[str, Document] = {}
    count = 0
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
        below = in_force(weaker)
        for name, table in runs.items():
            path: Path = ("run", name)
            problem = _problem(document, path, name, table, seen)
            if problem is not None:
                findings.append(problem)
                continue
            seen[name] = document
            own = Layer(document, path, table)
            if count > MOST_INSTANCES:  # told already
                declarations.append(Declaration(name, own, (), broken=True))
                continue
            declarations.append(_declaration(name, own, weaker, below, findings))
            count += len(declarations[-1].instances)
            if count > MOST_INSTANCES:
                declarations[-1] = Declaration(name, own, (), broken=True)
                detail = f"With {name_of(own)}, this project declares more than {MOST_INSTANCES:,} runs."
                fix = "Split the project: each part has a folder and a state of its own."
                findings.append(error(document, path, "Too many instances", detail, fix, address=name_of(own)))
    tables = tuple(layer for layers in defaults.values() for layer in layers)
    return Expanded(tuple(declarations), tables, tuple(findings))


def _declaration(
    name: str, own: Layer, weaker: tuple[Layer, ...], below: Values, findings: list[Finding]
) -> Declaration:
    fields = own.table
    if not _NO_FIELDS.isdisjoint(fields):
        fields = {key: value for key, value in fields.items() if key not in _NO_FIELDS}
    base, layers = laid_over(below, fields), (own, *weaker)
    variants, problems = _variants(own, base, layers)
    findings.extend(problems)
    broken = any(problem.severity is Severity.ERROR for problem in problems)
    broken = broken or any(layer.document.broken for layer in layers)
    if variants is None:
        return Declaration(name, own, (Declared(format_address(name), layers, base),), broken=broken)
    instances: list[Declared] = []
    above: tuple[Layer, ...] | None = None
    for variant in variants:
        if variant.layers is not above:  # shards share all that they have
            above, together = variant.layers, (*variant.layers, *layers)
            values = laid_over(base, variant.values)
        instances.append(Declared(format_address(name, variant.key), together, values))
    broken = broken or (
        "shard_size" in own.table and not can_shard(own.table["shard_size"], base.get("number_of_samples"))
    )
    return Declaration(name, own, tuple(instances), broken=broken)


def _variants(own: Layer, base: Values, layers: tuple[Layer, ...]) -> tuple[Sequence[Variant] | None, list[Finding]]:
    """What a declaration expands into; None for one that is one instance."""
    ways = [key for key in WAYS if key in own.table]
    if len(ways) > 1:
        detail = f"{name_of(own)} has {' and '.join(ways)}; a declaration expands in one way."
        path = (*own.path, ways[1])
        return (), [error(own.document, path, "Two ways to expand", detail, "Keep one.", address=name_of(own))]
    loose = [key for key in ("matrix_exclude", "matrix_include") if key in own.table and "matrix" not in own.table]
    if loose:
        detail = f"{loose[0]} belongs to a matrix, and {name_of(own)} has none."
        return None, [
            error(own.document, (*own.path, loose[0]), "A field without effect", detail, address=name_of(own))
        ]
    match ways:
        case ["for_each"]:
            return keyed(own)
        case ["matrix"]:
            return points(own)
        case ["shard_size"]:
            deciding = next((layer for layer in layers if "number_of_samples" in layer.table), None)
            return shards(own, own.table["shard_size"], base.get("number_of_samples"), deciding)
        case _:
            return None, []


def _defaults(document: Document, findings: list[Finding]) -> tuple[Layer, ...]:
    table = document.table.get("defaults", {})
    if not isinstance(table, dict):
        findings.append(error(document, ("defaults",), "Wrong type", "defaults must be a table.", "[defaults]"))
        return ()
    fields: dict[str, Any] = {key: value for key, value in table.items() if key not in _NO_FIELDS}
    for key in table:
        if key in _NO_FIELDS:
            detail = f"{key} belongs to a declaration, not to [defaults]."
            fix = "Move it into [run.NAME]."
            findings.append(error(document, ("defaults", key), "Key not allowed here", detail, fix, on_key=True))
    return (Layer(document, ("defaults",), fields),) if fields else ()


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
