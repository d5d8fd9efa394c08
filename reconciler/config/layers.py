"""Layers of values: defaults, a declaration above them, and above it what an instance has of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.config.load import Document
from reconciler.config.positions import Path
from reconciler.model.address import Address

SPEC_KEYS: Final = ("spec", "spec_id", "spec_name")
_SPEC_KEYS: Final = frozenset(SPEC_KEYS)

Values = dict[str, Any]


class Layer(Struct, frozen=True):
    """A table that contributes values. ``alone``: it holds one value, which stands at ``path`` itself."""

    document: Document
    path: Path
    table: Values
    alone: bool = False

    def place(self, key: str) -> Path:
        """Where the value of a key stands."""
        return self.path if self.alone else (*self.path, key)

    @property
    def is_default(self) -> bool:
        """Whether it is a table of defaults."""
        return self.path[0] == "defaults"


class Declared(Struct, frozen=True):
    """One instance before validation: ``layers`` from the strongest to the weakest, ``values`` as they are in force."""

    address: Address
    layers: tuple[Layer, ...]
    values: Values

    def layer(self, key: str) -> Layer | None:
        """The layer that decides a key. The three ways to name a spec are one choice: the strongest that makes it."""
        return deciding(self.layers, key)

    @property
    def home(self) -> Layer:
        """The table that is this instance's own, or its declaration's."""
        return next(layer for layer in self.layers if not layer.alone)


def deciding(layers: Iterable[Layer], key: str) -> Layer | None:
    """As ``Declared.layer``."""
    keys = SPEC_KEYS if key in SPEC_KEYS else (key,)
    found = next((layer for layer in layers if any(name in layer.table for name in keys)), None)
    return found if found is not None and key in found.table else None


def laid_over(below: Values, table: Mapping[str, Any]) -> Values:
    """The values in force when a table is laid over others. Values are shared, not copied."""
    chooses = not _SPEC_KEYS.isdisjoint(table)
    values = {key: value for key, value in below.items() if key not in SPEC_KEYS} if chooses else dict(below)
    values.update(table)
    if "lifecycle" in table and "lifecycle" in below:  # merged key by key
        lower, upper = below["lifecycle"], table["lifecycle"]
        values["lifecycle"] = {**lower, **upper} if isinstance(lower, dict) and isinstance(upper, dict) else upper
    return values


def in_force(layers: Iterable[Layer]) -> Values:
    """The values of layers that are given from the strongest to the weakest."""
    values: Values = {}
    for layer in reversed(tuple(layers)):
        values = laid_over(values, layer.table) if values else layer.table
    return values


class Emptied:
    """Makes layers that know their keys, and no values: those of 100,000 instances are 100 MB, and are needed no more
    once the instances are made.
    """

    def __init__(self) -> None:
        self._documents: dict[int, Document] = {}
        self._tables: dict[tuple[str, ...], Values] = {}
        self._known: dict[int, Layer] = {}

    def of(self, layers: Iterable[Layer]) -> tuple[Layer, ...]:
        """The same layers, emptied. They must be kept alive until the last are made."""
        return tuple([self._known.get(id(layer)) or self._emptied(layer) for layer in layers])

    def _emptied(self, layer: Layer) -> Layer:
        document = self._documents.get(id(layer.document))
        if document is None:
            document = self._documents[id(layer.document)] = replace(layer.document, table={})
        keys = tuple(layer.table)
        table = self._tables.get(keys)
        if table is None:
            table = self._tables[keys] = dict.fromkeys(keys)
        made = self._known[id(layer)] = Layer(document, layer.path, table, layer.alone)
        return made
