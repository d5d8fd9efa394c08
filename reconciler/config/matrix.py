"""``matrix``: every combination of the values of its axes, less ``matrix_exclude``, and ``matrix_include`` besides."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import Any, Final

from reconciler.config.checking import check
from reconciler.config.findings import Finding, did_you_mean, error, shown, warning
from reconciler.config.layers import SPEC_KEYS, Layer
from reconciler.config.models import PointTable
from reconciler.config.variants import MAX_INSTANCES, MAX_KEY, Variant, name_of, nothing, too_many
from reconciler.dataframer.fields import SECRET_FIELDS
from reconciler.model.address import format_address

AXES: Final = tuple(PointTable.__annotations__)
_MOST_LOOKUPS = 10 * MAX_INSTANCES  # points of the axes alone, for each set of axes that exclusions name
_Axes = dict[str, dict[str, Layer]]  # by name; layers by the text of their value


def points(own: Layer) -> tuple[list[Variant], list[Finding]]:
    """The instances of a matrix. Types and bounds of the values are checked later, with those of other tables."""
    axes, findings = _axes(own)
    if axes is None:
        return [], findings
    excluded, wrong = _excluded(own, axes)
    included, more = _included(own, axes)
    findings += wrong + more
    count = math.prod(len(values) for values in axes.values())
    if count * excluded.ways > _MOST_LOOKUPS:
        return [], [*findings, too_many(own, "matrix")]
    found = list(islice(_product(axes, excluded), MAX_INSTANCES + 1))
    if len(found) + len(included) > MAX_INSTANCES:
        return [], [*findings, too_many(own, "matrix")]
    for entry in excluded.entries:
        if not entry.matched and not own.document.broken:
            detail = f"This entry of matrix_exclude matches no point of {name_of(own)}'s matrix."
            path = (*own.path, "matrix_exclude", entry.index)
            findings.append(warning(own.document, path, "A field without effect", detail, "Remove or correct it."))
    seen: set[str] = set()
    kept: list[Variant] = []
    for variant in (*found, *included):
        if variant.key in seen:
            layer = variant.layers[0]
            address = format_address(str(own.path[1]), variant.key)
            detail = f"The matrix makes {address} twice."
            path = own.path if layer.alone else layer.path
            findings.append(error(own.document, path, "Two instances with one address", detail, address=address))
        else:
            seen.add(variant.key)
            kept.append(variant)
    if not kept and not findings:
        findings.append(nothing(own, "matrix"))
    return kept, findings


def _axes(own: Layer) -> tuple[_Axes | None, list[Finding]]:
    matrix, path, name = own.table["matrix"], (*own.path, "matrix"), name_of(own)
    if not isinstance(matrix, dict):
        fix = "Write matrix = { generation_model = [ … ], number_of_samples = [ … ] }."
        return None, [error(own.document, path, "Wrong type", "matrix must be a table of axes.", fix, address=name)]
    if not matrix:
        return None, [nothing(own, "matrix")]
    findings: list[Finding] = []
    axes: _Axes = {}
    for axis, values in sorted(matrix.items()):
        at = (*path, axis)
        if axis not in AXES:
            findings.append(_no_axis(own, at, axis))
        elif not isinstance(values, list) or not values:
            detail = f"The axis {axis} must be a list of the values that it takes, at least one."
            findings.append(error(own.document, at, "Wrong type", detail, f"Write {axis} = [ … ].", address=name))
        else:
            layers = [Layer(own.document, (*at, n), {axis: value}, alone=True) for n, value in enumerate(values)]
            axes[axis] = {}
            for layer in layers:
                text = _text(layer.table[axis])
                if len(text) > MAX_KEY:
                    detail = (
                        f"A value of the axis {axis} has more than {MAX_KEY} characters; it becomes a part of keys."
                    )
                    findings.append(error(own.document, layer.path, "Malformed value", detail, address=name))
                    continue
                first = axes[axis].setdefault(text, layer)
                if type(first.table[axis]) is not type(layer.table[axis]):
                    axes[axis].setdefault(shown(layer.table[axis]), layer)  # at least one is of the wrong type
                elif first is not layer:
                    detail = f"The axis {axis} has {text} twice."
                    findings.append(
                        error(own.document, layer.path, "Two instances with one address", detail, address=name)
                    )
    specs = [axis for axis in SPEC_KEYS if axis in axes]
    if len(specs) > 1:
        detail = f"{' and '.join(specs)} are ways to name one spec, so only one of them can be an axis."
        findings.append(error(own.document, (*path, specs[1]), "One spec is needed", detail, address=name))
    complete = len(axes) == len(matrix) and all(axes.values()) and len(specs) < 2
    return (axes if complete else None), findings


def _no_axis(own: Layer, path: tuple[str | int, ...], axis: str) -> Finding:
    if axis in SECRET_FIELDS:
        detail = f"{axis} is a secret: it can't tell instances apart."
        return error(own.document, path, "Unknown axis", detail, "Use for_each.", address=name_of(own), on_key=True)
    detail = f'"{axis}" is no axis of a matrix.{did_you_mean(axis, AXES)}'
    fix = f"Allowed: {', '.join(AXES)}."
    return error(own.document, path, "Unknown axis", detail, fix, address=name_of(own), on_key=True)


def _text(value: Any) -> str:
    """A value as it stands in an instance's key."""
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return "+".join(map(_text, value))
        case _:
            return str(value)


def _key(texts: Mapping[str, str]) -> str:
    return ",".join(f"{axis}={texts[axis]}" for axis in sorted(texts))


class _Entry:
    """One exclusion: the texts of the axes that it names."""

    def __init__(self, index: int, texts: dict[str, str]) -> None:
        self.index, self.texts, self.matched = index, texts, False


class _Excluded:
    """Exclusions by the axes that they name, so that each point is looked up once for each such set of axes."""

    def __init__(self, entries: list[_Entry]) -> None:
        self.entries = entries
        self._by_axes: dict[tuple[str, ...], dict[tuple[str, ...], list[_Entry]]] = defaultdict(dict)
        for entry in entries:
            names = tuple(entry.texts)
            self._by_axes[names].setdefault(tuple(entry.texts.values()), []).append(entry)

    @property
    def ways(self) -> int:
        """How many lookups a point needs, at least one."""
        return max(len(self._by_axes), 1)

    def holds(self, point: Mapping[str, str]) -> bool:
        """Whether an entry excludes the point; marks all that do."""
        out = False
        for names, entries in self._by_axes.items():
            for entry in entries.get(tuple(point[name] for name in names), ()):
                out = entry.matched = True
        return out


def _excluded(own: Layer, axes: _Axes) -> tuple[_Excluded, list[Finding]]:
    findings: list[Finding] = []
    entries: list[_Entry] = []
    for index, table in _tables(own, "matrix_exclude", findings):
        path = (*own.path, "matrix_exclude", index)
        unknown = [axis for axis in table if axis not in axes]
        for axis in unknown:
            detail = f'"{axis}" is no axis of this matrix.{did_you_mean(axis, axes)}'
            fix = f"Its axes: {', '.join(axes)}."
            findings.append(
                error(own.document, (*path, axis), "Unknown axis", detail, fix, address=name_of(own), on_key=True)
            )
        if not table:
            detail = "An entry of matrix_exclude without any axis would exclude everything."
            findings.append(error(own.document, path, "Malformed value", detail, address=name_of(own)))
        known = {axis: value for axis, value in table.items() if axis in axes}
        wrong = check(PointTable, known, own.document, path, AXES, name_of(own))
        findings += wrong
        if table and not unknown and not wrong:
            entries.append(_Entry(index, {axis: _typed(table[axis]) for axis in sorted(table)}))
    return _Excluded(entries), findings


def _typed(value: Any) -> str:
    """A text that is equal only for equal values of one type; lists are sets."""
    texts = sorted(map(_typed, value)) if isinstance(value, list) else [_text(value)]
    return f"{type(value).__name__} {' '.join(texts)}"


def _included(own: Layer, axes: _Axes) -> tuple[list[Variant], list[Finding]]:
    findings: list[Finding] = []
    found: list[Variant] = []
    for index, table in _tables(own, "matrix_include", findings):
        path = (*own.path, "matrix_include", index)
        missing = [axis for axis in axes if axis not in table]
        if missing:
            detail = f"An entry of matrix_include sets every axis; this one lacks {', '.join(missing)}."
            findings.append(error(own.document, path, "A key is missing", detail, address=name_of(own)))
        else:
            key = _key({axis: _text(table[axis]) for axis in axes})
            found.append(Variant(key, (Layer(own.document, path, table),), table))
    return found, findings


def _tables(own: Layer, key: str, findings: list[Finding]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tables of a list, with their indexes; what is none is told."""
    entries, path = own.table.get(key, []), (*own.path, key)
    if not isinstance(entries, list):
        detail, fix = f"{key} must be a list of tables.", f"Write {key} = [{{ … }}]."
        findings.append(error(own.document, path, "Wrong type", detail, fix, address=name_of(own)))
        return
    for index, table in enumerate(entries):
        if isinstance(table, dict):
            yield index, table
        else:
            detail = f"{key} must be a list of tables."
            findings.append(error(own.document, (*path, index), "Wrong type", detail, address=name_of(own)))


def _product(axes: _Axes, excluded: _Excluded) -> Iterator[Variant]:
    """The points that are not excluded, in the order of the axes' values."""
    typed = {id(layer): _typed(layer.table[axis]) for axis, values in axes.items() for layer in values.values()}
    names = tuple(axes)  # sorted
    for point in product(*(values.items() for values in axes.values())):
        layers = tuple(layer for _, layer in point)
        if excluded.entries and excluded.holds(
            {axis: typed[id(layer)] for axis, layer in zip(names, layers, strict=True)}
        ):
            continue
        key = ",".join([f"{axis}={text}" for axis, (text, _) in zip(names, point, strict=True)])
        values = {axis: layer.table[axis] for axis, layer in zip(names, layers, strict=True)}
        yield Variant(key, layers, values)
