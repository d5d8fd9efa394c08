"""Renames: refused while they would buy again, free with ``[[moved]]`` blocks."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.project import Project, line_with, run, said, symbol_of
from tests.service import FakeService, answers

SWEEP = """
[run.sweep]
spec = "tickets"
number_of_samples = 10
matrix = { %s }
"""
LEVELS = 'seed_shuffling_level = ["none", "sample"]'
FIELDS = "unified_multifield = [false]"


def block(old: str, new: str) -> str:
    return f"[[moved]]\nfrom = {json.dumps(old)}\nto = {json.dumps(new)}\n"


def test_an_axis_that_is_added_is_refused_with_the_lines_that_make_it_free(
    project: Project, service: FakeService
) -> None:
    service.reported = {"unified_multifield": False}
    project.declare(SWEEP % LEVELS)
    project.apply()
    project.declare(SWEEP % f"{LEVELS}, {FIELDS}")
    refused = project.expect(1, "plan").stdout
    assert "Bought already under another address" in refused
    lines = [line.strip() for line in refused.splitlines()]
    proposed = [line for line in lines if line.startswith(("[[moved]]", "from = ", "to = "))]
    assert proposed.count("[[moved]]") == 2
    assert len(service.creates) == 2

    project.declare(SWEEP % f"{LEVELS}, {FIELDS}", "\n".join(proposed))
    plan = project.plan()
    assert plan.json["summary"]["move"] == 2
    assert plan.json["summary"]["samples"] == 0
    project.apply()
    project.settled()
    assert len(service.creates) == 2


def test_a_plain_rename_buys_nothing_and_its_block_may_stay(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    project.declare(run("b"))
    assert "run.b is what run.a has" in project.expect(1, "plan").stdout
    assert "--allow-duplicates" in said(project.apply(code=1))

    project.declare(run("b"), block("run.a", "run.b"))
    shown = project.expect(2, "plan", "--detailed-exitcode").stdout
    assert symbol_of(shown, "run.b") == "~"
    assert "Plan: 1 to move." in shown
    done = project.apply()
    assert "Apply complete: 1 moved." in done.stdout
    project.settled()
    assert [item["address"] for item in project.output()] == ["run.b"]
    assert len(service.creates) == 1


def test_duplicates_may_be_wanted(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    project.declare(run("b"))
    project.apply("--allow-duplicates")
    assert len(service.creates) == 2


def test_a_whole_declaration_moves_with_its_keys(project: Project, service: FakeService) -> None:
    project.declare(SWEEP % LEVELS)
    project.apply()
    project.declare(SWEEP.replace("run.sweep", "run.levels") % LEVELS)
    refused = project.expect(1, "plan").stdout
    assert [line.strip() for line in refused.splitlines() if " = " in line and "run." in line][-2:] == [
        'from = "run.sweep"',
        'to = "run.levels"',
    ]
    project.declare(SWEEP.replace("run.sweep", "run.levels") % LEVELS, block("run.sweep", "run.levels"))
    assert project.plan().json["summary"]["move"] == 2
    project.apply()
    project.settled()
    assert len(service.creates) == 2


def test_an_unknown_submission_moves_along(project: Project, service: FakeService) -> None:
    service.script_create(answers.dropped(creates=False))
    project.declare(run("a"))
    project.apply("--no-wait", code=6)
    project.declare(run("b"))
    assert "Bought already" in project.expect(1, "plan").stdout
    project.declare(run("b"), block("run.a", "run.b"))
    plan = project.plan()
    assert plan.unmet() == ["run.b"]
    project.apply("--no-wait", code=6)
    assert project.plan().unmet() == ["run.b"]
    assert len(service.creates) == 1


def test_a_working_run_moves_and_is_followed(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"))
    project.apply("--no-wait")
    service.run_of(10).polls = 6
    project.declare(run("b"), block("run.a", "run.b"))
    done = project.apply()
    assert "Apply complete: 1 moved. 1 succeeded." in done.stdout
    assert len(service.creates) == 1


def test_moved_and_changed_at_once_is_moved_and_replaced(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    project.declare(run("b", 20), block("run.a", "run.b"))
    summary = project.plan().json["summary"]
    assert (summary["move"], summary["replace"], summary["create"], summary["forget"]) == (1, 1, 0, 0)
    done = project.apply()
    assert "1 replaced" in done.stdout
    assert "1 moved" in done.stdout
    project.settled()


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ([block("run.a", "run.c"), block("run.b", "run.c")], "run.c"),
        ([block("run.a", "run.b")], "recorded already"),
    ],
    ids=["two-sources", "onto-a-recorded-one"],
)
def test_what_can_not_be_moved(project: Project, blocks: list[str], words: str) -> None:
    project.declare(run("a"), run("b", 20))
    project.apply()
    project.declare(run("c"), run("d", 20), *blocks)
    refused = project.expect(1, "plan")
    assert words in said(refused)
    line_with(said(refused), "reconciler.toml:", "error")


def test_a_saved_plan_of_moves_is_applied_once(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    project.declare(run("b"), block("run.a", "run.b"))
    saved = project.folder / "moves.plan"
    project.expect(0, "plan", "--out", str(saved))
    project.expect(0, "apply", str(saved))
    project.settled()
    assert "spent" in said(project.expect(4, "apply", str(saved)))
    assert len(service.creates) == 1


def test_a_plan_of_before_does_not_buy_under_the_old_name(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    saved = project.folder / "first.plan"
    project.expect(0, "plan", "--out", str(saved))
    project.apply()
    project.declare(run("b"), block("run.a", "run.b"))
    project.apply()
    refused = project.expect(4, "apply", str(saved))
    assert "run.b" in line_with(said(refused), "run.a", service.run_of(10).id)
    assert len(service.creates) == 1


def test_an_unknown_submission_that_becomes_certain_moves_along(project: Project, service: FakeService) -> None:
    service.script_create(answers.failed_after_creating(500))
    project.declare(run("a"))
    project.apply("--no-wait", code=6)
    project.declare(run("b"), block("run.a", "run.b"))
    done = project.apply(env={"RECONCILER_SETTLE_SECONDS": "0", "RECONCILER_DEAD_SECONDS": "0"})
    assert "1 moved" in done.stdout
    project.settled()
    assert [(item["address"], item["run_id"]) for item in project.output()] == [("run.b", service.run_of(10).id)]
    assert len(service.creates) == 1
