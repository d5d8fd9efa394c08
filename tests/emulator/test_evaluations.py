"""Grading of finished runs."""

from __future__ import annotations

import pytest

from tests.emulator.api import RUNS, Api, Clock

EVALUATIONS = "/api/dataframer/evaluations/"


def test_an_evaluation_succeeds_after_a_second(api: Api, clock: Clock) -> None:
    run_id = api.create(30)
    clock.forward(10)
    made = api.call("POST", EVALUATIONS, {"run_id": run_id})
    assert made.status == 201
    assert made.json["status"] == "PENDING"
    assert made.json["distribution_analysis"] is None
    clock.forward(0.5)
    target = f"{EVALUATIONS}{made.json['id']}/"
    assert api.get(target).json["status"] == "PROCESSING"
    clock.forward(0.6)
    done = api.get(target).json
    assert done["status"] == "SUCCEEDED"
    (analysis,) = done["distribution_analysis"]
    assert (analysis["total_samples"], analysis["total_samples_analyzed"]) == (30, 30)
    assert sum(analysis["evaluated_distributions"].values()) == pytest.approx(100, abs=0.1)
    assert len({graded["id"] for graded in done["sample_classifications"]}) == 30
    assert api.get(target).json == done


def test_evaluations_of_a_run_are_listed_newest_first(api: Api, clock: Clock) -> None:
    run_id, other = api.create(), api.create()
    clock.forward(10)
    assert api.get(f"{RUNS}{run_id}/evaluations/").json == []
    body = {"run_id": run_id, "evaluation_model": "openai/gpt-6-astra"}
    ids = [api.call("POST", EVALUATIONS, body).json["id"] for _ in range(3)]
    assert [item["id"] for item in api.get(f"{RUNS}{run_id}/evaluations/").json] == ids[::-1]
    assert api.get(f"{RUNS}{other}/evaluations/").json == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "run_id"),
        ({"run_id": 5}, "run_id"),
        ({"run_id": "x"}, "run_id"),
        ({"run_id": "00000000-0000-4000-8000-000000000000", "evaluation_model": 5}, "evaluation_model"),
        ({"run_id": "00000000-0000-4000-8000-000000000000", "evaluation_model": "\ud800"}, "evaluation_model"),
    ],
)
def test_bad_bodies_are_refused(api: Api, body: dict[str, object], field: str) -> None:
    answer = api.call("POST", EVALUATIONS, body)
    assert (answer.status, answer.json["field"]) == (400, field)


def test_only_a_run_that_succeeded_can_be_graded(api: Api, clock: Clock) -> None:
    run_id = api.create()
    assert api.call("POST", EVALUATIONS, {"run_id": run_id}).status == 400
    api.call("POST", f"{RUNS}{run_id}/cancel/")
    clock.forward(10)
    assert api.call("POST", EVALUATIONS, {"run_id": run_id}).status == 400
    assert api.call("POST", EVALUATIONS, {"run_id": "00000000-0000-4000-8000-000000000000"}).status == 404
    assert api.get(f"{EVALUATIONS}00000000-0000-4000-8000-000000000000/").status == 404
