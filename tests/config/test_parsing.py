"""The two parsers of TOML: equal tables, equal refusals; and mistakes are told as tomllib tells them."""

from __future__ import annotations

import math
import tomllib
from datetime import date, datetime, time
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.config import parsing
from reconciler.config.parsing import parse

toml_rs = pytest.importorskip("toml_rs")

DOCUMENTS = [
    "",
    "\n",
    "# only a comment",
    "a = 1",
    "a=1#x",
    "a = 1\r\nb = 2\r\n",
    "a.b.c = 1\na.b.d = 2",
    '"a.b" = 1',
    "'' = 1",
    "[a]\n[a.b]\n[c]",
    "[a.b]\n[a]",
    "[[a]]\nx = 1\n[[a]]\nx = 2\n[a.b]\ny = 3",
    "a = {b = 1, c.d = 2}",
    "a = {}",
    "a = []",
    "a = [\n 1, # one\n 2,\n]",
    "a = [[1], ['x', {b = []}]]",
    'a = "\\u00e9\\U0001F600\\t\\"\\\\"',
    "a = '\\no escape'",
    'a = """\nfirst\\\n   joined"""',
    "a = '''\n'two' ''quotes''\n'''",
    'a = """"""""',
    "a = 0x_ff",
    "a = 0xff_ff",
    "a = 0o17",
    "a = 0b1",
    "a = +1",
    "a = -0",
    "a = 1_000",
    "a = 1__0",
    "a = 01",
    "a = 1.",
    "a = .5",
    "a = 1e5",
    "a = 1E-5",
    "a = 6.626e-34",
    "a = -0.0",
    "a = inf",
    "a = -inf",
    "a = nan",
    "a = +nan",
    "a = true",
    "a = True",
    "a = 9223372036854775807",
    "a = 9223372036854775808",
    "a = 99999999999999999999999",
    "a = 1979-05-27T07:32:00Z",
    "a = 1979-05-27 07:32:00.999999-07:00",
    "a = 1979-05-27T07:32:00",
    "a = 1979-05-27",
    "a = 07:32:00",
    "a = 07:32",
    "a = 1979-13-01",
    "a = 1979-02-30",
    "a = 24:00:00",
    "a = 1979-05-27T07:32:00z",
    "a = 1\na = 2",
    "a = 1\na.b = 2",
    "[a]\n[a]",
    "[a]\nb = 1\n[a.b]",
    "a = {b = 1}\n[a.c]",
    "[[a]]\n[a]",
    "a = []\n[[a]]",
    "a = {b = 1,}",
    "a = {\nb = 1}",
    "a = {b = 1\n}",
    'a = "\\e"',
    'a = "\\x41"',
    'a = "\\/"',
    'a = "\\ud800"',
    "a = 'x\ny'",
    "a",
    "a =",
    "= 1",
    "a = b",
    "a = 1 b = 2",
    "[a",
    "[a]]",
    "[ a . b ]",
    "[[ a ]]",
    "[]",
    "a..b = 1",
    "é = 1",
    "a = é",
    "a\tb = 1",
    "\ta\t=\t1\t",
    "a = 'x' 'y'",
    "a = \x00",
    "a = '\x7f'",
    "a = '\x01'",
    "# \x01",
    "a = 1\rb = 2",
    "\ufeffa = 1",
    "[a]\nb.c = 1\n[a.b]\nd = 2",
    "[a.b.c]\n[a]\nb.d = 1",
    "1 = 1",
    "-_- = 1",
    "true = 1",
    "a.1.b = 2",
    "a = 1 # é😀",
]


def read(loads: Any, text: str) -> Any:
    try:
        return loads(text)
    except BaseException as problem:  # noqa: BLE001 - also what panics in Rust
        return problem


def same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return (math.isnan(one) and math.isnan(other)) if isinstance(one, float) and math.isnan(one) else bool(one == other)


@pytest.mark.parametrize("text", DOCUMENTS)
def test_the_same_tables_and_the_same_refusals(text: str) -> None:
    slow, ours = read(tomllib.loads, text), read(parse, text)
    if isinstance(slow, Exception):
        assert type(ours) is type(slow)
        assert str(ours) == str(slow)
    else:
        assert same(ours, slow)


KEYS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=6)
SCALARS = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=12),
    st.datetimes(min_value=datetime(1, 1, 2)), st.dates(min_value=date(1, 1, 2)), st.times(min_value=time(0, 0, 1)),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=4)


@given(TABLES)
@settings(max_examples=200, deadline=None)
def test_whatever_somebody_writes(table: dict[str, Any]) -> None:
    text = read(tomlkit.dumps, table)
    if isinstance(text, str):
        slow = read(tomllib.loads, text)
        assert isinstance(slow, Exception) or same(read(parse, text), slow)


@given(st.sampled_from(DOCUMENTS), st.sampled_from(DOCUMENTS), st.text("[]{}='\"\n.#, a1\\", max_size=3))
@settings(max_examples=300, deadline=None)
def test_documents_that_were_torn_and_glued(one: str, other: str, between: str) -> None:
    text = one[: len(one) // 2] + between + other[len(other) // 2 :]
    slow, ours = read(tomllib.loads, text), read(parse, text)
    assert type(ours) is type(slow) if isinstance(slow, Exception) else same(ours, slow), text


def test_without_the_fast_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "_FAST", None)
    assert parse("a = [1, {b = 2}]") == {"a": [1, {"b": 2}]}
    with pytest.raises(tomllib.TOMLDecodeError, match=r"at line 2, column 5"):
        parse("a = 1\nb = \n")
