"""Model names that are known, from dated lists (``catalogue.json``). The service decides; lists age."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import Enum
from functools import cache
from pathlib import Path

from msgspec import Struct


class ModelList(Struct, frozen=True):
    """The names that one source listed on one day, newest list last in the catalogue."""

    name: str
    date: str
    models: tuple[str, ...]


class Standing(Enum):
    """What the catalogue can say of a name."""

    LISTED = "listed"  # in the newest list
    DROPPED = "dropped"  # only in older lists
    MISSPELT = "misspelt"  # in none, but close to a listed one
    UNKNOWN = "unknown"  # in none, and like none


@cache
def catalogue() -> tuple[ModelList, ...]:
    """Every list, oldest first."""
    text = Path(__file__).with_name("catalogue.json").read_text("utf-8")
    return tuple(ModelList(item["name"], item["date"], tuple(item["models"])) for item in json.loads(text)["lists"])


@cache
def reference_databricks_models() -> frozenset[str]:
    """The ``databricks/`` names of the reference page, which need the three credentials."""
    return frozenset(name for name in catalogue()[0].models if name.startswith("databricks/"))


def close_names(word: str, names: Iterable[str], cutoff: float = 0.8) -> list[str]:
    """Names that the word may have been meant for, nearest first."""
    import difflib  # only for who made a mistake

    return difflib.get_close_matches(word, list(names), n=3, cutoff=cutoff)


def standing(model: str, extra: Iterable[str] = ()) -> tuple[Standing, tuple[str, ...]]:
    """What is known of a model name, with the names that it is close to (MISSPELT), or the last list that had it
    and the one that has not (DROPPED).
    """
    lists = catalogue()
    if model in lists[-1].models or model in extra:
        return Standing.LISTED, ()
    last = next((known for known in reversed(lists) if model in known.models), None)
    if last is not None:
        return Standing.DROPPED, (f"{last.name} of {last.date}", f"{lists[-1].name} of {lists[-1].date}")
    every = dict.fromkeys(name for known in reversed(lists) for name in known.models) | dict.fromkeys(extra)
    unprefixed = [name for name in every if name.partition("/")[2] == model]
    near = unprefixed or close_names(model, every, cutoff=0.88)
    return (Standing.MISSPELT, tuple(near)) if near else (Standing.UNKNOWN, ())
