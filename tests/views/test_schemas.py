"""The published schemas: every plan and event is as they say, they say all of it, and what is otherwise is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from reconciler.dataframer.fields import RUN_FIELDS
from reconciler.model.address import Address
from reconciler.model.changes import FieldChange, Kind, StatusClass
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.events import Done, Event, Failed, Progressed, Report, Started, Submitted, Told
from reconciler.model.limits import Level, Limit, LimitResult
from reconciler.model.money import Estimate
from reconciler.model.plan import Candidate, Drift, Outlook, Plan, Revision, Unmet
from reconciler.model.request import Lifecycle, SecretRef
from reconciler.model.run import RunStatus
from reconciler.views.events_json import diagnostic_event, event_json, plan_events, summary_event, version_event
from reconciler.views.plan_json import failed_plan_json, plan_json
from tests.decisions.harness import make_plan
from tests.planning.plans import AT, action, plan, request, unchanged
from tests.views.schemas import ROOT, change, never_there, problems, schema

CASES = sorted((ROOT / "tests" / "decisions" / "cases").iterdir())
ERROR = Diagnostic(Severity.ERROR, "S", "D", "F", "run.a", Source("f.toml", 3, 5), ("[[moved]]", "x = 1"))
NOTICE = Diagnostic(Severity.NOTICE, "N")
EVERY_FIELD = {
    "spec_version": 3, "generation_model": "m", "outline_model": "m", "revision_model": "m", "skip_outline": False,
    "revision_types": ["consistency"], "filtering_types": ["structural"], "max_revision_cycles": 2,
    "tools": ["calculator"], "seed_shuffling_level": "none", "max_examples_in_prompt": 3, "unified_multifield": True,
    "generation_thinking_budget": 1, "outline_thinking_budget": 1, "revision_thinking_budget": 1,
}  # fmt: skip
SECRETS = tuple((name, SecretRef("env", "X")) for name in RUN_FIELDS if name.startswith("databricks_"))


def rich() -> Plan:
    """A plan with every kind of action, and everything that one can have beside."""
    done = StatusClass.SUCCEEDED
    candidates = (Candidate("r8", "PROCESSING", 3, AT, "a@b.c"), Candidate("r9", "word"))
    return plan(
        action(after=request(**EVERY_FIELD), secrets=SECRETS, estimate=Estimate(1.5, 3, "the same model")),
        action(Kind.REPLACE, "b", "r1"),
        action(Kind.REPLACE, "c", "r2", standing=done, foreign=True),
        action(Kind.RETRY, "d", "r3", standing=StatusClass.FAILED),
        action(Kind.CANCEL, "e", "r4"),
        action(Kind.CANCEL, "e", "r5", deposed=True),
        action(Kind.FORGET, "f", "r6", standing=done),
        action(Kind.DELETE, "g", "r7", standing=done),
        action(Kind.REUSE, "h", "r8", reused_run="r0"),
        action(Kind.UPDATE, "i", "r9", lifecycle=Lifecycle(True), lifecycle_before=Lifecycle()),
        action(Kind.MOVE, 'j["a=\\"1\\""]', moved_from=Address("run.z")),
        action(Kind.IMPORT, "k", reused_run="r10", after=request()),
        action(name="l", depends_on=(Address("run.a"),), wave=2),
        unchanged=(unchanged("m"), unchanged("n", action(run_id="r11").subject)),
        unmet=tuple(
            Unmet(Address(f"run.{kind}"), kind, "why", Source("f.toml", 2), "r12")
            for kind in ("failed", "canceled", "abandoned", "short", "gone", "deferred")
        )
        + tuple(
            Unmet(Address("run.u"), "unknown", "why", outlook=Outlook(standing, "why", candidates, True, AT))
            for standing in ("waiting", "adopt", "ambiguous", "absent")
        ),
        drift=(Drift(Address("run.o"), "r13", (FieldChange("tools", ["x"], None), FieldChange("x", 1, True))),),
        diagnostics=(ERROR, replace(ERROR, severity=Severity.WARNING, proposal=()), NOTICE),
        limits=tuple(
            LimitResult(Limit(name, value, level, Source("f.toml", 9)), level is Level.HARD, "found", "agreed")
            for level in Level
            for name, value in (
                ("max_new_runs", 5), ("max_new_samples", 5), ("max_cost_usd", 2.5), ("max_cancel", 0),
                ("allowed_models", ("a/*",)), ("deny_models", ("b/*", "c")),
            )
        ),
        environment="large",
        revision=Revision("abc", True, "def", "data"),
    )  # fmt: skip


@cache
def plans() -> dict[str, Plan]:
    made = {case.name: make_plan(case) for case in CASES}
    more = {"rich": rich(), "nothing": plan(lineage="", serial=0), "bare limit": plan(limits=(bare_limit(),))}
    modes = {mode: plan(action(), mode=mode) for mode in ("destroy", "refresh-only")}
    return made | more | modes


def bare_limit() -> LimitResult:
    return LimitResult(Limit("max_new_runs", 5), True, "found")


EVENTS: tuple[Event, ...] = (
    Started(action()),
    Submitted("run.a", "r1", Kind.CREATE),
    *(Progressed("run.a", "r1", status, 3, None, 10, 1.5) for status in RunStatus),
    Progressed("run.a", "r1", RunStatus.PENDING, None, 0, None, 0.0),
    Done("run.a", Kind.FORGET, "forgotten"),
    *(Failed("run.a", trouble, "why") for trouble in ("rejected", "unknown", "deferred", "outdated", "error")),
    Told("Limit x is overridden"),
)


def events() -> Iterator[dict[str, Any]]:
    yield version_event(AT)
    for made in plans().values():
        yield from plan_events(made, AT)
    yield from (diagnostic_event(found, AT) for found in (ERROR, NOTICE))
    yield from (event_json(event, AT) for event in EVENTS)
    yield from (summary_event(Report({Kind.CREATE: 1}), "said", code, AT) for code in (0, 1, 3, 4, 5, 6, 7, 130))


def plan_documents() -> Iterator[dict[str, Any]]:
    yield from (plan_json(made) for made in plans().values())
    yield failed_plan_json([NOTICE, ERROR])


@pytest.mark.parametrize("name", ["plan", "event"])
def test_the_schemas_are_schemas_and_describe_their_objects(name: str) -> None:
    whole = schema(name)
    Draft202012Validator.check_schema(whole)
    assert whole["$id"] == f"urn:reconciler:schema:{name}:1"
    objects = {key: item for key, item in whole["$defs"].items() if "properties" in item}
    assert [key for key, item in objects.items() if "description" not in item] == []
    assert "additionalProperties" not in json.dumps([item for key, item in objects.items() if key != "change"])


def test_what_both_describe_is_described_alike() -> None:
    plan_defs, event_defs = schema("plan")["$defs"], schema("event")["$defs"]
    assert event_defs["finding"] == plan_defs["diagnostic"]
    assert event_defs["address"] == plan_defs["address"]
    limit = plan_defs["limit"]["properties"]
    assert event_defs["limit"]["properties"] == {key: limit[key] for key in limit if key not in ("value", "source")}


def test_every_field_of_a_run_is_described() -> None:
    described = set(schema("plan")["$defs"]["values"]["properties"])
    assert described == {*RUN_FIELDS, "rerun", "lifecycle"} - {"enable_revisions"}  # which is never sent


def test_every_plan_is_as_the_schema_says_and_nothing_is_undescribed() -> None:
    found = {name: problems("plan", plan_json(made), True) for name, made in plans().items()}
    assert {name: said for name, said in found.items() if said} == {}
    assert problems("plan", failed_plan_json([NOTICE, ERROR]), True) == []


def test_every_event_is_as_the_schema_says_and_nothing_is_undescribed() -> None:
    assert [said for item in events() for said in problems("event", item, True)] == []
    types = {item["type"] for item in events()}
    assert types == set(schema("event")["properties"]["type"]["enum"])


def test_every_field_that_is_described_is_there() -> None:
    assert never_there("event", events(), "type") == []
    assert never_there("plan", plan_documents()) == ["severity"]  # in `contains`: a condition, no description


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("digest", ...),
        ("git", ...),
        ("limits", ...),
        ("summary.samples", ...),
        ("resource_changes.0.change", ...),
        ("resource_changes.0.change.after_sensitive", ...),
        ("limits.0.override", ...),
        ("unmet.0.outlook", ...),
        ("format_version", "2.0"),
        ("format_version", 1.0),
        ("digest", "sha256:abc"),
        ("serial", "3"),
        ("serial", -1),
        ("timestamp", None),
        ("mode", "dry-run"),
        ("git.dirty", "yes"),
        ("environment", ""),
        ("summary.create", None),
        ("summary.estimated_cost_usd", "unknown"),
        ("resource_changes", {}),
        ("resource_changes.0.type", "aws_instance"),
        ("resource_changes.0.address", "a"),
        ("resource_changes.0.action", "destroy"),
        ("resource_changes.0.change.actions", ["delete", "create"]),
        ("resource_changes.0.change.actions", "create"),
        ("resource_changes.0.change.after.databricks_client_id", "secret"),
        ("resource_changes.0.change.after_sensitive.databricks_client_id", False),
        ("resource_changes.0.change.before_sensitive", {"x": True}),
        ("resource_changes.0.change.after", {}),
        ("resource_changes.0.source", {"file": "f.toml"}),
        ("resource_changes.0.source.line", 0),
        ("resource_changes.0.estimated_cost_usd", -1),
        ("resource_changes.1.run.samples_completed", "4"),
        ("resource_changes.12.depends_on", []),
        ("unmet.0.kind", "lost"),
        ("unmet.6.outlook.standing", "soon"),
        ("drift.0.changes", []),
        ("diagnostics.0.severity", "fatal"),
        ("diagnostics.0.range.start.line", None),
        ("limits.0.level", "warning"),
        ("limits.0.name", "max_runs"),
        ("limits.0.passed", 1),
        ("limits.4.value", [1]),
    ],
)
def test_what_is_no_plan_is_refused(path: str, value: Any) -> None:
    document = json.loads(json.dumps(plan_json(plans()["rich"])))
    assert problems("plan", document) == []
    assert problems("plan", change(document, path, value)) != []


@pytest.mark.parametrize(
    ("path", "value"),
    [("errored", False), ("diagnostics", []), ("diagnostics.0.severity", "notice"), ("tool_version", ...)],
)
def test_what_is_no_failure_is_refused(path: str, value: Any) -> None:
    assert problems("plan", change(failed_plan_json([ERROR]), path, value)) != []


@pytest.mark.parametrize("path", ["", "summary", "resource_changes.0", "resource_changes.0.change", "limits.0", "git"])
def test_what_is_added_later_is_no_mistake(path: str) -> None:
    document = json.loads(json.dumps(plan_json(plans()["rich"])))
    later = change(document, f"{path}.later".removeprefix("."), 1)
    assert problems("plan", later) == []
    assert problems("plan", later, True) != []


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("version", "reconciler", ...),
        ("version", "@level", "fatal"),
        ("version", "@timestamp", ...),
        ("version", "type", "hello"),
        ("diagnostic", "diagnostic", None),
        ("planned_change", "action", "no-op"),
        ("planned_change", "address", "a"),
        ("change_summary", "limits", ...),
        ("change_summary", "digest", "abc"),
        ("change_summary", "changes", {"create": -1}),
        ("apply_start", "address", ...),
        ("run_submitted", "run_id", ...),
        ("run_submitted", "run_id", None),
        ("apply_progress", "status", "SUCCEEDED"),
        ("apply_progress", "samples_failed", ...),
        ("apply_progress", "elapsed_seconds", "1"),
        ("apply_complete", "status", "PENDING"),
        ("apply_complete", "run_id", ...),
        ("apply_errored", "trouble", "odd"),
        ("summary", "exit_code", 2),
        ("summary", "done", None),
    ],
)
def test_what_is_no_event_is_refused(kind: str, path: str, value: Any) -> None:
    document = next(item for item in events() if item["type"] == kind)
    assert problems("event", document) == []
    assert problems("event", change(document, path, value)) != []
