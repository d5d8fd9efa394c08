"""Positions in generated documents of every form: headers, arrays of tables, dotted keys, inline tables, any string.

The document is built from a model together with the place of each value, so the locator is held to what was written,
not to another reading of it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.config.positions import Lines, Path, header_offsets, locate

TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")) | st.sampled_from("\"'\\#[]{}=,. \n"), max_size=8
)
NAMES = st.sampled_from(["a", "b-c", "9", "_"]) | TEXTS.filter(lambda text: "\n" not in text)


@dataclass
class Writer:
    """Text so far, and where each path's value begins and how it reads."""

    newline: str = "\n"
    text: str = ""
    at: dict[Path, tuple[int, str]] = field(default_factory=dict)

    def put(self, text: str) -> None:
        self.text += text

    def value(self, path: Path, value: Any, style: int) -> None:
        start = len(self.text)
        match value:
            case dict():
                self.put("{ ")
                for number, (key, item) in enumerate(value.items()):
                    self.put((", " if number else "") + basic(key) + " = ")
                    self.value((*path, key), item, style)
                self.put(" }")
            case list():
                self.put("[" + (f'{self.newline}  # [ ] \' """{self.newline}' if style % 2 else " "))
                for number, item in enumerate(value):
                    self.value((*path, number), item, style + 1)
                    self.put(
                        ("," if style % 2 or number + 1 < len(value) else "") + (self.newline if style % 2 else " ")
                    )
                self.put("]")
            case str():
                self.put(string(value, style))
            case bool():
                self.put(str(value).lower())
            case _:
                self.put(str(value))
        self.at[path] = start, self.text[start:]


def basic(text: str) -> str:
    escaped = "".join(
        "\\" + c if c in '"\\' else f"\\u{ord(c):04X}" if ord(c) < 32 or ord(c) == 127 else c for c in text
    )
    return f'"{escaped}"'


def string(text: str, style: int) -> str:
    """One of the four ways to write a text, where it can be written so."""
    if style % 4 == 1 and "'" not in text and "\n" not in text:
        return f"'{text}'"
    if style % 4 == 2 and "\\" not in text and '"""' not in text and not text.endswith('"') and "\r" not in text:
        return f'"""\n{text}"""'
    if style % 4 == 3 and "'''" not in text and not text.endswith("'"):
        return f"'''\n{text}'''"
    return basic(text)


VALUES = st.recursive(
    st.integers(-999, 999) | st.booleans() | TEXTS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=3)


@settings(max_examples=250, deadline=None)
@given(
    tables=st.dictionaries(NAMES, st.dictionaries(NAMES, BODIES, max_size=2), max_size=2),
    many=st.lists(BODIES, max_size=3),
    dotted=BODIES,
    style=st.integers(0, 7),
    newline=st.sampled_from(["\n", "\r\n"]),
)
@example(tables={}, many=[{}, {"a": '"'}], dotted={"é": ["'"]}, style=2, newline="\r\n")
def test_every_value_is_found_where_it_was_written(
    tables: dict[str, dict[str, dict[str, Any]]],
    many: list[dict[str, Any]],
    dotted: dict[str, Any],
    style: int,
    newline: str,
) -> None:
    writer = Writer(newline)
    for key, value in dotted.items():
        writer.put(f"top . {basic('q.q')}\t.{basic(key)} = ")
        writer.value(("top", "q.q", key), value, style)
        writer.put(f" # = [{newline}")
    for name, inner in tables.items():
        for second, body in inner.items():
            writer.put(f"[ {basic('t' + name)} . {basic(second)} ] # {{ [[{newline}")
            write_body(writer, ("t" + name, second), body, style)
    for number, body in enumerate(many):
        writer.put(f"{newline}[[many]]{newline}")
        write_body(writer, ("many", number), body, style + number)
    tomllib.loads(writer.text)
    spans, lines = locate(writer.text, writer.at), Lines(writer.text)
    for path, (start, written) in writer.at.items():
        assert writer.text[spans[path].value :].startswith(written), path
        assert spans[path].value == start, path
        line, column = lines.at(start)
        assert line == writer.text[:start].count("\n") + 1
        assert column == start - (writer.text.rfind("\n", 0, start) + 1) + 1


def write_body(writer: Writer, path: Path, body: dict[str, Any], style: int) -> None:
    for key, value in body.items():
        writer.put(f"  {basic(key)} = ")
        writer.value((*path, key), value, style)
        writer.put(f' # it\'s """ {writer.newline}')


@pytest.mark.parametrize(
    ("text", "path", "key", "value"),
    [
        ('a = """\n[b]\nc = 1\n"""\n[b]\nc = 2\n', ("b", "c"), (6, 1), (6, 5)),
        ("a = '''\n[b]\nc = 1'''\n[b]\nc = 2\n", ("b", "c"), (5, 1), (5, 5)),
        ('a = """x""""\nb = 1\n', ("b",), (2, 1), (2, 5)),
        ("a = '''x'''''\nb = 1\n", ("b",), (2, 1), (2, 5)),
        ('a = "\\\\"\nb = "\\""\nc = 3\n', ("c",), (3, 1), (3, 5)),
        ('"" = 1\n"=" = 2\n', ("=",), (2, 1), (2, 7)),
        ('a."b.c".\'d"e\' = 7\n', ("a", "b.c", 'd"e'), (1, 1), (1, 17)),
        ("[a]\n[a.b.c]\nd = 1\n", ("a", "b", "c", "d"), (3, 1), (3, 5)),
        ("[a.b]\nx = 1\n[a]\ny = 2\n", ("a", "y"), (4, 1), (4, 5)),
        ("[[a]]\n[[a.b]]\nx=1\n[[a.b]]\nx=2\n[[a]]\n[[a.b]]\nx=3\n", ("a", 1, "b", 0, "x"), (8, 1), (8, 3)),
        ("[[a]]\n[a.c]\nx=1\n[[a]]\n[a.c]\nx=2\n", ("a", 1, "c", "x"), (6, 1), (6, 3)),
        ("a = { b = { c = [ 1, { d = 2 } ] } }\n", ("a", "b", "c", 1, "d"), (1, 24), (1, 28)),
        ("a = [ # one ]\n 1, # two ,\n\n 2 ]\n", ("a", 1), (4, 2), (4, 2)),
        ("a = 1979-05-27T07:32:00Z\nb = 1\n", ("b",), (2, 1), (2, 5)),
        ("a = +1_000.5e-3 # x\nb = inf\n", ("b",), (2, 1), (2, 5)),
        ("é = 1\n".replace("é", '"é"') + '"𝄞" = { "ß" = 2 }\n', ("𝄞", "ß"), (2, 9), (2, 15)),
        ("a = 1\n\n[b]", ("b",), (3, 1), (3, 1)),
        ("a = 1", ("a",), (1, 1), (1, 5)),
        ("", ("a",), (1, 1), (1, 1)),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_each_form(text: str, path: Path, key: tuple[int, int], value: tuple[int, int], newline: str) -> None:
    text = text.replace("\n", newline)
    tomllib.loads(text)
    span, lines = locate(text, [path])[path], Lines(text)
    assert (lines.at(span.key), lines.at(span.value)) == (key, value)


def test_headers_that_are_none_do_not_hide_the_declaration() -> None:
    text = 'x = """\n[run.a]\n"""\n# [run.a]\n[run.a]\nb = 1\n'
    assert locate(text, [("run", "a")])[("run", "a")].key == text.rindex("[run.a]")


@pytest.mark.parametrize("quotes", ['"""', "'''"])
def test_quick_headers_agree_with_the_exact_ones(quotes: str) -> None:
    fake = f"x = {quotes}\n[run.a]\n[run.c]\n{quotes}\n"
    text = f"{fake}[run.a]\n{fake}[ run . c ]\n{fake}"
    exact, quick = locate(text, [("run", "a"), ("run", "c")]), header_offsets(text)
    assert (quick["a"], quick["c"]) == (exact[("run", "a")].key, exact[("run", "c")].key)


@pytest.mark.parametrize("elements", [999, 1_000, 1_001, 100_000])
def test_a_huge_array_is_pointed_at_as_a_whole(elements: int) -> None:
    text = "a = [" + "7, " * elements + "]\nb = 3\n"
    spans = locate(text, [("a", elements - 1), ("b",)])
    assert spans[("a", elements - 1)].value == (5 + 3 * (elements - 1) if elements <= 1_000 else 4)
    assert spans[("b",)].value == text.rindex("3")
