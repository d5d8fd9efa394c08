"""Every bound, enumeration and type of the 21 run fields and of the lifecycle, on both sides of the edge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.dataframer.fields import RUN_FIELDS
from tests.config.projects import MODEL, SPEC, SPECS, THINKING, desired, errors, places, run, toml, warnings

# Written from the reference page of the create call. A declaration in which every field may stand:
COMPANIONS: dict[str, Any] = {
    "generation_model": THINKING,
    "outline_model": THINKING,
    "revision_model": THINKING,
    "revision_types": ["consistency"],
}
REFERENCE = {"env": "NAME"}
POSITIVE: list[Any] = [0, -1, "5", 1.0, True, [1], -(10**21)]
BUDGET: tuple[list[Any], list[Any]] = ([1024, 1025, 100_000], [1023, *POSITIVE])
BOOLEAN: tuple[list[Any], list[Any]] = ([True, False], ["yes", "true", 1, 0, []])
MODELS: tuple[list[Any], list[Any]] = ([THINKING], ["", 5, True, ["a"], "x" * 201])
CREDENTIAL: tuple[list[Any], list[Any]] = (
    [REFERENCE, {"file": "secrets/x"}],
    [
        "literal",
        "",
        5,
        True,
        ["literal"],
        {},
        {"env": ""},
        {"env": 5},
        {"file": []},
        {"value": "literal"},
        {"env": "A", "file": "b"},
    ],
)
CASES: dict[str, tuple[list[Any], list[Any]]] = {
    "spec_id": ([SPEC, SPEC.upper()], ["abc", "", 5, SPEC[:-1], SPEC + "0", SPEC + "\n", SPEC.replace("-", "")]),
    "number_of_samples": ([1, 2, 19_999, 20_000], [20_001, 10**21, *POSITIVE]),
    "spec_version": ([1, 2, 2**31 - 1, "latest"], ["newest", "", "1", *POSITIVE]),
    "generation_model": MODELS,
    "outline_model": MODELS,
    "revision_model": MODELS,
    "revision_types": (
        [["coherence_flow", "consistency", "distinguishability", "conformance"], ["conformance"]],
        ["consistency", ["Consistency"], ["structural"], ["consistency", "consistency"], [1], [["consistency"]], True],
    ),
    "filtering_types": (
        [["structural", "conformance"], ["structural"], []],
        ["structural", ["consistency"], ["structural", "structural"], [""], {}],
    ),
    "max_revision_cycles": ([1, 2, 4, 5], [6, 10**21, *POSITIVE]),
    "seed_shuffling_level": (["none", "sample", "field", "prompt"], ["", "None", "all", 0, False, ["none"]]),
    "max_examples_in_prompt": ([1, 2, 2**31 - 1], POSITIVE),
    "unified_multifield": BOOLEAN,
    "generation_thinking_budget": BUDGET,
    "outline_thinking_budget": BUDGET,
    "revision_thinking_budget": BUDGET,
    "databricks_client_id": CREDENTIAL,
    "databricks_client_secret": CREDENTIAL,
    "databricks_api_base": CREDENTIAL,
    "skip_outline": ([False], BOOLEAN[1]),
    "tools": ([["calculator"], []], ["calculator", ["calc"], ["calculator", "calculator"], [1], True]),
    "enable_revisions": BOOLEAN,
}
LIFECYCLE: dict[str, tuple[list[Any], list[Any]]] = {
    "protect": BOOLEAN,
    "on_remove": (["cancel", "keep", "delete"], ["forget", "", 1]),
    "on_change": (["replace", "keep"], ["cancel", "", True]),
    "max_attempts": ([1, 2, 100], POSITIVE),
    "min_samples": ([0, 1, 10], [-1, "5", 1.0, True]),
    "rerun": ([0, 1, 1000], [-1, "5", 1.0, True]),
}


def declaration(field: str, value: object) -> str:
    companions = dict(COMPANIONS)
    if field == "enable_revisions":
        companions = {"generation_model": MODEL}
    if field == "spec_id":
        companions["spec"] = None
    return SPECS + run(**(companions | {field: value}))


def cases(which: int) -> list[Any]:
    return [
        pytest.param(field, value, id=f"{field}={str(value)[:24]!r}")
        for field, sides in CASES.items()
        for value in sides[which]
    ]


def test_the_table_has_every_field() -> None:
    assert tuple(CASES) == RUN_FIELDS
    assert len(CASES) == 21


@pytest.mark.parametrize(("field", "value"), cases(0))
def test_allowed(tmp_path: Path, field: str, value: object) -> None:
    found = desired(tmp_path, declaration(field, value))
    assert errors(found) == []
    deprecated = ["Deprecated field"] if field == "enable_revisions" else []
    assert [item.summary for item in warnings(found)] == deprecated
    (instance,) = found.instances
    sent = instance.request.body()
    match field:
        case "spec_id":
            assert sent["spec_id"] == SPEC
        case "spec_version" if value == "latest":
            assert instance.follows_latest
            assert "spec_version" not in sent
        case "databricks_client_id" | "databricks_client_secret" | "databricks_api_base":
            assert [name for name, _ in instance.secrets] == [field]
            assert field not in sent
        case "enable_revisions":
            expanded = {"revision_types", "filtering_types"} & set(sent)
            assert len(expanded) == (2 if value else 0)
            assert field not in sent
        case _:
            assert sent[field] == value
            assert type(sent[field]) is type(value)


@pytest.mark.parametrize(("field", "value"), cases(1))
def test_refused_once_at_its_line(tmp_path: Path, field: str, value: object) -> None:
    text = declaration(field, value)
    found = desired(tmp_path, text)
    (error,) = errors(found)
    assert error.address == "run.a"
    (line,) = places([error], text)
    assert line.startswith(f"{field} = ")
    assert not found.valid
    assert found.instances == ()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("number_of_samples", 0, ["1", "20000", "not 0"]),
        ("number_of_samples", 20_001, ["1", "20000", "not 20001"]),
        ("number_of_samples", "5", ["whole number", "20000", 'not "5"']),
        ("number_of_samples", True, ["whole number", "not true"]),
        ("max_revision_cycles", 6, ["from 1 to 5", "not 6"]),
        ("generation_thinking_budget", 1023, ["at least 1024", "not 1023"]),
        ("spec_version", 0, ["at least 1", "latest", "not 0"]),
        ("spec_version", 2**31, ["2147483647"]),
        ("max_examples_in_prompt", 2**31, ["2147483647"]),
        ("generation_thinking_budget", 2**31, ["2147483647"]),
        ("seed_shuffling_level", "sampel", ["none", "sample", "field", "prompt", "Did you mean", "sample"]),
        ("tools", ["calculators"], ["calculator", "Did you mean"]),
        ("filtering_types", ["structure"], ["structural", "conformance", "Did you mean"]),
        ("revision_types", ["consistancy"], ["coherence_flow", "Did you mean", "consistency"]),
        ("unified_multifield", "yes", ["true or false", 'not "yes"']),
        ("spec_id", "abc", ["UUID", 'not "abc"']),
    ],
)
def test_the_message_says_what_is_allowed(tmp_path: Path, field: str, value: object, words: list[str]) -> None:
    (error,) = errors(desired(tmp_path, declaration(field, value)))
    assert [word for word in words if word not in f"{error.detail} {error.fix}"] == []


@pytest.mark.parametrize(
    ("key", "value", "fine"),
    [(key, value, which == 0) for key, sides in LIFECYCLE.items() for which in (0, 1) for value in sides[which]],
)
@pytest.mark.parametrize("place", ["run", "defaults"])
def test_lifecycle(tmp_path: Path, key: str, value: object, fine: bool, place: str) -> None:
    lifecycle = f"lifecycle.{key}"
    changes: dict[str, Any] = {lifecycle: value}
    shared = "" if place == "run" else f"[defaults]\n{lifecycle} = {toml(value)}\n"
    text = SPECS + shared + (run() if shared else run(**changes))
    found = errors(desired(tmp_path, text))
    assert [line.startswith(lifecycle) for line in places(found, text)] == ([] if fine else [True])


def test_a_number_that_the_database_cannot_hold_is_refused(tmp_path: Path) -> None:
    (error,) = errors(desired(tmp_path, SPECS + run(lifecycle={"rerun": 2**63})))
    assert error.summary == "Value out of bounds"
