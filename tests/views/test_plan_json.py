"""The plan for programs: the shape that policy tools know, key by key."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.model.address import Address
from reconciler.model.changes import Action, FieldChange, Kind, Progress, StatusClass
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.plan import Drift, Revision, Unmet
from reconciler.model.request import Lifecycle, SecretRef
from reconciler.views.plan_json import plan_json
from tests.planning.plans import AT, SPEC, action, plan, request, unchanged

TOP = {
    "format_version", "tool_version", "lineage", "serial", "digest", "plan_id", "timestamp", "git", "environment",
    "summary", "resource_changes", "unmet", "drift", "diagnostics", "limits", "mode",
}  # fmt: skip
SUMMARY = {
    "create", "replace", "retry", "cancel", "forget", "delete", "reuse", "update", "move", "import", "unchanged",
    "unmet", "samples", "estimated_cost_usd",
}  # fmt: skip
ENTRY = {
    "address", "type", "name", "index", "change", "action", "reason", "source", "digest", "estimated_cost_usd",
}  # fmt: skip
CHANGE = {"actions", "before", "after", "before_sensitive", "after_sensitive"}


def entry(made: Action) -> dict[str, Any]:
    (found,) = plan_json(plan(made))["resource_changes"]
    assert set(found) >= ENTRY
    assert set(found["change"]) == CHANGE
    return dict(found)


def test_the_top_level() -> None:
    made = plan(action(), action(Kind.CANCEL, "b", "r1"), unchanged=(unchanged("c"), unchanged("d")))
    found = plan_json(replace(made, revision=Revision("abc", True)))
    assert set(found) == TOP
    assert set(found["summary"]) == SUMMARY
    assert found["format_version"] == "1.0"
    assert (found["lineage"], found["serial"], found["plan_id"], found["timestamp"]) == ("l", 3, "p", AT)
    assert found["digest"] == made.digest
    assert found["git"] == {"commit": "abc", "dirty": True, "base": None}
    counts = {key: value for key, value in found["summary"].items() if value}
    assert counts == {"create": 1, "cancel": 1, "unchanged": 2, "samples": 10}
    assert json.loads(json.dumps(found)) == found


def test_before_the_state_exists_there_is_no_lineage() -> None:
    assert plan_json(plan(lineage="", serial=0))["lineage"] is None


@pytest.mark.parametrize(
    ("made", "actions"),
    [
        (action(), ["create"]),
        (action(Kind.RETRY, run_id="r1", standing=StatusClass.FAILED), ["create"]),
        (action(Kind.CANCEL, run_id="r1"), ["delete"]),
        (action(Kind.CANCEL, run_id="r1", deposed=True), ["delete"]),
        (action(Kind.DELETE, run_id="r1", standing=StatusClass.SUCCEEDED), ["delete"]),
        (action(Kind.FORGET, run_id="r1", standing=StatusClass.SUCCEEDED), ["forget"]),
        (action(Kind.REPLACE, run_id="r1"), ["create", "delete"]),
        (action(Kind.REPLACE, run_id="r1", standing=StatusClass.SUCCEEDED), ["forget", "create"]),
        (action(Kind.REPLACE, run_id="r1", standing=StatusClass.FAILED), ["forget", "create"]),
        (action(Kind.REPLACE, run_id="r1", standing=StatusClass.GONE), ["forget", "create"]),
        (action(Kind.UPDATE, run_id="r1"), ["update"]),
        (action(Kind.REUSE, run_id="r1", reused_run="r0"), ["update"]),
        (action(Kind.REUSE, run_id="r1", standing=StatusClass.SUCCEEDED, reused_run="r0"), ["update"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_actions_in_the_words_of_terraform(made: Action, actions: list[str]) -> None:
    found = entry(made)
    assert found["change"]["actions"] == actions
    assert found["action"] == made.kind.value
    assert found["digest"] == made.digest
    assert (found["reason"], found["type"]) == ("because", "dataframer_run")


def test_a_create_has_no_before_and_a_removal_no_after() -> None:
    created, removed = entry(action())["change"], entry(action(Kind.CANCEL, run_id="r1"))["change"]
    assert created["before"] is None
    assert created["after"] == {"spec_id": SPEC, "number_of_samples": 10, "rerun": 0}
    assert removed["before"]["number_of_samples"] == 5
    assert removed["after"] is None


def test_cost_is_unknown_where_something_is_bought_and_never_zero() -> None:
    assert entry(action())["estimated_cost_usd"] is None
    assert entry(action(Kind.CANCEL, run_id="r1"))["estimated_cost_usd"] == 0.0
    assert plan_json(plan(action()))["summary"]["estimated_cost_usd"] is None


def test_secrets_are_marked_and_have_no_value() -> None:
    found = entry(action(secrets=(("databricks_client_id", SecretRef("env", "MY_ID")),)))["change"]
    assert found["after_sensitive"] == {"databricks_client_id": True}
    assert found["after"]["databricks_client_id"] is None
    assert found["before_sensitive"] == {}


@pytest.mark.parametrize(
    ("address", "name", "index"),
    [("run.a", "a", None), ('run.languages["de"]', "languages", "de"), ('run.x["a=\\"1\\""]', "x", 'a="1"')],
)
def test_addresses_are_split(address: str, name: str, index: str | None) -> None:
    made = Action(Kind.FORGET, Address(address), "because", action().precondition)
    found = entry(made)
    assert (found["address"], found["name"], found["index"]) == (address, name, index)
    assert found["source"] is None


def test_a_lifecycle_update_shows_lifecycles_and_its_source() -> None:
    found = entry(action(Kind.UPDATE, lifecycle=Lifecycle(protect=True), lifecycle_before=Lifecycle()))
    assert found["change"]["before"]["lifecycle"]["protect"] is False
    assert found["change"]["after"]["lifecycle"]["protect"] is True
    assert found["source"] == {"file": "runs/evals.toml", "line": 7}


def test_what_is_unchanged_is_a_no_op_with_its_run() -> None:
    (found,) = plan_json(plan(unchanged=(unchanged("a", Progress("r1", "PROCESSING", 3, 10)),)))["resource_changes"]
    assert set(found) >= ENTRY
    assert found["change"]["actions"] == ["no-op"]
    assert found["change"]["before"] == found["change"]["after"]
    assert found["run"] == {"run_id": "r1", "status": "PROCESSING", "samples_completed": 3, "samples": 10, "cost": None}


def test_unmet_drift_and_diagnostics() -> None:
    made = plan(
        unmet=(Unmet(Address("run.a"), "failed", "why", Source("f.toml", 3), "r1"),),
        drift=(Drift(Address("run.b"), "r2", (FieldChange("generation_model", "x", "y"),)),),
        diagnostics=(Diagnostic(Severity.WARNING, "S", "D", "F", "run.a", Source("f.toml", 3, 5)),),
    )
    found = plan_json(made)
    assert found["unmet"] == [
        {
            "address": "run.a",
            "kind": "failed",
            "reason": "why",
            "run_id": "r1",
            "outlook": None,
            "source": {"file": "f.toml", "line": 3},
        }
    ]
    assert found["drift"] == [
        {
            "address": "run.b",
            "run_id": "r2",
            "changes": [{"field": "generation_model", "before": "x", "after": "y", "origin": "sent"}],
        }
    ]
    (told,) = found["diagnostics"]
    assert (told["severity"], told["summary"], told["address"]) == ("warning", "S", "run.a")
    assert found["limits"] == []


def test_a_request_is_shown_as_json_values() -> None:
    after = request(10, revision_types=["consistency"], skip_outline=True, spec_version=4)
    assert entry(action(after=after))["change"]["after"] == {
        "spec_id": SPEC,
        "number_of_samples": 10,
        "revision_types": ["consistency"],
        "skip_outline": True,
        "spec_version": 4,
        "rerun": 0,
    }
