"""The hidden first line of a comment: read back as it was, found nowhere else, and not to be ended from within."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.marker import Marker
from tests.views.markdown.rendered import render

MADE = Marker("production", "teams/evals", "sha256:" + "0" * 64, "8a6f7a52", 17, "1b2c", truncated=False)
TEXTS = st.text() | st.text("-<>!&\\u002d\n\r\u2028 {}\"'", max_size=20)


@given(TEXTS, TEXTS, st.none() | TEXTS, st.integers(0, 2**63), st.booleans())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_it_is_read_back_and_nothing_in_it_ends_it(
    environment: str, folder: str, head: str | None, serial: int, truncated: bool
) -> None:
    made = Marker(environment, folder, "sha256:0", "l", serial, head, truncated)
    line = str(made)
    assert Marker.read(f"{line}\n## x\n") == Marker.read(line) == Marker.read(f"{line}\r\n") == made
    within = line.removeprefix("<!--").removesuffix("-->")
    assert not any(mark in within for mark in ("--", "<", ">", "\n", "\r"))
    assert line.isascii()
    page = render(f"{line}\n## x\n")
    assert page.elements == ["h2", "/h2"]
    assert len(page.comments) == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "## x",
        f"\n{MADE}\n",
        f" {MADE}\n",
        f"> {MADE}\n",
        f"x\n{MADE}\n",
        f"{MADE} x\n",
        str(MADE).replace('"schema":1', '"schema":2'),
        str(MADE).replace('"serial":17', '"serial":"17"'),
        str(MADE).replace('"truncated":false', '"truncated":"no"'),
        str(MADE).replace('"head":"1b2c"', '"head":7'),
        str(MADE).replace('"folder":"teams/evals",', ""),
        str(MADE).replace("{", '{"more":1,'),
        "<!-- reconciler:plan {} -->",
        "<!-- reconciler:plan {not json} -->",
        "<!-- reconciler:plan [] -->",
    ],
)
def test_what_is_no_marker_is_none(body: str) -> None:
    assert Marker.read(body) is None


def test_its_shape_is_what_scripts_may_rely_on() -> None:
    prefix, suffix = "<!-- reconciler:plan ", " -->"
    assert str(MADE).startswith(prefix)
    assert json.loads(str(MADE).removeprefix(prefix).removesuffix(suffix)) == {
        "schema": 1, "environment": "production", "folder": "teams/evals", "digest": "sha256:" + "0" * 64,
        "lineage": "8a6f7a52", "serial": 17, "head": "1b2c", "truncated": False,
    }  # fmt: skip
