"""``[limits]``: what they forbid, what passes them, and what is recorded of that."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.project import Project, line_with, run, said
from tests.service import FakeService

MODELS = {"generation_model": "anthropic/claude-haiku-4-5", "outline_model": "anthropic/claude-haiku-4-5"}


def limits(**values: object) -> str:
    lines = [f"{name} = {value if isinstance(value, str) else json.dumps(value)}" for name, value in values.items()]
    return "\n".join(["[limits]", *lines, ""])


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (limits(max_new_runs=1), "2 new runs, 1 are allowed"),
        (limits(max_new_samples=29), "30 new samples, 29 are allowed"),
        (limits(max_cost_usd=1000.0), "the cost of 2 of 2 purchases is unknown"),
        (limits(deny_models=["anthropic/*"]), "generation_model anthropic/claude-haiku-4-5"),
        (limits(allowed_models=["openai/*"]), "generation_model anthropic/claude-haiku-4-5"),
    ],
    ids=["runs", "samples", "unknown-cost", "denied", "not-allowed"],
)
def test_a_hard_limit_forbids(project: Project, service: FakeService, table: str, words: str) -> None:
    project.declare(run("a", 10, **MODELS), run("b", 20, **MODELS), table)
    name = table.split()[1]
    shown = project.expect(3, "plan", "--out", str(project.folder / "saved.plan"))
    line_with(shown.stdout, f"Limit {name} (hard) forbids it", words)
    line_with(shown.stderr, "to be looked at only", "show")
    assert words in project.expect(0, "show", str(project.folder / "saved.plan")).stdout
    assert words in said(project.expect(3, "apply", str(project.folder / "saved.plan")))
    refused = project.apply("--override", name, "--reason", "please", code=3)
    assert words in said(refused)
    assert service.creates == []


def test_an_undeclared_model_that_acts_violates(project: Project, service: FakeService) -> None:
    project.declare(run("a", generation_model="anthropic/claude-haiku-4-5"), limits(allowed_models=["anthropic/*"]))
    line_with(project.expect(3, "plan").stdout, "an undeclared outline_model acts (run.a)")
    project.declare(run("a", skip_outline=True), limits(allowed_models=["anthropic/*"]))
    project.apply()
    assert len(service.creates) == 1


def test_a_soft_limit_passes_with_an_override_that_is_recorded(project: Project, service: FakeService) -> None:
    project.declare(run("a"), run("b", 20), limits(max_new_runs='{ value = 1, level = "soft" }'))
    line_with(project.expect(3, "plan").stdout, "--override max_new_runs --reason TEXT")
    assert "belong together" in said(project.apply("--override", "max_new_runs", code=1))
    assert "has no such limit" in said(project.apply("--override", "max_runs", "--reason", "x", code=1))
    assert service.creates == []
    project.apply("--override", "max_new_runs", "--reason", "agreed with finance")
    assert len(service.creates) == 2
    told = project.expect(0, "history", "--json").stdout
    assert "max_new_runs: agreed with finance" in told
    project.settled()


def test_a_saved_plan_keeps_its_override(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(
        run("a"), run("b", 20), limits(max_new_runs='{ value = 1, level = "soft" }'), apply="max_active = 1"
    )
    saved = str(project.folder / "saved.plan")
    project.expect(3, "plan", "--out", saved)
    project.expect(3, "apply", saved)
    project.expect(7, "apply", saved, "--override", "max_new_runs", "--reason", "agreed", "--no-wait")
    assert len(service.creates) == 1
    service.finish(service.run_ids[0])
    service.polls = 1
    project.expect(0, "apply", saved)
    assert len(service.creates) == 2


def test_an_advisory_limit_warns(project: Project, service: FakeService) -> None:
    project.declare(run("a"), run("b", 20), limits(max_new_runs='{ value = 1, level = "advisory" }'))
    line_with(project.expect(0, "plan").stdout, "warning", "max_new_runs: 2 new runs, 1 are allowed")
    project.apply()
    assert len(service.creates) == 2


def test_what_is_cancelled_is_limited(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"), run("b", 20), run("c", 30))
    project.apply("--no-wait")
    project.declare(run("c", 30), limits(max_cancel=1))
    project.expect(3, "plan")
    project.apply("--prune", code=3)
    assert service.cancels == []


def test_estimates_come_from_finished_runs(project: Project, service: FakeService) -> None:
    project.declare(run("a", 50), limits(max_cost_usd=12.0).replace("12.0", '{ value = 12.0, level = "advisory" }'))
    assert project.plan().json["summary"]["estimated_cost_usd"] is None
    project.apply()
    project.declare(run("a", 50), run("b", 100), run("c", 100, spec="letters"), limits(max_cost_usd=12.0))
    plan = project.plan()
    assert plan.json["summary"]["estimated_cost_usd"] == pytest.approx(10.0)
    assert plan.change("run.b")["estimate_basis"] == {"runs": 1, "of": "the same spec and model"}
    assert plan.change("run.c")["estimate_basis"] == {"runs": 1, "of": "the same model"}
    project.declare(run("a", 50), run("b", 300), limits(max_cost_usd=12.0))
    line_with(project.expect(3, "plan").stdout, "≈ $15.00 to buy, $12.00 are allowed")


def test_limits_that_changed_since_make_a_saved_plan_outdated(project: Project, service: FakeService) -> None:
    project.declare(run("a"), limits(max_new_runs=1))
    saved = str(project.folder / "saved.plan")
    project.expect(0, "plan", "--out", saved)
    project.declare(run("a"), limits(max_new_runs=0))
    assert "limits" in said(project.expect(4, "apply", saved))
    assert service.creates == []
