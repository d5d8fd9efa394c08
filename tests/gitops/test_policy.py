"""The policy of the example, run by a Rego engine over plans that are made by the real code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from regopy import Interpreter

from reconciler.model.changes import Action, Kind, Progress, StatusClass
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.money import Estimate
from reconciler.model.plan import Plan
from reconciler.views.plan_json import failed_plan_json, plan_json
from tests.gitops.scripts import EXAMPLE
from tests.planning.plans import action, plan, request

POLICY = (EXAMPLE / "policy" / "plan.rego").read_text("utf-8")
CHEAP = {"generation_model": "anthropic/claude-haiku-4-5", "seed_shuffling_level": "sample"}
KNOWN = Estimate(1.0, 3, "the same spec and model")
ERROR = Diagnostic(Severity.ERROR, "S", "D", "F")


def told(document: object, policy: str = POLICY) -> dict[str, list[str]]:
    """What the policy says of a plan."""
    engine = Interpreter()
    engine.add_module("plan.rego", policy)
    engine.set_input(json.loads(json.dumps(document)))
    deny, warn = json.loads(str(engine.query("data.main.deny; data.main.warn")))["expressions"]
    return {"deny": deny, "warn": warn}


def buy(samples: int = 10, model: str = "", name: str = "a", **more: Any) -> Action:
    fields = CHEAP | ({"generation_model": model} if model else {})
    return action(name=name, **({"after": request(samples, **fields), "estimate": KNOWN} | more))


def replaced(done: int, standing: StatusClass = StatusClass.WORKING) -> Action:
    run = Progress("r1", "PROCESSING", done, 500)
    return buy(kind=Kind.REPLACE, run_id="r1", standing=standing, subject=run)


def production(*actions: Action) -> Plan:
    return plan(*actions, environment="production")


BARE = action(estimate=KNOWN)
# Rule: a plan that keeps it, one that breaks it, and what is said of that.
RULES: dict[str, tuple[Plan, Plan, str]] = {
    "expensive": (
        plan(buy(500, "anthropic/claude-opus-5-5"), buy(500, "x/y-thinking", "b"), buy(900, name="c")),
        plan(buy(500, "anthropic/claude-opus-5-5"), buy(501, "x/y-thinking", "b")),
        "1001 samples of expensive models; at most 1000 at once.",
    ),
    "generation_model": (
        production(buy()),
        production(buy(after=request(seed_shuffling_level="sample"))),
        "run.a: declare generation_model; its default changes over time.",
    ),
    "seed_shuffling_level": (
        plan(BARE, environment="staging"),
        production(buy(after=request(generation_model="anthropic/claude-haiku-4-5"))),
        "run.a: declare seed_shuffling_level; its default changes over time.",
    ),
    "given up": (
        plan(replaced(100), action(Kind.CANCEL, "b", "r2"), buy(name="c")),
        plan(replaced(101)),
        'run.a: its run has made 101 samples; let it finish (lifecycle.on_change = "keep").',
    ),
    "delete": (
        plan(action(Kind.FORGET, run_id="r1", standing=StatusClass.SUCCEEDED)),
        plan(action(Kind.DELETE, run_id="r1", standing=StatusClass.SUCCEEDED)),
        "run.a: files are deleted on the service by a person, never by a plan.",
    ),
    "unknown cost": (
        plan(buy(2_000, estimate=None), buy(5_000, name="b")),
        plan(buy(2_000, estimate=None), buy(1, name="b", estimate=None)),
        "2001 samples of unknown cost; buy at most 2000 first, and their cost is known.",
    ),
    "no plan": (
        plan(),
        plan(diagnostics=(ERROR,)),
        "This is no plan: it was made with errors, or is no plan of format 1.",
    ),
}
# By which the text of a rule is found.
MARKS = {
    "expensive": "expensive models",
    "generation_model": "declare %s",
    "seed_shuffling_level": "declare %s",
    "given up": "let it finish",
    "delete": "never by a plan",
    "unknown cost": "unknown cost",
    "no plan": "This is no plan",
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_kept_and_broken(rule: str) -> None:
    kept, broken, message = RULES[rule]
    assert told(plan_json(kept))["deny"] == []
    assert told(plan_json(broken))["deny"] == [message]


def test_a_finished_run_is_not_given_up() -> None:
    assert told(plan_json(plan(replaced(500, StatusClass.SUCCEEDED))))["deny"] == []


@pytest.mark.parametrize(
    "document",
    [failed_plan_json([ERROR]), {}, {"format_version": "1.0"}, plan_json(plan()) | {"format_version": "2.0"}],
    ids=["failed", "empty", "not a plan", "a later format"],
)
def test_what_is_no_plan_does_not_pass(document: object) -> None:
    assert told(document)["deny"] == [RULES["no plan"][2]]


def test_what_it_does_not_know_does_not_pass() -> None:
    document = plan_json(plan(buy()))
    document["resource_changes"][0]["action"] = "clone"
    assert told(document)["deny"] == ['run.a: this policy does not know what "clone" does.']


def test_it_knows_every_action() -> None:
    words = {*Kind, "no-op"}
    document = plan_json(plan(*(buy(name=f"n{number}") for number in range(len(words)))))
    for change, word in zip(document["resource_changes"], sorted(words), strict=True):
        change["action"] = word
    assert [line for line in told(document)["deny"] if "does not know" in line] == []


def test_warnings_forbid_nothing() -> None:
    found = told(plan_json(plan(buy(estimate=None))))
    assert found == {"deny": [], "warn": ["run.a: nothing is known of its cost yet."]}


def test_what_the_branch_did_not_cause_is_told() -> None:
    document = plan_json(plan(buy()))
    (change,) = document["resource_changes"]
    assert told(document)["warn"] == []
    change["caused_by_branch"] = False  # as with --base
    assert told(document)["warn"] == ["run.a: this branch did not cause it (because)."]


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_decides_by_itself(rule: str) -> None:
    """Without the rule, what broke it passes: no other rule says the same."""
    _, broken, _ = RULES[rule]
    blocks = POLICY.split("\n\n")
    left = [block for block in blocks if "deny contains" not in block or MARKS[rule] not in block]
    assert len(left) == len(blocks) - 1
    assert told(plan_json(broken), "\n\n".join(left))["deny"] == []
