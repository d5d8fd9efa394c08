"""The create call refuses what the reference page forbids, and names the field."""

from __future__ import annotations

import pytest

from reconciler.dataframer.emulator.core import Emulator
from reconciler.dataframer.emulator.specs import FAILED_SPEC, PROCESSING_SPEC, PRODUCT_REVIEWS, SUPPORT_TICKETS
from reconciler.dataframer.emulator.validation import CREDENTIALS, FIELDS, MODELS, REVISION_TYPES
from tests.emulator.api import RUNS, Api

Table = list[tuple[str, list[object]]]

MODEL = "anthropic/claude-haiku-4-5"
BRICKS = "databricks/databricks-gpt-5"

REFUSED: Table = [
    ("spec_id", [None, 7, "", "tickets", "182bd5e56e1a4fe4a799aa6d9a6ab26e", FAILED_SPEC, PROCESSING_SPEC]),
    ("number_of_samples", [None, 0, -1, 20_001, 1.0, 2.5, "5", True, []]),
    ("spec_version", [None, 0, -3, 4, 1.0, "1", True, 10**30]),
    ("generation_model", [None, "", 3, "anthropic/claude-haiku-4.5", MODEL.upper(), [MODEL]]),
    ("outline_model", [None, "", "gpt-4", {}]),
    ("revision_model", [None, "", "gpt-4", False]),
    ("revision_types", [None, "consistency", ["structural"], ["Consistency"], [1], {}, ["distinguishability"]]),
    ("filtering_types", [None, "structural", ["consistency"], [None]]),
    ("max_revision_cycles", [None, 0, 6, 1.5, "2", True]),
    ("seed_shuffling_level", [None, "", "None", "prompts", 1]),
    ("max_examples_in_prompt", [None, 0, -1, 1.5, "9", True]),
    ("unified_multifield", [None, 0, 1, "true", []]),
    ("generation_thinking_budget", [None, 0, 1023, 2048.0, "2048", True]),
    ("outline_thinking_budget", [None, 1023, "2048"]),
    ("revision_thinking_budget", [None, 1023, "2048"]),
    ("databricks_client_id", [None, 5, ["a"]]),
    ("databricks_client_secret", [None, 5, {}]),
    ("databricks_api_base", [None, 5, True]),
    ("skip_outline", [None, 0, "false"]),
    ("tools", [None, "calculator", ["browser"], [1]]),
    ("enable_revisions", [None, 1, "yes"]),
]

TAKEN: Table = [
    ("spec_id", [SUPPORT_TICKETS.upper(), PRODUCT_REVIEWS]),
    ("number_of_samples", [1, 20_000]),
    ("spec_version", [1, 3]),
    ("generation_model", [*(name for name in MODELS if not name.startswith("databricks/databricks-"))]),
    ("outline_model", [MODEL]),
    ("revision_model", [MODEL]),
    ("revision_types", [[], ["coherence_flow", "consistency", "conformance"]]),
    ("filtering_types", [[], ["structural", "conformance"]]),
    ("max_revision_cycles", [1, 5]),
    ("seed_shuffling_level", ["none", "sample", "field", "prompt"]),
    ("max_examples_in_prompt", [1, 10**9]),
    ("unified_multifield", [True, False]),
    ("generation_thinking_budget", [1024, 10**6]),
    ("outline_thinking_budget", [1024]),
    ("revision_thinking_budget", [1024]),
    ("databricks_client_id", [""]),
    ("databricks_client_secret", ["x"]),
    ("databricks_api_base", ["https://example.com"]),
    ("skip_outline", [True, False]),
    ("tools", [[], ["calculator"]]),
    ("enable_revisions", [True, False]),
]


def _cases(table: Table) -> list[tuple[str, object]]:
    return [(name, value) for name, values in table for value in values]


@pytest.mark.parametrize("table", [REFUSED, TAKEN])
def test_the_tables_cover_all_fields(table: Table) -> None:
    assert [name for name, _ in table] == list(FIELDS)
    assert len(FIELDS) == 21


@pytest.mark.parametrize(("name", "value"), _cases(REFUSED))
def test_a_bad_value_is_refused_with_its_field(api: Api, name: str, value: object) -> None:
    answer = api.call("POST", RUNS, {"spec_id": SUPPORT_TICKETS, "number_of_samples": 5, name: value})
    assert answer.status == 400
    assert answer.json["field"] == name
    assert answer.json["error"]
    assert api.get(RUNS).json == []


@pytest.mark.parametrize(("name", "value"), _cases(TAKEN))
def test_a_good_value_is_taken(api: Api, name: str, value: object) -> None:
    answer = api.call("POST", RUNS, {"spec_id": SUPPORT_TICKETS, "number_of_samples": 5, name: value})
    assert answer.status == 201, answer.json


@pytest.mark.parametrize("missing", ["spec_id", "number_of_samples"])
def test_required_fields(api: Api, missing: str) -> None:
    body: dict[str, object] = {"spec_id": SUPPORT_TICKETS, "number_of_samples": 5}
    del body[missing]
    answer = api.call("POST", RUNS, body)
    assert (answer.status, answer.json["field"]) == (400, missing)


def test_an_unknown_spec_is_404(api: Api) -> None:
    answer = api.call("POST", RUNS, {"spec_id": "00000000-0000-4000-8000-000000000000", "number_of_samples": 5})
    assert (answer.status, answer.json["field"]) == (404, "spec_id")


@pytest.mark.parametrize("stage", ["generation_model", "outline_model", "revision_model"])
@pytest.mark.parametrize("missing", CREDENTIALS)
def test_databricks_models_need_all_credentials(api: Api, stage: str, missing: str) -> None:
    given = {name: "given" for name in CREDENTIALS if name != missing}
    body = {"spec_id": SUPPORT_TICKETS, "number_of_samples": 5, stage: BRICKS, **given}
    for refused in (body, {**body, missing: ""}):
        answer = api.call("POST", RUNS, refused)
        assert (answer.status, answer.json["field"]) == (400, missing)
        assert "given," not in answer.json["error"]
    assert api.call("POST", RUNS, {**body, missing: "given"}).status == 201


def test_a_secret_of_the_wrong_type_is_not_repeated(api: Api) -> None:
    body = {"spec_id": SUPPORT_TICKETS, "number_of_samples": 5, "databricks_client_secret": ["canary"]}
    answer = api.call("POST", RUNS, body)
    assert answer.status == 400
    assert b"canary" not in answer.body


def test_distinguishability_needs_seeds(api: Api) -> None:
    body = {"number_of_samples": 5, "revision_types": list(REVISION_TYPES)}
    assert api.call("POST", RUNS, {**body, "spec_id": SUPPORT_TICKETS}).json["field"] == "revision_types"
    assert api.call("POST", RUNS, {**body, "spec_id": PRODUCT_REVIEWS}).status == 201


def test_unknown_fields_are_ignored(api: Api) -> None:
    assert api.run(api.create(name="mine", idempotency_key="k"))["status"] == "PENDING"


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_a_body_that_is_no_json_object_is_refused(api: Api, raw: bytes) -> None:
    assert api.call("POST", RUNS, raw=raw).status == 400


def test_a_spec_can_be_used_once_it_has_succeeded(api: Api, emulator: Emulator) -> None:
    spec_id = emulator.specs.add("Letters", status="PROCESSING")
    body = {"spec_id": spec_id, "number_of_samples": 5}
    assert api.call("POST", RUNS, body).status == 400
    emulator.specs.set_status(spec_id, "SUCCEEDED")
    assert api.call("POST", RUNS, body).status == 201
