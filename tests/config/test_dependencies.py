"""``depends_on``: addresses, declarations and globs; circles are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.projects import SPECS, addresses, desired, errors, run, said


def test_each_way_to_name_what_is_waited_for(tmp_path: Path) -> None:
    text = SPECS + run("one") + run("langs", for_each={"fr": {}, "de": {}}) + run("last")
    text += run("a", depends_on=["run.one"])
    text += run("b", depends_on=["run.langs"])
    text += run("c", depends_on=['run.langs["fr"]', "run.langs[fr]", "run.one", "run.on?"])
    text += run("d", depends_on=["run.l*"], for_each={"x": {}, "y": {}})
    text += run("e", depends_on=[])
    found = desired(tmp_path, text)
    assert addresses(found)[-6:] == ["run.a", "run.b", "run.c", 'run.d["x"]', 'run.d["y"]', "run.e"]
    langs = ('run.langs["de"]', 'run.langs["fr"]')
    assert {one.address: one.depends_on for one in found.instances if one.depends_on} == {
        "run.a": ("run.one",),
        "run.b": langs,
        "run.c": ('run.langs["fr"]', "run.one"),
        'run.d["x"]': (*langs, "run.last"),
        'run.d["y"]': (*langs, "run.last"),
    }


CASES: dict[str, tuple[str, list[tuple[str, str]], str]] = {
    "nothing of this name": (
        run("train") + run("a", depends_on=["run.trian"]),
        [("run.a", "Unknown address")],
        "Did you mean run.train?",
    ),
    "a key that is none": (
        run("l", for_each={"de": {}}) + run("a", depends_on=['run.l["dd"]']),
        [("run.a", "Unknown address")],
        'Did you mean run.l["de"]?',
    ),
    "a glob that matches nothing": (run("a", depends_on=["run.x*"]), [("run.a", "Unknown address")], "run.x*"),
    "itself": (run("a", depends_on=["run.a"]), [("run.a", "It depends on itself")], "run.a"),
    "an instance of its own": (
        run("a", for_each={"x": {}, "y": {}}, depends_on=['run.a["x"]']),
        [("run.a", "It depends on itself")],
        "",
    ),
    "a glob that includes it": (
        run("b") + run("a", depends_on=["run.*"]),
        [("run.a", "It depends on itself")],
        "run.* is or includes run.a itself",
    ),
    "a circle of two": (
        run("a", depends_on=["run.b"]) + run("b", depends_on=["run.a"]),
        [("run.a", "A circle of dependencies")],
        "run.a → run.b → run.a",
    ),
    "a circle of three, by keys and globs": (
        run("z", depends_on=["run.b"])
        + run("c", depends_on=["run.a"], shard_size=5)
        + run("b", depends_on=['run.c["1"]'])
        + run("a", depends_on=["run.b*"]),
        [("run.a", "A circle of dependencies")],
        "run.a → run.b → run.c → run.a",
    ),
    "two circles": (
        run("a", depends_on=["run.b"]) + run("b", depends_on=["run.a"])
        + run("c", depends_on=["run.d"]) + run("d", depends_on=["run.c"]),
        [("run.a", "A circle of dependencies"), ("run.c", "A circle of dependencies")],
        "run.a → run.b → run.a",
    ),
    "no list": (run("a", depends_on="run.b"), [("run.a", "Wrong type")], "list"),
    "no text": (run("a", depends_on=[5]), [("run.a", "Wrong type")], "5"),
    "what failed to expand is not told again": (
        run("l", for_each={"de": 5}) + run("a", depends_on=['run.l["de"]', "run.l", "run.l*"]),
        [("run.l", "Wrong type")],
        "",
    ),
    "shards that could not be counted": (
        run("l", shard_size=0) + run("a", depends_on=['run.l["4"]']),
        [("run.l", "Value out of bounds")],
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "words"), CASES.values(), ids=CASES)
def test_what_is_wrong(tmp_path: Path, text: str, expected: list[tuple[str, str]], words: str) -> None:
    found = desired(tmp_path, SPECS + text)
    assert [(address, summary) for _, address, summary in said(found)] == expected
    assert words in found.diagnostics[0].detail


def test_an_error_points_at_the_entry(tmp_path: Path) -> None:
    text = SPECS + run("b") + run("a", depends_on=["run.b", "run.x"])
    (error,) = errors(desired(tmp_path, text))
    assert error.source is not None
    assert text.split("\n")[error.source.line - 1][error.source.column - 1 :] == '"run.x"]'
