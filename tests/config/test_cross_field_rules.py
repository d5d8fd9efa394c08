"""Every rule across fields, both ways: the declaration that it refuses, and the nearest one that it lets pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.config.projects import MODEL, SPEC, SPECS, THINKING, desired, errors, places, run, warnings

OLD_DATABRICKS = "databricks/databricks-claude-haiku-4-5"
NEW_DATABRICKS = "databricks/system.ai.claude-opus-5"
CREDENTIALS = {
    name: {"env": "X"} for name in ("databricks_client_id", "databricks_client_secret", "databricks_api_base")
}
TYPES = {"revision_types": ["consistency"]}

# The declaration's changes; the summaries of errors, then of warnings; the line that is pointed at.
CASES: dict[str, tuple[dict[str, Any], list[str], list[str], str]] = {
    "plain": ({}, [], [], ""),
    # A spec, named in one way.
    "no spec": ({"spec": None}, ["One spec is needed"], [], "[run.a]"),
    "alias and id": ({"spec_id": SPEC}, ["One spec is needed"], [], "spec_id"),
    "alias and name": ({"spec_name": "N"}, ["One spec is needed"], [], "spec_name"),
    "id and name": ({"spec": None, "spec_id": SPEC, "spec_name": "N"}, ["One spec is needed"], [], "spec_name"),
    "all three": ({"spec_id": SPEC, "spec_name": "N"}, ["One spec is needed"], [], "spec_name"),
    "id alone": ({"spec": None, "spec_id": SPEC}, [], [], ""),
    "name alone": ({"spec": None, "spec_name": "Support tickets"}, [], [], ""),
    "undefined alias": ({"spec": "tt"}, ["Unknown spec alias"], [], "spec"),
    # Samples.
    "no samples": ({"number_of_samples": None}, ["A field is missing"], [], "[run.a]"),
    "as many as all": ({"lifecycle": {"min_samples": 10}}, [], [], ""),
    "more than all": ({"lifecycle": {"min_samples": 11}}, ["Value out of bounds"], [], "lifecycle"),
    # Budgets need the thinking model of their own stage.
    "generation budget": ({"generation_thinking_budget": 2048, "generation_model": THINKING}, [], [], ""),
    "generation budget, plain model": (
        {"generation_thinking_budget": 2048},
        ["Budget without a thinking model"],
        [],
        "generation_thinking_budget",
    ),
    "generation budget, no model": (
        {"generation_thinking_budget": 2048, "generation_model": None},
        ["Budget without a thinking model"],
        ["Model left to the service"],
        "generation_thinking_budget",
    ),
    "outline budget": ({"outline_thinking_budget": 2048, "outline_model": THINKING}, [], [], ""),
    "outline budget, another stage's model": (
        {"outline_thinking_budget": 2048, "generation_model": THINKING},
        ["Budget without a thinking model"],
        [],
        "outline_thinking_budget",
    ),
    "revision budget": ({**TYPES, "revision_thinking_budget": 2048, "revision_model": THINKING}, [], [], ""),
    "revision budget, plain model": (
        {**TYPES, "revision_thinking_budget": 2048, "revision_model": MODEL},
        ["Budget without a thinking model"],
        [],
        "revision_thinking_budget",
    ),
    # databricks/ models need all three credentials; the newer names only ask for them.
    "databricks with all": ({"generation_model": OLD_DATABRICKS, **CREDENTIALS}, [], ["Retired model"], ""),
    "databricks without": (
        {"generation_model": OLD_DATABRICKS},
        ["Databricks credentials are missing"],
        ["Retired model"],
        "generation_model",
    ),
    "databricks with two of three": (
        {"generation_model": OLD_DATABRICKS, **CREDENTIALS, "databricks_api_base": None},
        ["Databricks credentials are missing"],
        ["Retired model"],
        "generation_model",
    ),
    "databricks for the outline": (
        {"outline_model": OLD_DATABRICKS},
        ["Databricks credentials are missing"],
        ["Retired model"],
        "outline_model",
    ),
    "newer databricks without": (
        {"generation_model": NEW_DATABRICKS},
        [],
        ["Databricks credentials are missing"],
        "generation_model",
    ),
    "newer databricks with all": ({"generation_model": NEW_DATABRICKS, **CREDENTIALS}, [], [], ""),
    "credentials without a databricks model": (CREDENTIALS, [], [], ""),
    # What acts on revisions needs some.
    "revision model": ({"revision_model": MODEL}, ["A field without effect"], [], "revision_model"),
    "revision cycles": ({"max_revision_cycles": 2}, ["A field without effect"], [], "max_revision_cycles"),
    "revision cycles, empty lists": (
        {"max_revision_cycles": 2, "revision_types": [], "filtering_types": []},
        ["A field without effect"],
        [],
        "max_revision_cycles",
    ),
    "revision cycles, revisions": ({"max_revision_cycles": 2, **TYPES}, [], [], ""),
    "revision cycles, filtering": ({"max_revision_cycles": 2, "filtering_types": ["structural"]}, [], [], ""),
    "revision cycles, switch": ({"max_revision_cycles": 2, "enable_revisions": True}, [], ["Deprecated field"], ""),
    "revision cycles, switch off": (
        {"max_revision_cycles": 2, "enable_revisions": False},
        ["A field without effect"],
        ["Deprecated field"],
        "max_revision_cycles",
    ),
    # The deprecated switch stands alone.
    "switch": ({"enable_revisions": True}, [], ["Deprecated field"], "enable_revisions"),
    "switch off": ({"enable_revisions": False}, [], ["Deprecated field"], "enable_revisions"),
    "switch next to revisions": (
        {"enable_revisions": True, **TYPES},
        ["Deprecated switch in the way"],
        [],
        "enable_revisions",
    ),
    "switch next to filtering": (
        {"enable_revisions": True, "filtering_types": ["structural"]},
        ["Deprecated switch in the way"],
        [],
        "enable_revisions",
    ),
    "switch next to an empty list": (
        {"enable_revisions": True, "revision_types": []},
        ["Deprecated switch in the way"],
        [],
        "enable_revisions",
    ),
    # outline_* is moot without an outline.
    "outline skipped": ({"skip_outline": True}, [], [], ""),
    "outline model skipped": (
        {"skip_outline": True, "outline_model": MODEL},
        [],
        ["A field without effect"],
        "outline_model",
    ),
    "outline budget skipped": (
        {"skip_outline": True, "outline_model": THINKING, "outline_thinking_budget": 1024},
        [],
        ["A field without effect", "A field without effect"],
        "outline_model",
    ),
    "outline kept": ({"skip_outline": False, "outline_model": MODEL}, [], [], ""),
    # Models: listed, dropped, misspelt, unknown, left out.
    "no model": ({"generation_model": None}, [], ["Model left to the service"], "[run.a]"),
    "dropped model": ({"generation_model": "anthropic/claude-opus-4-6"}, [], ["Retired model"], "generation_model"),
    "misspelt model": ({"generation_model": "anthropic/claude-haiku-4.5"}, ["Unknown model"], [], "generation_model"),
    "model without its maker": ({"outline_model": "claude-haiku-4-5"}, ["Unknown model"], [], "outline_model"),
    "unheard-of model": ({"generation_model": "acme/large-9"}, [], ["Unknown model"], "generation_model"),
}


@pytest.mark.parametrize(("changes", "wrong", "warned", "line"), CASES.values(), ids=CASES)
def test_rule(tmp_path: Path, changes: dict[str, Any], wrong: list[str], warned: list[str], line: str) -> None:
    text = SPECS + run(**changes)
    found = desired(tmp_path, text)
    assert [item.summary for item in errors(found)] == wrong
    assert [item.summary for item in warnings(found)] == warned
    assert len(found.instances) == (0 if wrong else 1)
    if line:
        assert places(list(found.diagnostics), text)[0].startswith(line)
    assert {item.address for item in found.diagnostics} <= {"run.a"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spec": "tt"}, ['Did you mean "t"', "Defined: t"]),
        ({"generation_model": "anthropic/claude-haiku-4.5"}, ["anthropic/claude-haiku-4-5", "extra_models"]),
        ({"generation_model": "anthropic/claude-opus-4-6"}, ["2026"]),
        ({"generation_model": OLD_DATABRICKS, "databricks_client_id": {"env": "X"}}, ["databricks_client_secret"]),
        ({"generation_thinking_budget": 2048}, [MODEL, "-thinking"]),
        ({"enable_revisions": True}, ["revision_types", "filtering_types"]),
    ],
)
def test_the_message_helps(tmp_path: Path, changes: dict[str, Any], words: list[str]) -> None:
    told = " ".join(f"{item.detail} {item.fix}" for item in desired(tmp_path, SPECS + run(**changes)).diagnostics)
    assert [word for word in words if word not in told] == []


def test_extra_models_are_known(tmp_path: Path) -> None:
    text = '[api]\nextra_models = ["acme/large-9", "anthropic/claude-haiku-4.5"]\n' + SPECS
    text += run("a", generation_model="acme/large-9") + run("b", generation_model="anthropic/claude-haiku-4.5")
    found = desired(tmp_path, text)
    assert found.diagnostics == ()
    assert len(found.instances) == 2
