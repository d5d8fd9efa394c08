"""The 21 fields are those of the API document, with its bounds and enumerations."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import pytest

from reconciler.config.bounds import Between
from reconciler.config.models import UNBOUNDED, RunTable
from reconciler.dataframer import fields
from tests.dataframer.document import document


def properties() -> dict[str, dict[str, Any]]:
    schema: dict[str, dict[str, Any]] = document()["components"]["schemas"]["RunCreateRequest"]["properties"]
    return schema


def items(name: str) -> list[str]:
    """The enumeration of a list field, wherever the document keeps it."""
    schema = properties()[name]["items"]
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return list(schema["enum"])


def bounds(name: str) -> dict[str, Any]:
    """What the configuration's table allows."""
    hint = get_type_hints(RunTable, include_extras=True)[name]
    found = (item for part in (hint, *get_args(hint)) for item in get_args(part) if isinstance(item, Between))
    terms: dict[str, Any] = next((item.terms for item in found), {})
    names = {"ge": "minimum", "le": "maximum"}
    return {names[term]: value for term, value in terms.items() if value != UNBOUNDED}


def test_the_fields_are_those_of_the_document() -> None:
    assert sorted(fields.RUN_FIELDS) == sorted(properties())
    assert len(fields.RUN_FIELDS) == 21
    assert set(fields.RUN_FIELDS) <= set(RunTable.__annotations__)


@pytest.mark.parametrize("name", fields.RUN_FIELDS)
def test_bounds(name: str) -> None:
    schema = properties()[name]
    wanted = {key: schema[key] for key in ("minimum", "maximum") if key in schema}
    if name == "number_of_samples":  # with shard_size it may be more, so its most is a rule of its own
        assert wanted.pop("maximum") == fields.MAX_SAMPLES
    assert bounds(name) == wanted


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("revision_types", fields.REVISION_TYPES),
        ("filtering_types", fields.FILTERING_TYPES),
    ],
)
def test_lists(name: str, allowed: tuple[str, ...]) -> None:
    assert list(allowed) == items(name)
    assert name in fields.LIST_FIELDS


def test_the_tools_are_those_that_the_document_names() -> None:
    assert fields.TOOLS == ("calculator",)
    assert "calculator" in str(properties()["tools"])


def test_shuffling_levels_and_samples() -> None:
    assert list(fields.SHUFFLING_LEVELS) == properties()["seed_shuffling_level"]["enum"]
    assert properties()["number_of_samples"]["maximum"] == fields.MAX_SAMPLES


def test_groups_are_parts_of_the_whole() -> None:
    groups = (fields.SECRET_FIELDS, fields.MODEL_FIELDS, fields.LIST_FIELDS, fields.NEEDS_REVISIONS, fields.BUDGET_OF)
    for group in (*groups, fields.LEGACY_EXPANSION, fields.NEVER_REPORTED):
        assert set(group) <= set(fields.RUN_FIELDS)
    assert sorted(name for name, schema in properties().items() if schema.get("type") == "array") == sorted(
        fields.LIST_FIELDS
    )
    assert {budget.replace("thinking_budget", "model") for budget in fields.BUDGET_OF} == set(fields.BUDGET_OF.values())
