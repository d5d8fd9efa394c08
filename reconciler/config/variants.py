"""What a declaration expands into: a table of keys (``for_each``), the points of a ``matrix``, or equal shards."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any, Final

from msgspec import Struct, field

from reconciler.config.findings import Finding, error
from reconciler.config.layers import Layer, Values
from reconciler.dataframer.fields import MAX_SAMPLES

WAYS: Final = ("for_each", "matrix", "shard_size")
EXPANDING: Final = ("for_each", "matrix", "matrix_exclude", "matrix_include")
MAX_INSTANCES: Final = 100_000  # of one declaration
MAX_KEY: Final = 300  # characters of a key of for_each, or of one value in the key of a matrix's instance


class Variant(Struct, frozen=True):
    """What one instance has of its own: its key, and the layers above the declaration with their values."""

    key: str
    layers: tuple[Layer, ...] = ()
    values: Values = field(default_factory=dict)


def too_many(own: Layer, key: str) -> Finding:
    """The finding for a declaration that expands without measure."""
    detail = f"{name_of(own)} expands into more than {MAX_INSTANCES:,} instances."
    path = (*own.path, key)
    return error(own.document, path, "Too many instances", detail, "Split the declaration.", address=name_of(own))


def nothing(own: Layer, key: str) -> Finding:
    """The finding for a declaration that expands into no instance."""
    fix = "Add an instance, or remove the declaration."
    detail = f"{key} leaves {name_of(own)} without any instance."
    return error(own.document, (*own.path, key), "It expands into nothing", detail, fix, address=name_of(own))


def name_of(own: Layer) -> str:
    """``run.NAME`` of a declaration."""
    return f"run.{own.path[1]}"


def keyed(own: Layer) -> tuple[list[Variant], list[Finding]]:
    """``for_each``: a table of keys, each with what differs there."""
    table, path, name = own.table["for_each"], (*own.path, "for_each"), name_of(own)
    if not isinstance(table, dict):
        fix = "Write for_each = { KEY = { … }, … }, or [run.NAME.for_each.KEY] tables."
        return [], [error(own.document, path, "Wrong type", "for_each must be a table of keys.", fix, address=name)]
    if not table:
        return [], [nothing(own, "for_each")]
    if len(table) > MAX_INSTANCES:
        return [], [too_many(own, "for_each")]
    found: list[Variant] = []
    wrong: list[Finding] = []
    for key, values in table.items():
        if not key:
            detail = "A key of for_each is empty: nobody could name its instance."
            wrong.append(error(own.document, (*path, key), "Malformed name", detail, address=name, on_key=True))
        elif len(key) > MAX_KEY:
            detail = f"A key of for_each has more than {MAX_KEY} characters; it becomes a part of addresses."
            wrong.append(error(own.document, (*path, key), "Malformed name", detail, address=name, on_key=True))
        elif not isinstance(values, dict):
            fix = f"Write {key} = {{}} where nothing differs."
            detail = f"for_each.{key} must be a table of what differs."
            wrong.append(error(own.document, (*path, key), "Wrong type", detail, fix, address=name))
        else:
            found.append(Variant(key, (Layer(own.document, (*path, key), values),), values))
    return found, wrong


def can_shard(size: Any, samples: Any) -> bool:
    """Whether the numbers are right; where they are not, that is told elsewhere."""
    numbers = all(isinstance(number, int) and not isinstance(number, bool) and number > 0 for number in (size, samples))
    return numbers and bool(size <= MAX_SAMPLES)


def shards(own: Layer, size: Any, samples: Any, deciding: Layer | None) -> tuple[Sequence[Variant], list[Finding]]:
    """``shard_size``: runs of so many samples each, the last one of what is left; one shard where the numbers are
    wrong. ``deciding``: the layer that says how many samples there are in all.
    """
    if deciding is None or not can_shard(size, samples):
        return [Variant("0")], []
    count = -(-samples // size)
    if count > MAX_INSTANCES:
        return [], [too_many(own, "shard_size")]
    path = deciding.place("number_of_samples")

    def of(number: int) -> tuple[tuple[Layer, ...], Values]:
        values = {"number_of_samples": number}
        return (Layer(deciding.document, path, values, alone=True),), values

    whole, last = of(size), of(samples - size * (count - 1))
    parts = [*repeat(whole, count - 1), last]
    return [Variant(str(number), *part) for number, part in enumerate(parts)], []
