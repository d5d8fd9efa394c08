"""Every row of the decision table: a project, what is recorded, what the service lists, and the plan of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.changes import Action, Kind
from reconciler.views.paint import Paint
from reconciler.views.plan_text import plan_text
from tests.decisions.harness import make_plan

CASES = sorted((Path(__file__).parent / "cases").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_plan_is_the_golden_one(case: Path, regenerate: bool) -> None:
    text = plan_text(make_plan(case), Paint())
    golden = case / "plan.txt"
    if regenerate:
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_planning_again_decides_the_same(case: Path) -> None:
    one, other = make_plan(case), make_plan(case)
    assert one.digest == other.digest
    assert one.actions == other.actions
    assert one.plan_id != other.plan_id


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_address_has_one_decision(case: Path) -> None:
    made = make_plan(case)
    beside = (Kind.UPDATE, Kind.MOVE)  # these may stand beside a decision
    deciding = [action.address for action in made.actions if not action.deposed and action.kind not in beside]
    addresses = [*deciding, *(item.address for item in made.unchanged), *(item.address for item in made.unmet)]
    assert len(addresses) == len(set(addresses))


def test_every_kind_of_action_has_a_case() -> None:
    found: list[Action] = [action for case in CASES for action in make_plan(case).actions]
    assert {action.kind for action in found} == set(Kind)
    assert any(action.deposed for action in found)
