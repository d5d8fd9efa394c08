"""Planted faults of the protocol are noticed, and the campaign would say so if one were not."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest

from tests.campaign.mutants import (
    ROOT,
    NotPlanted,
    campaign,
    choose,
    controls_hold,
    mutated,
    table,
    try_mutant,
)
from tests.campaign.planted import CHANGES_NOTHING, MUTANTS, Mutant

pytestmark = pytest.mark.timeout(400)


def test_five_mutants_are_killed_and_the_controls_hold() -> None:
    results, controls = campaign(choose(5), schedules=500)
    assert len(results) == 5
    assert [result.verdict for result in results] == ["killed"] * 5, table(results)
    assert controls_hold(controls), table(controls)


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
