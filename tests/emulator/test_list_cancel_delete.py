"""Listing, stopping and removing runs."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from tests.emulator.api import RUNS, Api, Clock

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_the_list_is_a_bare_array_newest_first_in_short_form(api: Api, clock: Clock) -> None:
    ids = []
    for _ in range(5):
        ids.append(api.create())
        clock.forward(1)
    ids.append(api.create())
    ids.append(api.create())  # in the same instant
    listed = api.get(RUNS).json
    assert [run["id"] for run in listed] == ids[::-1]
    for run in listed:
        whole = api.run(run["id"])
        assert "runtime_params" not in run
        assert run == {name: whole[name] for name in run}


def test_an_empty_account_has_an_empty_list(api: Api) -> None:
    assert api.get(RUNS).json == []


def test_a_working_run_is_cancelled_after_a_moment_and_keeps_what_it_made(api: Api, clock: Clock) -> None:
    run_id = api.create(200)
    clock.forward(2)
    assert api.call("POST", f"{RUNS}{run_id}/cancel/").status == 204
    assert api.run(run_id)["status"] == "PROCESSING"
    clock.forward(0.4)
    run = api.run(run_id)
    assert run["status"] == "CANCELED"
    assert 0 < run["samples_completed"] < 200
    assert run["total_cost"] > 0
    assert run["completed_at"] is not None
    assert run["generated_files"]
    clock.forward(100)
    assert api.run(run_id) == run


def test_a_pending_run_can_be_cancelled(api: Api, clock: Clock) -> None:
    run_id = api.create()
    assert api.call("POST", f"{RUNS}{run_id}/cancel/").status == 204
    clock.forward(5)
    run = api.run(run_id)
    assert (run["status"], run["samples_completed"], run["total_cost"]) == ("CANCELED", 0, 0)


def test_a_second_cancel_changes_nothing(api: Api, clock: Clock) -> None:
    run_id = api.create(200)
    api.call("POST", f"{RUNS}{run_id}/cancel/")
    clock.forward(0.2)
    assert api.call("POST", f"{RUNS}{run_id}/cancel/").status == 204
    clock.forward(0.15)
    assert api.run(run_id)["status"] == "CANCELED"


def test_a_cancel_that_comes_too_late_lets_the_run_succeed(api: Api, clock: Clock) -> None:
    run_id = api.create(20_000)
    clock.forward(3.9)
    assert api.call("POST", f"{RUNS}{run_id}/cancel/").status == 204
    clock.forward(0.5)
    run = api.run(run_id)
    assert (run["status"], run["samples_completed"]) == ("SUCCEEDED", 20_000)


@pytest.mark.parametrize("cancel_first", [False, True])
def test_a_final_run_cannot_be_cancelled(api: Api, clock: Clock, cancel_first: bool) -> None:
    run_id = api.create()
    if cancel_first:
        api.call("POST", f"{RUNS}{run_id}/cancel/")
    clock.forward(10)
    before = api.run(run_id)
    assert api.call("POST", f"{RUNS}{run_id}/cancel/").status == 409
    assert api.run(run_id) == before


@pytest.mark.parametrize("seconds", [0, 1, 10])
def test_a_deleted_run_is_gone_for_every_call(api: Api, clock: Clock, seconds: float) -> None:
    run_id, other = api.create(), api.create()
    clock.forward(seconds)
    if seconds == 10:
        api.call("POST", "/api/dataframer/evaluations/", {"run_id": run_id})
    deleted = api.call("DELETE", f"{RUNS}{run_id}/")
    assert (deleted.status, deleted.body) == (204, b"")
    for method, rest in [("GET", ""), ("DELETE", ""), ("POST", "cancel/"), ("GET", "files/download/")]:
        assert api.call(method, f"{RUNS}{run_id}/{rest}").status == 404
    assert [run["id"] for run in api.get(RUNS).json] == [other]


@pytest.mark.parametrize("run_id", [NOBODY, "not-a-uuid", "ünknown", "'; DROP TABLE runs; --"])
def test_unknown_runs_are_404(api: Api, run_id: str) -> None:
    for method, rest in [("GET", ""), ("DELETE", ""), ("POST", "cancel/"), ("GET", "evaluations/")]:
        answer = api.call(method, f"{RUNS}{run_id}/{rest}")
        assert answer.status == 404
        assert answer.json["error"]


def test_wrong_addresses_and_methods(api: Api) -> None:
    assert api.get("/api/dataframer/runs").status == 404
    assert api.get("/").status == 404
    answer = api.call("PUT", RUNS)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, POST"


def test_every_answer_has_date_and_request_id(api: Api, clock: Clock) -> None:
    run_id = api.create()
    answers = [api.get(RUNS), api.get("/nothing/"), api.call("DELETE", f"{RUNS}{run_id}/"), api.call("POST", RUNS)]
    for answer in answers:
        assert parsedate_to_datetime(answer.headers["date"]) == datetime.fromtimestamp(int(clock.now), UTC)
        assert answer.headers["date"].endswith(" GMT")
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)
    assert answers[0].headers["content-type"] == "application/json"
