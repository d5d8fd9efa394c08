"""``[[moved]]`` and ``[[import]]``, in all files."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.blocks import ImportBlock, MovedBlock
from reconciler.model.diagnostics import Source
from tests.config.projects import SPECS, addresses, desired, errors, run, said, warnings

ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"


def moved(before: str, after: str) -> str:
    return f"[[moved]]\nfrom = '{before}'\nto = '{after}'\n"


def imported(to: str, run_id: str = ID) -> str:
    return f"[[import]]\nto = '{to}'\nid = '{run_id}'\n"


def test_blocks_of_all_files(tmp_path: Path) -> None:
    root = (
        moved("run.old", 'run.l["de"]') + imported("run.a") + SPECS + run() + run("l", for_each={"de": {}, '"é"': {}})
    )
    inner = run("b") + moved("run.before", "run.b") + imported('run.l["\\u00e9"]', "run_01:x")
    found = desired(tmp_path, root, inner=inner)
    assert len(addresses(found)) == 4
    assert found.moved == (
        MovedBlock(before="run.old", after='run.l["de"]', source=Source("reconciler.toml", 1, 1)),
        MovedBlock(before="run.before", after="run.b", source=Source("runs/inner.toml", 5, 1)),
    )
    assert found.imports == (
        ImportBlock("run.a", ID, Source("reconciler.toml", 4, 1)),
        ImportBlock('run.l["é"]', "run_01:x", Source("runs/inner.toml", 8, 1)),
    )


def test_quotes_that_a_shell_would_eat_may_be_left_out(tmp_path: Path) -> None:
    found = desired(tmp_path, SPECS + run("l", for_each={"de": {}}) + moved("run.k[x]", "run.l[de]"))
    assert [(block.before, block.after) for block in found.moved] == [('run.k["x"]', 'run.l["de"]')]


def test_a_plain_run_turned_into_several_and_back(tmp_path: Path) -> None:
    text = SPECS + run("a", for_each={"x": {}}) + run("b")
    text += moved("run.a", 'run.a["x"]') + moved('run.b["x"]', "run.b")
    assert len(desired(tmp_path, text).moved) == 2


def test_one_move_may_follow_another(tmp_path: Path) -> None:
    found = desired(tmp_path, SPECS + run("c") + moved("run.a", "run.b") + moved("run.b", "run.c"))
    assert found.diagnostics == ()
    assert len(found.moved) == 2


def test_a_move_to_nowhere_is_a_warning(tmp_path: Path) -> None:
    (warning,) = warnings(desired(tmp_path, SPECS + run("target") + moved("run.a", "run.tarket")))
    assert "Did you mean run.target?" in warning.detail


DECLARED = SPECS + run("a") + run("l", for_each={"de": {}, "fr": {}})
CASES: dict[str, tuple[str, str, str]] = {  # where it points, relative to the end of what is declared
    "no address": (moved("old", "run.a"), "2:8", "Malformed address"),
    "no address to move to": (moved("run.old", "run.a b"), "3:6", "Malformed address"),
    "to itself": (moved("run.x", "run.x"), "3:6", "Moved to itself"),
    "what is declared": (moved("run.a", "run.b"), "2:8", "Moved and declared"),
    "all that is declared": (moved("run.l", "run.m"), "2:8", "Moved and declared"),
    "an instance that is declared": (moved('run.l["de"]', "run.b"), "2:8", "Moved and declared"),
    "twice from": (moved("run.x", "run.a") + moved("run.x", 'run.l["de"]'), "5:8", "Named twice"),
    "twice to": (moved("run.x", "run.a") + moved("run.y", "run.a"), "6:6", "Named twice"),
    "an unknown key": ("[[moved]]\nfrm = 'run.x'\nto = 'run.a'\n", "2:1", "Unknown key"),
    "a missing key": ("[[moved]]\nfrom = 'run.x'\n", "1:1", "A key is missing"),
    "a wrong type": ("[[moved]]\nfrom = 5\nto = 'run.a'\n", "2:8", "Wrong type"),
    "no list": ("[moved]\nfrom = 'run.x'\nto = 'run.a'\n", "1:1", "Wrong type"),
    "an import to what is not declared": (imported("run.aa"), "2:6", "Unknown address"),
    "an import to several": (imported("run.l"), "2:6", "Unknown address"),
    "an import to no address": (imported("a"), "2:6", "Malformed address"),
    "an import of no id": (imported("run.a", "a/b"), "3:6", "Malformed value"),
    "an import of an empty id": (imported("run.a", ""), "3:6", "Malformed value"),
    "two imports to one address": (imported("run.a") + imported("run.a", "x"), "5:6", "Named twice"),
    "two imports of one run": (imported("run.a") + imported('run.l["de"]'), "6:6", "Named twice"),
    "an import onto a move": (moved("run.x", "run.a") + imported("run.a"), "5:6", "Two sources for one address"),
}


@pytest.mark.parametrize(("text", "place", "summary"), CASES.values(), ids=CASES)
def test_what_is_wrong(tmp_path: Path, text: str, place: str, summary: str) -> None:
    found = desired(tmp_path, DECLARED, inner=text)
    assert [(at, what) for at, _, what in said(found)] == [(place, summary)]
    assert found.diagnostics[0].source is not None
    assert found.diagnostics[0].source.file == "runs/inner.toml"


def test_moves_in_a_circle(tmp_path: Path) -> None:
    text = moved("run.x", "run.y") + moved("run.y", "run.z") + moved("run.z", "run.x") + moved("run.w", "run.v")
    assert {item.summary for item in errors(desired(tmp_path, text))} == {"Moved in a circle"}


def test_what_failed_to_expand_is_not_told_again(tmp_path: Path) -> None:
    text = SPECS + run("l", for_each={"de": 5}) + imported('run.l["de"]') + moved("run.x", 'run.l["fr"]')
    assert [what for _, _, what in said(desired(tmp_path, text))] == ["Wrong type"]
