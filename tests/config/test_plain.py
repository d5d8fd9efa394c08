"""What is plainly right is right for pydantic, too; and what projects usually hold is plainly right."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from reconciler.config import models
from reconciler.config.plain import plain

TABLES = [
    models.ApiTable, models.StateTable, models.ApplyTable, models.LimitsTable, models.VariableTable, models.OwnTable,
    models.RunTable, models.PointTable, models.MovedTable, models.ImportTable, models.SecretTable, models.SpecsTable,
    models.LifecycleTable, models.CountLimitTable, models.CostLimitTable, models.ModelsLimitTable,
]  # fmt: skip
ADAPTERS: dict[int, TypeAdapter[Any]] = {id(kind): TypeAdapter(kind) for kind in TABLES}
SPEC = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
EDGES: list[Any] = [
    True, False, 0, 1, -1, 5, 6, 1023, 1024, 20_000, 20_001, 2**31 - 1, 2**31, 2**63, 10**30, 0.0, -0.0, 1.5, -1.5,
    math.inf, -math.inf, math.nan, 2.0**31, "", "a", "a\n", "latest", "latest\n", "none", "sample", "hard", "cancel",
    "delete", "replace", "keep", "string", "60s", "60s\n", "٣s", "5/s", "x" * 200, "x" * 201, SPEC, SPEC + "\n",
    SPEC.upper(), "search/production", "conformance", "consistency", "calculator", "structural", [], ["conformance"],
    ["conformance", "conformance"], ["x"], [1], [[]], {}, {"env": "A"}, {"env": ""}, {"file": "b", "env": "A"},
    {"value": 1}, {"value": 1, "level": "soft"}, {"level": "soft"}, {"value": 1.5}, {"value": ["x"]}, {"x": 1},
    {"protect": True}, {"protect": 1}, {"max_attempts": 0}, {"rerun": 1, "min_samples": 3},
]  # fmt: skip


def keys(kind: Any) -> list[str]:
    return [*getattr(kind, "__annotations__", {}), "unknown"]


def accepts(kind: Any, value: object) -> bool:
    try:
        ADAPTERS[id(kind)].validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: getattr(kind, "__name__", "SpecsTable"))
def test_no_value_of_a_key_is_taken_for_right(kind: Any) -> None:
    for key in keys(kind):
        for value in EDGES:
            table = {key: value}
            assert not plain(kind)(table) or accepts(kind, table), table
    for value in EDGES:
        assert not plain(kind)(value) or accepts(kind, value), value


SCALARS = st.one_of(st.sampled_from(EDGES), st.integers(), st.floats(), st.text(max_size=5), st.booleans())
WITHIN = st.sampled_from(["env", "file", "value", "level", "x"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WITHIN, inner, max_size=2)),
    max_leaves=4,
)


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_nor_is_a_whole_table(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(TABLES))
    table = data.draw(st.dictionaries(st.sampled_from(keys(kind)), VALUES, max_size=4))
    assert not plain(kind)(table) or accepts(kind, table)


USUAL: list[tuple[Any, dict[str, Any]]] = [
    (models.ApiTable, {"base_url": "emulator", "api_key": {"env": "KEY"}, "extra_models": ["a/b"], "timeout": "60s"}),
    (models.StateTable, {"url": "sqlite:///x", "workspace": "search/production"}),
    (models.StateTable, {"url": {"env": "URL"}}),
    (models.ApplyTable, {"parallelism": 10, "max_active": 0, "submit_rate": "5/s", "resubmit_absent_after": ""}),
    (models.ApplyTable, {"resubmit_absent_after": "15m"}),
    (models.LimitsTable, {"max_new_runs": 5, "max_cost_usd": 250, "max_cancel": {"value": 1, "level": "soft"}}),
    (models.LimitsTable, {"allowed_models": ["a*"], "max_cost_usd": {"value": 2.5}}),
    (models.SpecsTable, {"tickets": SPEC}),
    (models.VariableTable, {"type": "integer", "default": 50, "minimum": 1, "description": "d"}),
    (models.MovedTable, {"from": "run.a", "to": "run.b"}),
    (models.ImportTable, {"to": "run.a", "id": SPEC}),
    (models.OwnTable, {"spec": "tickets", "number_of_samples": 10, "shard_size": 5, "depends_on": ["run.a"]}),
    (models.RunTable, {
        "spec_id": SPEC, "spec_version": "latest", "generation_model": "a/b", "revision_types": ["consistency"],
        "filtering_types": ["structural"], "max_revision_cycles": 2, "seed_shuffling_level": "sample",
        "max_examples_in_prompt": 3, "unified_multifield": True, "generation_thinking_budget": 1024,
        "skip_outline": False, "tools": ["calculator"], "databricks_client_id": {"env": "ID"},
        "lifecycle": {"protect": True, "on_remove": "keep", "on_change": "keep", "max_attempts": 2, "rerun": 1},
    }),
    (models.RunTable, {"spec_version": 3}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "table"), USUAL)
def test_the_usual_is_plainly_right(kind: Any, table: dict[str, Any]) -> None:
    assert plain(kind)(table)


HEAVY = ("pydantic", "httpx", "httpcore", "deepdiff", "sqlite_utils", "rich", "asyncio", "tomlkit", "psycopg")


def test_a_project_without_mistakes_waits_for_no_heavy_library() -> None:
    """Nor does a plan that is made offline and finds nothing to do; the emulator's project has no state."""
    code = (
        "import sys; from reconciler.cli.main import main; sys.argv = ['reconciler', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    root = Path(__file__).parents[2]
    for words in (["validate"], ["plan", "--offline"], ["version"], ["--help"]):
        done = subprocess.run(
            [sys.executable, "-c", code, "-C", str(root / "examples" / "sweep"), *words],
            cwd=root, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stderr.splitlines()[-1] == "[]", words
