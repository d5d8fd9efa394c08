"""What ``plan`` says, in text and JSON, and that it asks little and writes nothing."""

from __future__ import annotations

import json
import re

import pytest

from tests.acceptance.project import Plan, Project, line_with, run, said, symbol_of, tree
from tests.service import KEY, RUNS, FakeService, answers

SUMMARY = {
    "create", "replace", "retry", "cancel", "forget", "delete", "reuse", "update", "move", "import",
    "unchanged", "unmet", "samples", "estimated_cost_usd",
}  # fmt: skip


def mixed(project: Project, service: FakeService) -> None:
    """A project whose plan holds one of most actions: see the assertions of the tests."""
    service.polls = None
    before = [run("same", 11), run("changed", 12), run("working", 13), run("gone", 14), run("failed", 15)]
    project.declare(*before, run("retried", 16, lifecycle={"max_attempts": 2}), run("removed", 17))
    project.apply("--no-wait")
    for number in (11, 12, 14):
        service.finish(service.run_of(number).id)
    for number in (15, 16):
        service.finish(service.run_of(number).id, "FAILED")
    project.expect(0, "refresh")
    project.declare(
        run("same", 11),
        run("changed", 112),
        run("working", 113),
        run("failed", 15),
        run("retried", 16, lifecycle={"max_attempts": 2}),
        run("new", 18),
    )


DECISIONS = {
    "run.same": ("no-op", ["no-op"], None),
    "run.changed": ("replace", ["forget", "create"], "-/+"),
    "run.working": ("replace", ["create", "delete"], "-/+"),
    "run.gone": ("forget", ["forget"], "-"),
    "run.removed": ("cancel", ["delete"], "-"),
    "run.retried": ("retry", ["create"], "+"),
    "run.new": ("create", ["create"], "+"),
}


def test_the_text_follows_terraform(project: Project, service: FakeService) -> None:
    mixed(project, service)
    shown = project.expect(2, "plan", "--detailed-exitcode").stdout
    for address, (action, _, symbol) in DECISIONS.items():
        if symbol is not None:
            assert symbol_of(shown, address) == symbol
            assert action in line_with(shown, symbol, address)
    assert "Plan: 1 to create, 2 to replace, 1 to retry, 1 to cancel, 1 to forget, 1 unchanged" in shown
    assert "run.failed" in shown
    samples = 112 + 113 + 16 + 18
    assert str(samples) in line_with(shown, "samples", str(samples))
    changed = shown[shown.index("run.changed") :]
    assert re.search(r"number_of_samples\W+12\W+112", changed)


def test_the_json_has_the_shape_that_policy_tools_know(project: Project, service: FakeService) -> None:
    mixed(project, service)
    plan = project.plan("--detailed-exitcode", code=2)
    found = plan.json
    assert found["format_version"] == "1.0"
    assert found["tool_version"] in project.expect(0, "version").stdout
    assert found["lineage"]
    assert isinstance(found["serial"], int)
    assert re.fullmatch(r"(sha256:)?[0-9a-f]{64}", found["digest"])
    assert found["plan_id"]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", found["timestamp"])
    assert set(found["git"]) >= {"commit", "dirty"}
    assert set(found["summary"]) >= SUMMARY
    counts = {name: found["summary"][name] for name in SUMMARY if name != "estimated_cost_usd"}
    assert {name: count for name, count in counts.items() if count} == {
        "create": 1, "replace": 2, "retry": 1, "cancel": 1, "forget": 1,
        "unchanged": 1, "unmet": 1, "samples": 112 + 113 + 16 + 18,
    }  # fmt: skip
    for address, (action, actions, _) in DECISIONS.items():
        assert plan.decision(address) == (action, actions)
    assert plan.unmet() == ["run.failed"]
    for key in ("drift", "diagnostics", "limits"):
        assert isinstance(found[key], list)


def test_a_change_says_what_why_and_where(project: Project, service: FakeService) -> None:
    mixed(project, service)
    change = project.plan().change("run.changed")
    assert (change["type"], change["name"], change["index"]) == ("dataframer_run", "changed", None)
    assert change["source"]["file"] == "reconciler.toml"
    assert f"reconciler.toml:{change['source']['line']}" in (
        project.line("[run.changed]"),
        project.line("number_of_samples = 112"),
    )
    assert "number_of_samples" in change["reason"]
    assert change["digest"]
    assert "estimated_cost_usd" in change
    values = change["change"]
    assert set(values) >= {"actions", "before", "after", "before_sensitive", "after_sensitive"}
    assert (values["before"]["number_of_samples"], values["after"]["number_of_samples"]) == (12, 112)


def test_a_create_has_no_before_and_credentials_are_sensitive(project: Project) -> None:
    project.declare(
        run(
            "a",
            generation_model="databricks/databricks-claude-haiku-4-5",
            databricks_client_id={"env": "ID"},
            databricks_client_secret={"env": "SECRET"},
            databricks_api_base={"env": "BASE"},
        )
    )
    canaries = {"ID": "canary-one", "SECRET": "canary-two", "BASE": "canary-three"}
    done = project.expect(0, "plan", "--json", env=canaries)
    assert "canary" not in said(done)
    (change,) = json.loads(done.stdout)["resource_changes"]
    assert change["change"]["before"] is None
    assert change["change"]["after"]["number_of_samples"] == 10
    assert change["change"]["after_sensitive"]["databricks_client_secret"] is True


def test_the_digest_depends_on_what_would_be_done_alone(project: Project, service: FakeService) -> None:
    project.declare(run("a"), run("b", 11))
    first = project.plan().json
    project.declare("# a comment moves every line\n\n", run("b", 11), run("a"))
    service.add_run({"spec_id": service.specs[next(iter(service.specs))].id, "number_of_samples": 3})
    second = project.plan().json
    assert first["digest"] == second["digest"]
    assert first["plan_id"] != second["plan_id"]
    project.declare(run("a"), run("b", 12))
    assert project.plan().json["digest"] != first["digest"]


def test_format_json_is_the_same_as_json(project: Project) -> None:
    project.declare(run("a"))
    found = Plan(json.loads(project.expect(0, "plan", "--format", "json").stdout))
    assert found.decision("run.a") == ("create", ["create"])


@pytest.mark.parametrize("state", [False, True], ids=["without-state", "with-state"])
def test_plan_writes_nothing_and_buys_nothing(project: Project, service: FakeService, state: bool) -> None:
    if state:
        mixed(project, service)
    else:
        project.declare(run("a"))
    asked = len(service.requests)
    before = tree(project.root, project.home, project.elsewhere)
    for options in ([], ["--json"], ["--no-refresh"], ["--offline"], ["--replace", "run.same"] if state else []):
        project.expect(0, "plan", *options)
    assert tree(project.root, project.home, project.elsewhere) == before
    assert {request.method for request in service.requests[asked:]} == {"GET"}


def test_one_list_call_refreshes_everything(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(*[run(f"r{n}", 100 + n) for n in range(12)])
    project.apply("--no-wait")
    for run_id in service.run_ids[:6]:
        service.finish(run_id)
    project.expect(0, "refresh")
    asked = len(service.requests)
    project.settled()
    runs = [request.path for request in service.requests[asked:] if request.path.startswith(RUNS)]
    assert runs == [RUNS]


def test_offline_asks_nobody_and_needs_no_key(project: Project, service: FakeService) -> None:
    without = {"DATAFRAMER_API_KEY": None}
    project.declare(run("a"))
    shown = project.expect(2, "plan", "--offline", "--detailed-exitcode", env=without).stdout
    assert "declarations only" in shown.lower()
    assert symbol_of(shown, "run.a") == "+"
    assert service.requests == []

    project.apply()
    asked = len(service.requests)
    shown = project.expect(0, "plan", "--offline", "--detailed-exitcode", env=without).stdout
    assert "No changes. 1 run is as declared." in shown
    assert "declarations only" not in shown.lower()
    assert len(service.requests) == asked


def test_no_refresh_trusts_the_state(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"))
    project.apply("--no-wait")
    service.finish(service.run_ids[0], "FAILED")
    asked = len(service.requests)
    assert project.plan("--no-refresh").unmet() == []
    assert [r.path for r in service.requests[asked:] if r.path.startswith(RUNS)] == []
    assert project.plan().unmet() == ["run.a"]


def test_the_exit_code_tells_changes_only_when_asked(project: Project) -> None:
    project.declare(run("a"))
    project.expect(0, "plan")
    project.expect(2, "plan", "--detailed-exitcode")
    project.apply()
    project.expect(0, "plan", "--detailed-exitcode")


def test_an_unknown_estimate_is_said_and_never_zero(project: Project, service: FakeService) -> None:
    project.declare(run("a", 100))
    first = project.plan().json["summary"]
    assert (first["samples"], first["estimated_cost_usd"]) == (100, None)
    assert "unknown" in line_with(project.expect(0, "plan").stdout, "100 samples to buy")


def test_a_service_that_refuses_the_key_fails_the_plan(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    done = project.expect(1, "plan", env={"DATAFRAMER_API_KEY": "another"})
    assert "401" in said(done)
    assert KEY not in said(done)


def test_a_rejected_attempt_leaves_the_digest_alone(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    before = project.plan().json["digest"]
    service.script_create(answers.refused(400))
    project.apply(code=1)
    assert project.plan().json["digest"] == before
