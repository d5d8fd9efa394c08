"""The canonical form: what it looks like, that it says the same, and that it is its own canonical form."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.config import canonical as module
from reconciler.config.canonical import WIDTH, WouldChange, canonical

ROOT = Path(__file__).parent.parent.parent
LONG = ['"anthropic/claude-haiku-4-5"'] * 4
OPEN = "".join(f"  {name},\n" for name in LONG)

# name: what is written, and its canonical form.
LAYOUT = {
    "blanks around the equals sign": ("a=1\nb   =2\n", "a = 1\nb = 2\n"),
    "no indentation": ("[a]\n\tb = 1\n  # c\n", "[a]\nb = 1\n# c\n"),
    "headers": ('[ a . "b c" ]\n[[ d ]]#e\n', '[a."b c"]\n\n[[d]] #e\n'),
    "dotted keys": ("a . b.  'c' = 1\n", "a.b.'c' = 1\n"),
    "one blank line between tables": ("[a]\n[b]\n\n\n\n[c]\n", "[a]\n\n[b]\n\n[c]\n"),
    "a comment right above a table is the table's": ("a = 1\n# of b\n[b]\n", "a = 1\n\n# of b\n[b]\n"),
    "a comment apart from a table is not": ("a = 1\n# of a\n\n[b]\n", "a = 1\n# of a\n\n[b]\n"),
    "blank lines of the author, one at most": ("a = 1\n\n\n\nb = 2\nc = 3\n", "a = 1\n\nb = 2\nc = 3\n"),
    "none between a header and its first key": ("[a]\n\nb = 1\n", "[a]\nb = 1\n"),
    "none at the top and the end": ("\n\n# a\nb = 1\n\n\n", "# a\nb = 1\n"),
    "the first table keeps the comments above it": ("# a\n[b]\n", "# a\n[b]\n"),
    "the order is the author's": ("[b]\nz = 1\na = 2\n[a]\n", "[b]\nz = 1\na = 2\n\n[a]\n"),
    "nothing is aligned": ("a   = 1   # x\nbcd = 2   # y\n", "a = 1 # x\nbcd = 2 # y\n"),
    "numbers, dates and quotes": ("a = 1_000\nb = 'c'\nd = 0x1F\ne = 1979-05-27 07:32:00 # f\n",) * 2,
    "lists": ("a = [ 1,2 , 3]\nb = [ ]\nc = [[1],[ ]]\n", "a = [1, 2, 3]\nb = []\nc = [[1], []]\n"),
    "a list over several lines that fits": ("a = [\n  1,\n  2\n]\n", "a = [1, 2]\n"),
    "a comma after the last element keeps it open": ("a = [1,2,]\n", "a = [\n  1,\n  2,\n]\n"),
    "a list that is too long": (f"a = [{','.join(LONG)}]\n", f"a = [\n{OPEN}]\n"),
    "comments in lists": (
        "a = [ # 1\n1, # 2\n2 # 3\n , # 4\n # 5\n\n3\n# 6\n]\n",
        "a = [\n  # 1\n  1, # 2\n  2, # 3\n  # 4\n  # 5\n\n  3,\n  # 6\n]\n",
    ),
    "lists of lists": ("a = [[1, # x\n2], [3]]\n", "a = [\n  [\n    1, # x\n    2,\n  ],\n  [3],\n]\n"),
    "inline tables": ("a={b=1,c={d=[1,2]},e={ }}\n", "a = { b = 1, c = { d = [1, 2] }, e = {} }\n"),
    "a list within an inline table": (f"a = {{b = [{','.join(LONG)}],c=1}}\n", f"a = {{ b = [\n{OPEN}], c = 1 }}\n"),
    "strings of several lines": ('a = """\n  # no comment\n[b]\n\n\n"""\n',) * 2,
    "literal strings of several lines": ("a = '''\n  b = [1,2]\n'''  # c\n", "a = '''\n  b = [1,2]\n''' # c\n"),
    "strings that look like the end of a list": ("""a = ["]", ',', "#"]\n""",) * 2,
    "other line ends": ('a=1\r\n# b\r\nc = """\r\nd\r\n"""\r\n', 'a = 1\n# b\nc = """\nd\n"""\n'),
    "a byte order mark": ("\ufeffa = 1\n", "a = 1\n"),
    "no new line at the end": ("a = 1", "a = 1\n"),
    "blanks at the end of lines": ("a = 1  \n# b  \nc = 2\t\n", "a = 1\n# b\nc = 2\n"),
    "tables that are declared in pieces": ("[a.b]\n[c]\n[a]\nd.e = nan\n", "[a.b]\n\n[c]\n\n[a]\nd.e = nan\n"),
    "arrays of tables that go on further down": (
        "[[a]]#1\nx=1\n[b]\n[['a']]\n# c\n[a.d]\n[[a]]\n",
        "[[a]] #1\nx = 1\n\n[b]\n\n[['a']]\n\n# c\n[a.d]\n\n[[a]]\n",
    ),
    "dotted keys of one table, apart": (
        "a.b=1\nc.d=2\na.e.f=3\n# g\na.e.h=4\n",
        "a.b = 1\nc.d = 2\na.e.f = 3\n# g\na.e.h = 4\n",
    ),
    "dotted keys in inline tables": ("a={ b . c=1,b.d = [ 2 ]}\n", "a = { b.c = 1, b.d = [2] }\n"),
    "lines that look like headers": (
        "a = [\n[1], #]\n['''\n[b]\n''']\n]\n",
        "a = [\n  [1], #]\n  [\n    '''\n[b]\n''',\n  ],\n]\n",
    ),
    "an empty file": ("", ""),
    "a file of blank lines": ("\n \n\n", ""),
    "a file of comments": ("# a\n\n\n#b", "# a\n\n#b\n"),
}


@pytest.mark.parametrize(("written", "expected"), LAYOUT.values(), ids=LAYOUT)
def test_layout(written: str, expected: str) -> None:
    assert canonical(written) == expected
    assert canonical(expected) == expected


def comments(text: str) -> list[str]:
    """For texts whose strings hold no ``#``."""
    return [found.rstrip() for found in re.findall(r"#[^\r\n]*", text)]


FILES = sorted(path for path in ROOT.rglob("*.toml") if not any(part.startswith(".") for part in path.parts[1:]))


def test_every_toml_file_of_the_repository_says_the_same() -> None:
    assert len(FILES) > 80
    for path in FILES:
        text = path.read_text("utf-8")
        written = canonical(text)
        assert tomllib.loads(written) == tomllib.loads(text), path
        assert comments(written) == comments(text), path
        assert canonical(written) == written, path


OURS = [path for path in FILES if path.is_relative_to(ROOT / "examples") or path.parent.name == "templates"]


@pytest.mark.parametrize("path", OURS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_we_hand_out_is_canonical(path: Path) -> None:
    text = path.read_text("utf-8")
    assert canonical(text) == text


blanks = st.sampled_from(["", "", " ", "  ", "\t"])
gaps = st.sampled_from(["", " ", "\n", "\n\n", "\n  \n\n", " # c, ] } =\n", "\n# c\n\n#\n", '# "\n'])
ends = st.sampled_from(["\n", "  \n", "\n\n", "# c [\n", "  # c '''\n\n\n", "\n # c\n", "\n\n#c\n"])
words = st.sampled_from(["a", "b-1", "_", "7", '"a b"', "'#'", '"]="', '""'])
numbers = ["1", "-1_000", "0x1f", "1e3", "nan", "-inf", "true", "1979-05-27", "1979-05-27 07:32:00Z", "07:32:00"]
strings = ['""', "''", '"#"', "'#'", '"]"', "'\"'", '"\\"}"', '"é"', '"' + "x" * 45 + '"']
multiline = ['"""a"""', '"""\n# a\n\n  ]"""', "'''\n'a' }'''", '"""\\\n   a"""', '"""a\\"""b"""', "'''''a'''''"]
scalars = st.sampled_from([*numbers, *strings, *multiline])


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    elements = draw(st.lists(inner, max_size=5))
    text = ""
    for n, element in enumerate(elements):
        last = n == len(elements) - 1
        comma = "" if last and draw(st.booleans()) else ","
        text += draw(gaps) + element + draw(gaps) + comma
    return f"[{text}{draw(gaps)}]"


@st.composite
def inline_tables(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    keys = draw(st.lists(words, max_size=4, unique_by=lambda word: tomllib.loads(f"{word} = 1").popitem()[0]))
    pairs = [f"{draw(blanks)}{key}{draw(blanks)}={draw(blanks)}{draw(inner)}{draw(blanks)}" for key in keys]
    return f"{{{','.join(pairs) or draw(blanks)}}}"


values = st.recursive(scalars, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=12)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A document with comments, blanks and blank lines wherever they may stand, in one of the ways to end lines."""
    text = draw(st.sampled_from(["", "\n", "# top\n", "\n\n# top\n\n"]))
    for table in range(draw(st.integers(0, 4))):
        if table:
            name = f"{draw(blanks)}t{table}{draw(blanks)}"
            name += f".{draw(blanks)}{draw(words)}{draw(blanks)}" if draw(st.booleans()) else ""
            text += draw(blanks) + (f"[[{name}]]" if draw(st.booleans()) else f"[{name}]") + draw(ends)
        for key in range(draw(st.integers(0, 4))):
            shared = draw(st.sampled_from(["", "", "p.", " p . q ."]))
            dotted = f"{draw(blanks)}.{draw(blanks)}{draw(words)}" if draw(st.booleans()) else ""
            text += f"{draw(blanks)}{shared}k{key}{dotted}{draw(blanks)}={draw(blanks)}{draw(values)}{draw(ends)}"
    text = text.rstrip("\n") if draw(st.booleans()) else text
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@settings(max_examples=150, deadline=None)
@given(documents())
def test_any_document_says_the_same_and_is_stable(text: str) -> None:
    said = repr(tomllib.loads(text))
    written = canonical(text)
    assert repr(tomllib.loads(written)) == said
    assert canonical(written) == written
    assert not written or (written.endswith("\n") and not written.endswith("\n\n\n"))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*LONG[:1], "1", "[1, 2]"]), max_size=9), st.booleans())
def test_a_list_is_open_where_it_does_not_fit(elements: list[str], comma: bool) -> None:
    flat = f"k = [{', '.join(elements)}]"
    written = canonical(f"k = [{', '.join(elements)}{',' if comma and elements else ''}]\n")
    assert (written == f"{flat}\n") == (len(flat) <= WIDTH and not (comma and elements))


LOSSES = {
    "a comment": ("a = 1\n", "a = 1 # b\n"),
    "a value": ("a = 1\n", "a = 2\n"),
    "a type": ("a = 1\n", "a = true\n"),
    "a way to write a value": ("a = 1\n", "a = 0x1\n"),
    "the place of a table": ("[[a]]\n[b]\n[[a]]\n", "[[a]]\n[[a]]\n[b]\n"),
    "the place of a comment": ("a = 1 # b\n[c]\n", "a = 1\n[c] # b\n"),
    "a comma": ("a = [1, 2]\n", "a = [1 2]\n"),
    "what is in a comment": ("# a\nb = 1\n", "# ab = 1\n"),
}


@pytest.mark.parametrize(("text", "loss"), LOSSES.values(), ids=LOSSES)
def test_what_would_change_is_refused(text: str, loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_lines", lambda _: loss.splitlines())
    with pytest.raises(WouldChange, match=r"^$"):
        canonical(text)


def test_what_can_not_be_read_is_refused_with_its_place() -> None:
    with pytest.raises(WouldChange, match=r"line 2 col 4 of what begins with `\[b\]`$"):
        canonical("a = 1\n[b]\nc = \n")


@pytest.mark.parametrize("text", ["a = ", "a = [1", "a = {b = ", "[a", "a", "a = [,]", "= 1"])
def test_a_text_that_is_no_toml_ends_at_once(text: str) -> None:
    with pytest.raises((WouldChange, tomllib.TOMLDecodeError)):
        canonical(text)
