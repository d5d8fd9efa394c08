"""The service itself: it does what its documents say and what its script asks for."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.service import KEY, RUNS, SPECS, TICKETS, FakeService, answers

Answered = tuple[int, dict[str, str], Any]


@pytest.fixture
def service() -> Iterator[FakeService]:
    with FakeService(polls=2) as running:
        yield running


def call(service: FakeService, method: str, path: str, body: object = None, key: str = KEY) -> Answered:
    connection = http.client.HTTPConnection(service.url.removeprefix("http://"), timeout=10)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Authorization": f"Bearer {key}"})
        response = connection.getresponse()
        data = response.read()
        return response.status, dict(response.headers), json.loads(data) if data else None
    finally:
        connection.close()


def create(service: FakeService, samples: int = 10, **fields: object) -> Answered:
    return call(service, "POST", RUNS, {"spec_id": TICKETS, "number_of_samples": samples} | fields)


def test_a_run_goes_on_as_it_is_looked_at(service: FakeService) -> None:
    status, headers, made = create(service)
    assert (status, made["status"], made["spec_version"]) == (201, "PENDING", 3)
    assert "Date" in headers
    path = f"{RUNS}{made['id']}/"
    assert call(service, "GET", RUNS)[2][0]["status"] == "PROCESSING"
    status, _, done = call(service, "GET", path)
    assert (status, done["status"], done["samples_completed"]) == (200, "SUCCEEDED", 10)
    assert done["runtime_params"]["number_of_samples"] == 10
    assert call(service, "POST", f"{path}cancel/")[0] == 409
    assert call(service, "DELETE", path)[0] == 204
    assert call(service, "GET", path)[0] == 404
    assert call(service, "GET", RUNS)[2] == []


def test_the_list_is_newest_first_and_shows_less(service: FakeService) -> None:
    first, second = create(service)[2], create(service, 11)[2]
    listed = call(service, "GET", RUNS)[2]
    assert [item["id"] for item in listed] == [second["id"], first["id"]]
    assert set(second) - set(listed[0]) == {"runtime_params", "generated_files"}


def test_a_cancel_takes_its_time(service: FakeService) -> None:
    service.cancel_polls = 2
    made = create(service)[2]
    assert call(service, "POST", f"{RUNS}{made['id']}/cancel/")[0] == 204
    assert [call(service, "GET", RUNS)[2][0]["status"] for _ in range(2)] == ["PENDING", "CANCELED"]


def test_specs_and_their_versions(service: FakeService) -> None:
    assert len(call(service, "GET", SPECS)[2]) == 2
    assert "versions" not in call(service, "GET", f"{SPECS}{TICKETS}/")[2]
    assert len(call(service, "GET", f"{SPECS}{TICKETS}/?include_versions=true")[2]["versions"]) == 3


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"number_of_samples": 0}, "number_of_samples"),
        ({"enable": True}, "enable"),
        ({"tools": ["hammer"]}, "tools"),
        ({"revision_types": ["distinguishability"]}, "seed"),
        ({"generation_model": "databricks/databricks-gpt-5"}, "databricks_client_id"),
    ],
)
def test_it_refuses_what_the_reference_page_refuses(service: FakeService, fields: dict[str, Any], word: str) -> None:
    status, _, error = create(service, **fields)
    assert status == 400
    assert word in error["error"]
    assert service.run_ids == []


def test_a_wrong_key_and_unknown_paths(service: FakeService) -> None:
    assert call(service, "GET", RUNS, key="another")[0] == 401
    assert call(service, "GET", f"{RUNS}nobody/")[0] == 404
    assert call(service, "GET", RUNS.rstrip("/"))[0] == 404


@pytest.mark.parametrize("answer", [answers.unread(), answers.dropped(creates=False), answers.dropped()])
def test_a_connection_that_ends_without_an_answer(service: FakeService, answer: answers.Answer) -> None:
    service.script_create(answer)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        create(service)
    assert len(service.run_ids) == answer.creates
    assert len(service.creates) == 1


def test_a_truncated_answer(service: FakeService) -> None:
    service.script_create(answers.truncated())
    with pytest.raises(http.client.IncompleteRead):
        create(service)
    assert len(service.run_ids) == 1


def test_answers_for_a_number_of_samples_wait_for_it(service: FakeService) -> None:
    service.script_create(answers.slow_down("7"), samples=11)
    assert create(service, 10)[0] == 201
    status, headers, _ = create(service, 11)
    assert (status, headers["Retry-After"]) == (429, "7")
    assert create(service, 11)[0] == 201


def test_weather_answers_what_no_script_does(service: FakeService) -> None:
    service.weather = lambda body: answers.slow_down("0") if body["number_of_samples"] > 10 else None
    service.script_create(answers.id_only(), samples=12)
    assert [create(service, samples)[0] for samples in (12, 12, 10)] == [201, 429, 201]
    assert [run.samples for run in service.runs.values()] == [12, 10]


def test_it_comes_back_on_its_port(service: FakeService) -> None:
    create(service)
    service.stop()
    with pytest.raises(ConnectionRefusedError):
        create(service)
    service.start()
    assert create(service)[0] == 201
    assert len(service.run_ids) == 2
