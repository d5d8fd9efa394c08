"""Where a key or a value stands, in every way that TOML can be written."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.config.positions import Lines, Path, header_offsets, header_places, locate

TEXT = '''\
# [run.not_this]
[api] # comment with "quotes"
base_url = "x # no comment"
[run.a]
spec = "s" # [run.neither]
"quoted.key" = """
[run.in_a_string]
a = 1 \\""" more
"""
types = [
  "x", # c ]
  'y]', [ 1, { z = 2 } ]
]
lifecycle = { protect = true, deep.er = 1 }
dotted . "key" = 3
[[moved]]
from = 1
[[moved]]
from = """two"""
[ run . "b" ]
tabs\t=\t"value"
umlaut = { ä = 1, b = "ü", c = 2 }
'''.replace("ä = 1", '"ä" = 1')


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("api", "base_url"), (3, 1), (3, 12)),
        (("run", "a"), (4, 1), (4, 1)),
        (("run", "a", "spec"), (5, 1), (5, 8)),
        (("run", "a", "quoted.key"), (6, 1), (6, 16)),
        (("run", "a", "types", 0), (11, 3), (11, 3)),
        (("run", "a", "types", 1), (12, 3), (12, 3)),
        (("run", "a", "types", 2, 1, "z"), (12, 16), (12, 20)),
        (("run", "a", "lifecycle", "protect"), (14, 15), (14, 25)),
        (("run", "a", "lifecycle", "deep", "er"), (14, 31), (14, 41)),
        (("run", "a", "dotted", "key"), (15, 1), (15, 18)),
        (("moved", 0, "from"), (17, 1), (17, 8)),
        (("moved", 1, "from"), (19, 1), (19, 8)),
        (("run", "b", "tabs"), (21, 1), (21, 8)),
        (("run", "b", "umlaut", "c"), (22, 30), (22, 34)),
        (("run", "a", "nowhere"), (4, 1), (4, 1)),
        (("nothing", "at", "all"), (1, 1), (1, 1)),
    ],
)
def test_each_place(path: Path, key: tuple[int, int], value: tuple[int, int]) -> None:
    lines, span = Lines(TEXT), locate(TEXT, [path])[path]
    assert (lines.at(span.key), lines.at(span.value)) == (key, value)


def test_carriage_returns_do_not_shift_lines() -> None:
    text = TEXT.replace("\n", "\r\n")
    path: Path = ("run", "b", "tabs")
    assert Lines(text).at(locate(text, [path])[path].value) == (21, 8)


def test_headers_in_one_look() -> None:
    lines = Lines(TEXT)
    found = {name: lines.at(offset)[0] for name, offset in header_offsets(TEXT).items()}
    assert found["a"] == 4
    assert "not_this" not in found
    assert "neither" not in found
    for text in (TEXT, TEXT.replace("\n", "\r\n"), "[run.a]\n  [run.b]\n\n\n[run.c]"):
        lines = Lines(text)
        assert header_places(text) == {name: lines.at(at) for name, at in header_offsets(text).items()}


def test_elements_of_a_huge_array_are_told_by_the_array() -> None:
    text = "a = [" + "1, " * 5_000 + "2]\nb = 3\n"
    found = locate(text, [("a", 10), ("a", 4_999), ("b",)])
    assert found[("a", 10)].value > 5
    assert found[("a", 4_999)].value == text.index("[")
    assert Lines(text).at(found[("b",)].value) == (2, 5)


KEYS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=6) | st.sampled_from(
    ["a", "b-c", "d_1", "9"]
)
SCALARS = st.integers(-999, 999) | st.booleans() | st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


def quoted(text: str) -> str:
    escaped = "".join(
        f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else "\\" + c if c in '"\\' else c for c in text
    )
    return f'"{escaped}"'


def dump(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case str():
            return quoted(value)
        case list():
            return f"[ {', '.join(map(dump, value))} ]"
        case _:
            return "{ " + ", ".join(f"{quoted(key)} = {dump(item)}" for key, item in value.items()) + " }"


def paths(value: Any, path: Path = ()) -> list[tuple[Path, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in [((*path, key), item), *paths(item, (*path, key))]]


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=3))
def test_every_value_of_any_document_is_found(tables: dict[str, dict[str, Any]]) -> None:
    text = "".join(
        f"[{quoted(name)}] # {{ [ \n" + "".join(f"{quoted(key)} = {dump(value)} # ]\n" for key, value in table.items())
        for name, table in tables.items()
    )
    assert tomllib.loads(text) == tables
    wanted = [(path, value) for path, value in paths(tables) if len(path) > 1]
    spans = locate(text, [path for path, _ in wanted])
    for path, value in wanted:
        assert text.startswith(dump(value), spans[path].value), path
