"""What -v and -vv log of the wire helps, and holds no secret, no body and no query."""

from __future__ import annotations

import logging

import httpx
import pytest

from reconciler.dataframer.client import Client
from reconciler.dataframer.outcomes import Accepted
from reconciler.dataframer.transport import HttpTransport
from reconciler.dataframer.wirelog import request_id

KEY, PASSWORD = "canary-key-7f3a", "canary-databricks-91"
SPEC, RUN = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "3c90c3cc-0d44-4b50-8888-8dd25736052a"


def client(answers: list[httpx.Response | Exception]) -> tuple[Client, list[float]]:
    """A client that gets these answers, one after the other, and how long it paused in between."""

    def handle(request: httpx.Request) -> httpx.Response:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        streamed = httpx.ByteStream(answer.content)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=streamed)

    transport = HttpTransport("https://service.example/base", lambda: KEY, lambda: httpx.MockTransport(handle))
    transport.conceal([KEY, PASSWORD])
    pauses: list[float] = []
    return Client(transport, pauses.append), pauses


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_every_line_and_no_canary(caplog: pytest.LogCaptureFixture, level: int) -> None:
    caplog.set_level(level, logger="reconciler")
    created = {"id": RUN, "status": "PENDING", "echo": "canary-answer"}
    asked, pauses = client(
        [
            httpx.Response(201, json=created, headers={"X-Request-Id": f"id-1 {KEY}", "x-other": "canary-header"}),
            httpx.Response(503, headers={"retry-after": "7"}, text="canary-words"),
            httpx.ReadError(f"canary-message {KEY}"),
            httpx.Response(200, json={"id": SPEC, "name": "canary-name"}, headers={"cf-ray": "8f\n\x1b[2J"}),
        ]
    )
    outcome = asked.create_run({"spec_id": SPEC, "databricks_client_secret": PASSWORD}, 5.0)
    assert isinstance(outcome, Accepted)
    assert asked.get_spec(SPEC) is not None
    lines = [record.getMessage() for record in caplog.records if record.name == "reconciler.http"]
    said = "\n".join(lines)
    assert "canary" not in said
    assert "include_versions" not in said
    assert lines[0].startswith("POST /api/dataframer/runs/: 201, ")
    assert lines[0].endswith(" ms, request id-1 (secret)")
    (first, second) = [line for line in lines if "trying again" in line]
    path = f"GET /api/dataframer/specs/{SPEC}/"
    assert first == f"{path}: trying again in 7.0 s, as the service asks (try 2 of 4)"
    assert second == f"{path}: trying again in {pauses[1]:.1f} s, backing off (try 3 of 4)"
    assert any(line.startswith(f"{path}: ReadError after ") for line in lines)
    sizes = [line for line in lines if "received" in line]
    assert len(sizes) == (3 if level == logging.DEBUG else 0)
    assert all("sent 0 bytes" in line for line in sizes if line.startswith("GET"))


def test_a_connection_is_new_once_and_kept_then(caplog: pytest.LogCaptureFixture) -> None:
    from tests.service import FakeService

    caplog.set_level(logging.DEBUG, logger="reconciler")
    with FakeService() as service:
        transport = HttpTransport(service.url, lambda: KEY)
        for _ in range(2):
            transport.send("GET", "/api/dataframer/runs/", seconds=5.0)
        transport.close()
    said = [record.getMessage() for record in caplog.records if "received" in record.getMessage()]
    assert [line.rpartition("over ")[2] for line in said] == ["a new connection", "a kept connection"]


def test_the_id_of_a_request_is_whatever_the_gateway_calls_it() -> None:
    assert request_id({"cf-ray": "c", "x-request-id": "", "x-amzn-requestid": "a"}) == "a"
    assert request_id({"x-request-id": "x" * 999}) == "x" * 128
    assert request_id({"date": "today"}) == ""
