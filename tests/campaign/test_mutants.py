"""Planted faults of the protocol are noticed, and the campaign would say so if one were not."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from tests.campaign.mutants import (
    ROOT,
    Failure,
    NotPlanted,
    choose,
    first_failure,
    mutated,
    reasons,
    table,
    try_mutant,
    try_with_control,
)
from tests.campaign.planted import CHANGES_NOTHING, IS_NOT_THERE, MUTANTS, Mutant

pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize("mutant", choose(5), ids=lambda mutant: mutant.name)
def test_it_is_killed_by_what_a_tree_with_nothing_changed_survives(mutant: Mutant) -> None:
    result, control = try_with_control(mutant, schedules=500)
    assert result.verdict == "killed", table([result]) + reasons([result])
    assert control.verdict == "SURVIVED", table([control]) + reasons([result, control])


def test_a_text_that_is_not_there_is_an_error_and_no_kill() -> None:
    assert try_mutant(IS_NOT_THERE).verdict == "ERROR"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_its_text_is_there_once_and_becomes_other_python(mutant: Mutant) -> None:
    before = (ROOT / mutant.file).read_text("utf-8")
    after = mutated(mutant)
    assert ast.dump(ast.parse(after)) != ast.dump(ast.parse(before))


def test_there_are_enough_of_them_and_each_is_another() -> None:
    assert len(MUTANTS) >= 30
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)
    assert choose(None) == MUTANTS
    assert len(set(choose(5))) == 5


def test_a_tree_that_does_not_run_is_an_error_and_no_kill() -> None:
    with pytest.raises(NotPlanted, match="no Python any more"):
        mutated(replace(CHANGES_NOTHING, new="1 +\n"))
    result = try_mutant(replace(CHANGES_NOTHING, new="NOT_SENT_TRIES = no_such_name\n"))
    assert result.verdict == "ERROR"
    assert "can't be run" in result.by


_TREE = """
from pathlib import Path

def test_busy():
    first = not Path("seen").exists()
    Path("seen").touch()
    assert not first, "the machine is busy"

def test_{name}():
    assert 1 == {one}
"""


def test_what_fails_once_and_not_alone_has_killed_nothing_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "test_tree.py").write_text(_TREE.format(name="steady", one=1))
    passing: dict[str, Failure] = {}
    assert first_failure(tmp_path, ["test_tree.py"], passing) is None
    assert [(one.by, one.why) for one in passing.values()] == [
        ("test_tree.py::test_busy", "test_tree.py:7: AssertionError: the machine is busy")
    ]
    (tmp_path / "seen").unlink()
    (tmp_path / "test_tree.py").write_text(_TREE.format(name="broken", one=2))
    killed = first_failure(tmp_path, ["test_tree.py"], {})
    assert killed == Failure("test_tree.py::test_broken", "test_tree.py:10: assert 1 == 2")
