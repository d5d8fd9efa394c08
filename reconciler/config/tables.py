"""Checks of one table at a time: each table of a project is looked at once, however many instances share it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from reconciler.config.checking import check
from reconciler.config.findings import Finding, error, moved_to
from reconciler.config.layers import Layer
from reconciler.config.models import OwnTable, RunTable
from reconciler.config.plain import plain
from reconciler.config.variants import EXPANDING
from reconciler.dataframer.fields import LIST_FIELDS, SECRET_FIELDS

_RUN_KEYS: Final = tuple(RunTable.__annotations__)
_OWN_KEYS: Final = (*OwnTable.__annotations__, *EXPANDING)
_EXPANDING: Final = frozenset(EXPANDING)
_OWN, _RUN = plain(OwnTable), plain(RunTable)
_LOOKED_AT: Final = frozenset({*SECRET_FIELDS, *LIST_FIELDS})


class Tables:
    """Looks at layers, and remembers the keys of each that are no ground for further conclusions."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._unsound: dict[int, set[str]] = {}
        self._odd: set[int] = set()  # with something to tell

    def right(self, layer: Layer, *, is_declaration: bool = False) -> bool:
        """Whether a table is known to be right, or plainly so. What is not may be right all the same: ``look_at``."""
        if id(layer) in self._seen:
            return id(layer) not in self._unsound and id(layer) not in self._odd
        if layer.alone or layer.document.broken:
            return False
        table = layer.table
        if is_declaration and not _EXPANDING.isdisjoint(table):
            return False
        if not (_OWN if is_declaration else _RUN)(table) or _further(layer, None):
            return False
        self._seen.add(id(layer))
        return True

    def look_at(self, layer: Layer, address: str | None, *, is_declaration: bool = False) -> list[Finding]:
        """What is wrong with a table, the first time that it is seen."""
        if id(layer) in self._seen:
            return []
        self._seen.add(id(layer))
        table, known = layer.table, _OWN_KEYS if is_declaration else _RUN_KEYS
        if is_declaration and not _EXPANDING.isdisjoint(table):
            table = {key: value for key, value in table.items() if key not in _EXPANDING}
        kind = OwnTable if is_declaration else RunTable
        found = check(kind, table, layer.document, layer.path, known, address)
        if layer.alone and found:
            found = [moved_to(item, (*layer.path, *item.path[len(layer.path) + 1 :])) for item in found]
        found += _further(layer, address)
        if found:
            self._odd.add(id(layer))
        keys = _keys_of(found, layer)
        if keys:
            self._unsound[id(layer)] = keys
        return found

    def unsound(self, layers: Iterable[Layer]) -> set[str]:
        """The keys that are wrong in one of the layers."""
        if not self._unsound:
            return set()
        return set().union(*(self._unsound.get(id(layer), ()) for layer in layers))


def _further(layer: Layer, address: str | None) -> list[Finding]:
    if _LOOKED_AT.isdisjoint(layer.table):
        return []
    found: list[Finding] = []
    for name in SECRET_FIELDS:
        ref = layer.table.get(name)
        if isinstance(ref, dict) and len(ref) != 1:
            detail = f"{name} needs one of env and file."
            found.append(
                error(layer.document, layer.place(name), "A secret must be a reference", detail, address=address)
            )
    for name in LIST_FIELDS:
        value = layer.table.get(name)
        if isinstance(value, list) and len(value) > 1 and len(set(map(str, value))) != len(value):
            detail = f"{name} names a value twice."
            found.append(error(layer.document, layer.place(name), "Named twice", detail, address=address))
    return found


def _keys_of(findings: list[Finding], layer: Layer) -> set[str]:
    """Keys of a table with problems; for an unknown key also the one that was probably meant."""
    if layer.alone:
        return set(layer.table) if findings or layer.path in layer.document.broken else set()
    depth = len(layer.path)
    keys = {str(finding.path[depth]) for finding in findings if len(finding.path) > depth}
    keys.update(str(path[depth]) for path in layer.document.broken if path[:depth] == layer.path and len(path) > depth)
    if not keys:
        return keys
    import difflib  # only for who made a mistake

    return keys.union(*(difflib.get_close_matches(key, _RUN_KEYS, n=1) for key in keys))
