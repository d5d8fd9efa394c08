"""A run goes from PENDING over PROCESSING to its end within a few seconds, with rising counts and cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.dataframer.emulator.core import Emulator
from reconciler.dataframer.emulator.faults import parse
from reconciler.dataframer.emulator.specs import PRODUCT_REVIEWS, SUPPORT_TICKETS
from tests.emulator.api import RUNS, Api, Clock


def test_a_run_moves_forward_to_succeeded(api: Api, clock: Clock) -> None:
    run_id = api.create(50)
    seen = []
    for _ in range(60):
        run = api.run(run_id)
        seen.append((run["status"], run["samples_completed"], run["total_cost"] or 0))
        clock.forward(0.1)
    statuses = list(dict.fromkeys(status for status, _, _ in seen))
    assert statuses == ["PENDING", "PROCESSING", "SUCCEEDED"]
    assert [count for _, count, _ in seen] == sorted(count for _, count, _ in seen)
    assert [cost for _, _, cost in seen] == sorted(cost for _, _, cost in seen)
    assert len({count for _, count, _ in seen}) > 10
    assert seen[-1][1] == 50
    assert run["samples_failed"] == 0
    assert run["completed_at"] > run["created_at"]


@pytest.mark.parametrize(("samples", "seconds"), [(1, 2.01), (100, 3.0), (20_000, 4.0)])
def test_larger_runs_take_longer_up_to_a_limit(api: Api, clock: Clock, samples: int, seconds: float) -> None:
    run_id = api.create(samples)
    clock.forward(seconds - 0.02)
    assert api.run(run_id)["status"] == "PROCESSING"
    clock.forward(0.04)
    assert api.run(run_id)["status"] == "SUCCEEDED"


def test_create_answers_the_whole_run(api: Api) -> None:
    answer = api.call("POST", RUNS, {"spec_id": SUPPORT_TICKETS, "number_of_samples": 5})
    assert answer.status == 201
    assert answer.json == api.run(answer.json["id"])
    assert answer.json["status"] == "PENDING"
    assert answer.json["spec_name"] == "Support tickets"
    assert answer.json["dataset_id"] is None
    assert answer.json["total_cost"] is None


def test_the_version_is_the_newest_at_the_time_of_the_create_call(api: Api, emulator: Emulator) -> None:
    first = api.create()
    assert emulator.specs.add_version(SUPPORT_TICKETS) == 4
    assert api.run(first)["spec_version"] == 3
    assert api.run(api.create())["spec_version"] == 4
    assert api.run(api.create(spec_version=2))["spec_version"] == 2


def test_parameters_without_effect_come_back_as_null(api: Api) -> None:
    run_id = api.create(
        generation_model="anthropic/claude-haiku-4-5",
        generation_thinking_budget=2048,
        revision_model="openai/gpt-oss-120b",
        max_revision_cycles=3,
    )
    params = api.run(run_id)["runtime_params"]
    nulls = {name for name, value in params.items() if value is None}
    assert nulls == {
        "revision_model",
        "max_revision_cycles",
        "max_examples_in_prompt",
        "generation_thinking_budget",
        "outline_thinking_budget",
        "revision_thinking_budget",
    }
    assert params["outline_model"] == "anthropic/claude-haiku-4-5"
    assert params["revision_types"] == []


def test_everything_that_is_sent_with_effect_comes_back(api: Api) -> None:
    sent = {
        "generation_model": "anthropic/claude-haiku-4-5-thinking",
        "outline_model": "openai/gpt-oss-120b",
        "revision_model": "gemini/gemini-3.1-pro-preview-thinking",
        "revision_types": ["consistency", "distinguishability"],
        "filtering_types": ["structural"],
        "max_revision_cycles": 4,
        "seed_shuffling_level": "field",
        "max_examples_in_prompt": 7,
        "unified_multifield": True,
        "generation_thinking_budget": 1024,
        "revision_thinking_budget": 5000,
        "skip_outline": True,
        "tools": ["calculator"],
    }
    run = api.run(api.create(12, spec_id=PRODUCT_REVIEWS, **sent))
    assert run["runtime_params"] == {**sent, "number_of_samples": 12, "outline_thinking_budget": None}
    assert run["dataset_name"] == "Reviews 2025"
    assert run["dataset_type"] == "SINGLE_FILE"


def test_secrets_and_the_old_switch_are_never_shown(api: Api) -> None:
    run_id = api.create(
        generation_model="databricks/databricks-gpt-5",
        databricks_client_id="canary-id",
        databricks_client_secret="canary-secret",
        databricks_api_base="https://canary.example",
        enable_revisions=True,
    )
    run = api.run(run_id)
    assert "canary" not in str(run)
    assert "enable_revisions" not in run["runtime_params"]
    assert run["runtime_params"]["revision_types"] == ["coherence_flow", "consistency", "conformance"]
    assert run["runtime_params"]["filtering_types"] == ["structural"]


def test_the_cost_follows_model_and_options(api: Api, clock: Clock) -> None:
    models = ["openai/gpt-oss-120b", "anthropic/claude-haiku-4-5", "anthropic/claude-opus-4-6"]
    runs = [api.create(generation_model=model) for model in models]
    runs.append(api.create(generation_model=models[-1], tools=["calculator"]))
    clock.forward(10)
    costs = [api.run(run_id)["total_cost"] for run_id in runs]
    assert costs == sorted(costs)
    assert len(set(costs)) == len(costs)
    assert costs[1] == pytest.approx(0.04)


def test_runs_fail_on_demand_and_keep_half(database: Path, clock: Clock) -> None:
    with_faults = Emulator(database, clock, faults=parse("fail_runs@2"))
    other = Api(with_faults)
    ids = [other.create(10) for _ in range(3)]
    clock.forward(10)
    runs = [other.run(run_id) for run_id in ids]
    assert [run["status"] for run in runs] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert (runs[1]["samples_completed"], runs[1]["samples_failed"]) == (5, 5)
    with_faults.close()
