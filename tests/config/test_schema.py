"""The editors' schema: it takes whatever is valid, and refuses what a schema can see."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import TypeAdapter, ValidationError

from reconciler.cli.main import cli
from reconciler.cli.session import Session
from reconciler.config import meanings, models
from reconciler.config.schema import SCHEMA_FILE, schema, schema_text
from reconciler.dataframer.catalogue import catalogue
from reconciler.dataframer.fields import RUN_FIELDS, SECRET_FIELDS
from reconciler.project import check_project
from tests.acceptance.invalid_cases import INVALID, Invalid
from tests.acceptance.project import HEAD

ROOT = Path(__file__).parent.parent.parent
SCHEMA = schema()
VALIDATOR = Draft7Validator(SCHEMA)
# Every project of ours that is right: examples, templates, and those of the planner's cases.
FILES = sorted(
    [
        *(path for path in (ROOT / "examples").rglob("*.toml") if path.name != "watch.toml"),  # which is no project's
        *(ROOT / "reconciler" / "cli" / "templates").glob("*.toml"),
        *(ROOT / "tests" / "decisions" / "cases").glob("*/project/**/*.toml"),
    ]
)


def problems(document: dict[str, Any]) -> list[str]:
    return [f"{'.'.join(map(str, found.path))}: {found.message}" for found in VALIDATOR.iter_errors(document)]


def test_it_is_a_schema_of_the_draft_that_editors_read() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_it_takes_every_valid_file() -> None:
    assert len(FILES) > 80
    for path in FILES:
        assert problems(tomllib.loads(path.read_text("utf-8"))) == [], path


NO_TOML = "it is no TOML, so there is nothing to check"
ELSEWHERE = "what is missing may stand in [defaults], also in those of another file"
# Cases that a schema can't catch, and why.
UNSEEN = {
    "samples-float": "to JSON Schema 5.0 is a whole number",
    "budget-unthinking": ELSEWHERE,
    "outline-budget-unthinking": ELSEWHERE,
    "model-dot": "any model name may be right: the service decides",
    "databricks": ELSEWHERE,
    "databricks-incomplete": ELSEWHERE,
    "alias": "the alias may be defined in [specs] of another file",
    "revision-model-idle": ELSEWHERE,
    "cycles-idle": ELSEWHERE,
    "no-samples": ELSEWHERE,
    "no-spec": ELSEWHERE,
    "two-files": "a schema sees one file",
    "api-in-runs-file": "one schema serves all files of a project",
    "syntax": NO_TOML,
    "twice-in-one-file": NO_TOML,
    "not-utf8": NO_TOML,
    "too-large": "a schema sees no sizes",
}


def documents(case: Invalid) -> Iterator[dict[str, Any]]:
    """Those of a case's files that are TOML."""
    for content in (HEAD.replace("{{url}}", "{url}") + case.text, *case.files.values()):
        try:
            text = content.decode() if isinstance(content, bytes) else content
            yield tomllib.loads(text.replace("{url}", "http://127.0.0.1:9"))
        except ValueError:
            assert UNSEEN[case.name] == NO_TOML


@pytest.mark.parametrize("case", INVALID, ids=[case.name for case in INVALID])
def test_it_refuses_what_a_schema_can_see(case: Invalid) -> None:
    found = [problem for document in documents(case) for problem in problems(document)]
    assert (found == []) is (case.name in UNSEEN), UNSEEN.get(case.name)


def test_no_reason_outlives_its_case() -> None:
    assert UNSEEN.keys() <= {case.name for case in INVALID}


def run(**fields: object) -> dict[str, Any]:
    return {"run": {"a": {"spec": "t", "number_of_samples": 5} | fields}}


REFERENCE, THINKING, PLAIN = "${var.x-1}", "openai/gpt-5.6-terra-thinking", "openai/gpt-oss-120b"
TAKEN: dict[str, dict[str, Any]] = {
    "an integer from a variable": run(number_of_samples=REFERENCE),
    "a flag from a variable": run(skip_outline=REFERENCE),
    "a list from a variable": run(revision_types=REFERENCE),
    "an element from a variable": run(revision_types=["consistency", REFERENCE]),
    "a word from a variable": run(seed_shuffling_level="${var.x}le"),
    "a version from a variable": run(spec_version=REFERENCE),
    "an alias with a variable": run(spec="t_${var.lang}"),
    "a duration with a variable": {"api": {"timeout": "${var.x}s"}},
    "an address with a variable": {"api": {"base_url": "https://${var.host}"}},
    "the newest version": run(spec_version="latest"),
    "a model that nobody knows": run(generation_model="acme/unheard-of"),
    "a budget with a model from a variable": run(generation_model=REFERENCE, generation_thinking_budget=2048),
    "a budget with a thinking model": run(generation_model=THINKING, generation_thinking_budget=2048),
    "a budget whose model for_each sets": run(
        generation_model=PLAIN, generation_thinking_budget=2048, for_each={"de": {"generation_model": THINKING}}
    ),
    "more samples than one run takes, in shards": run(number_of_samples=100_000, shard_size=20_000),
    "more samples than one run takes, in defaults": {"defaults": {"number_of_samples": 100_000}},
    "a matrix": run(
        matrix={"generation_model": [PLAIN, REFERENCE], "number_of_samples": [10, 100], "tools": [["calculator"], []]},
        matrix_exclude=[{"generation_model": PLAIN, "number_of_samples": 100}],
        matrix_include=[{"generation_model": THINKING, "number_of_samples": 7, "lifecycle": {"protect": True}}],
    ),
    "for_each": run(for_each={"de": {"spec_version": 3}, "fr": {}, "pt-BR (new)": {}}),
    "depends_on": run(depends_on=["run.b"]),
    "limits": {
        "limits": {
            "max_new_runs": 50,
            "max_cost_usd": {"value": 2.5, "level": "soft"},
            "max_new_samples": {"value": REFERENCE},
            "allowed_models": ["openai/*"],
            "deny_models": {"value": ["*-thinking"], "level": "advisory"},
        }
    },
    "variables": {
        "variables": {
            "size": {"type": "integer", "default": 50, "minimum": 1, "description": "samples"},
            "langs": {"type": "list", "default": ["de", "fr"]},
            "cost": {"type": "number", "default": 1},
            "needed": {"type": "string", "allowed": ["a", "b"]},
        }
    },
    "values of an environment": {"variables": {"size": 5, "langs": ["de"], "on": True, "name": "x", "cost": 1.5}},
    "moved and import": {
        "moved": [{"from": "run.a", "to": 'run.b["de"]'}],
        "import": [{"to": "run.a", "id": "3c90c3cc-0d44-4b50-8888-8dd25736052a"}],
    },
    "a secret in a file": {"api": {"api_key": {"file": "~/.key"}}},
    "a state of a team": {"state": {"url": "postgresql://user@host/database?sslmode=require", "workspace": "a/b"}},
    "a state from the environment": {"state": {"url": {"env": "RECONCILER_STATE_URL"}}},
    "the service on loopback": {"api": {"base_url": "http://localhost:8080/df"}},
}


@pytest.mark.parametrize("document", TAKEN.values(), ids=TAKEN)
def test_it_takes(document: dict[str, Any]) -> None:
    assert problems(document) == []


REFUSED: dict[str, dict[str, Any]] = {
    "a text for a number": run(number_of_samples="5"),
    "a reference within a text for a number": run(number_of_samples="${var.x}0"),
    "a word that is none": run(seed_shuffling_level="samples"),
    "a word of a list twice": run(revision_types=["consistency", "consistency"]),
    "too many samples without shards": run(number_of_samples=20_001),
    "a budget without a thinking model": run(generation_model=PLAIN, generation_thinking_budget=2048),
    "two ways to expand": run(matrix={"number_of_samples": [1]}, for_each={"de": {}}),
    "shards of a matrix": run(matrix={"number_of_samples": [1]}, shard_size=1),
    "an axis that is none": run(matrix={"lifecycle": [{}]}),
    "a value of an axis twice": run(matrix={"number_of_samples": [10, 10]}),
    "an axis without values": run(matrix={"number_of_samples": []}),
    "a secret as an axis": run(matrix={"databricks_client_id": [{"env": "A"}]}),
    "an exclusion without a matrix": run(matrix_exclude=[{"number_of_samples": 1}]),
    "two specs in one entry": run(
        for_each={"de": {"spec_id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "spec_name": "n"}}
    ),
    "a secret with two sources": {"api": {"api_key": {"env": "A", "file": "b"}}},
    "a secret with none": {"api": {"api_key": {}}},
    "a password in the address of a state": {"state": {"url": "postgresql://user:word@host/database"}},
    "a level that is none": {"limits": {"max_cancel": {"value": 1, "level": "medium"}}},
    "a limit without a value": {"limits": {"max_cancel": {"level": "hard"}}},
    "a limit below nothing": {"limits": {"max_new_runs": -1}},
    "a variable without a type": {"variables": {"size": {"default": 1}}},
    "a default of another type": {"variables": {"size": {"type": "integer", "default": "1"}}},
    "a name that is none": {"variables": {"1st": {"type": "string"}}},
    "a move without a target": {"moved": [{"from": "run.a"}]},
    "one table for moved": {"moved": {"from": "run.a", "to": "run.b"}},
    "an alias for no id": {"specs": {"t": "tickets"}},
    "shards in defaults": {"defaults": {"shard_size": 5}},
}


@pytest.mark.parametrize("document", REFUSED.values(), ids=REFUSED)
def test_it_refuses(document: dict[str, Any]) -> None:
    assert problems(document) != []


INNER = [*meanings.LIFECYCLE, *meanings.SECRET]
whole = st.integers(-1, 6) | st.integers(1020, 1030) | st.integers(19_999, 20_001) | st.just(2**31)
words = st.sampled_from(
    ["", "none", "sample", "latest", "consistency", "structural", "calculator", "cancel", "keep", "t"]
)
anything = st.recursive(
    whole | words | st.booleans() | st.sampled_from([1.5, THINKING, "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(INNER), inner, max_size=2),
    max_leaves=4,
)
RUN = TypeAdapter[Any](models.RunTable)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([name for name in meanings.RUN if name in models.RunTable.__annotations__]), anything)
def test_it_judges_a_field_as_the_models_do(name: str, value: object) -> None:
    try:
        RUN.validate_python({name: value})
        right = True
    except ValidationError:
        right = False
    if isinstance(value, list):  # what rules of ours say besides
        right = right and len(set(map(str, value))) == len(value)
    if name in SECRET_FIELDS and isinstance(value, dict):
        right = right and len(value) == 1
    assert (problems({"defaults": {name: value}}) == []) is right


def described(node: Any, path: str = "") -> Iterator[tuple[str, bool]]:
    """Every key of the schema, and whether it says what it means."""
    if isinstance(node, dict):
        for name, value in node.get("properties", {}).items() if isinstance(node.get("properties"), dict) else ():
            yield f"{path}.{name}", bool(value.get("description")) if isinstance(value, dict) else False
        for key, value in node.items():
            if key not in ("if", "then", "not"):
                yield from described(value, f"{path}.{key}")
    elif isinstance(node, list):
        for item in node:
            yield from described(item, path)


def test_every_key_says_what_it_means() -> None:
    found = list(described(SCHEMA))
    assert len(found) > 100
    assert [key for key, has in found if not has] == []


def test_every_run_field_and_model_can_be_completed() -> None:
    declaration = SCHEMA["properties"]["run"]["additionalProperties"]["properties"]
    assert set(RUN_FIELDS) <= declaration.keys()
    names = SCHEMA["definitions"]["model"]["anyOf"][0]["enum"]
    assert names[: len(catalogue()[-1].models)] == list(catalogue()[-1].models)
    assert set(names) == {name for known in catalogue() for name in known.models}


def test_the_command_prints_and_writes_it(tmp_path: Path) -> None:
    printed = CliRunner().invoke(cli, ["schema"], obj=Session())
    assert (printed.exit_code, printed.stdout) == (0, schema_text())
    out = tmp_path / "schema.json"
    assert CliRunner().invoke(cli, ["schema", "--out", str(out)], obj=Session()).stdout == f"Wrote {out}\n"
    assert out.read_text("utf-8") == schema_text()
    failed = CliRunner().invoke(cli, ["schema", "--out", str(tmp_path / "none" / "x")], obj=Session())
    assert "No such file" in str(failed.exception)


@pytest.mark.parametrize("options", [[], ["--example"]])
def test_init_writes_it_and_names_it_on_the_first_line(tmp_path: Path, options: list[str]) -> None:
    assert CliRunner().invoke(cli, ["-C", str(tmp_path), "init", *options], obj=Session()).exit_code == 0
    first = (tmp_path / "reconciler.toml").read_text("utf-8").partition("\n")[0]
    assert first == f"#:schema ./{SCHEMA_FILE}"
    assert (tmp_path / SCHEMA_FILE).read_text("utf-8") == schema_text()


def test_what_init_writes_is_valid_and_has_limits(tmp_path: Path) -> None:
    CliRunner().invoke(cli, ["-C", str(tmp_path), "init"], obj=Session())
    found = check_project(tmp_path)
    assert found.valid
    assert {limit.name for limit in found.settings.limits} == {"max_new_samples", "max_cancel"}


def test_init_leaves_a_project_that_exists_alone(tmp_path: Path) -> None:
    (tmp_path / "reconciler.toml").write_text("[api]\n")
    CliRunner().invoke(cli, ["-C", str(tmp_path), "init"], obj=Session())
    assert not (tmp_path / SCHEMA_FILE).exists()
