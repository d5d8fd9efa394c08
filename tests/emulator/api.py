"""A caller of the emulator that holds every answer against the OpenAPI document, and a clock that tests move."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from reconciler.dataframer.emulator.core import Emulator
from reconciler.dataframer.emulator.messages import ApiRequest
from reconciler.dataframer.emulator.specs import SUPPORT_TICKETS
from tests.emulator.document import check_response

RUNS = "/api/dataframer/runs/"


@dataclass
class Clock:
    """Seconds since the epoch, moved by hand."""

    now: float = 1_780_000_000.0

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Answer:
    """An answer with its JSON parsed; `json` is None when there is no body."""

    status: int
    headers: dict[str, str]
    body: bytes
    delay: float
    json: Any = field(init=False)

    def __post_init__(self) -> None:
        is_json = self.headers.get("content-type") == "application/json"
        self.json = json.loads(self.body) if is_json else None


class Api:
    """Calls an emulator in process; raises for an answer that the document doesn't allow."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    def call(
        self, method: str, target: str, body: object = None, headers: dict[str, str] | None = None, raw: bytes = b""
    ) -> Answer:
        url = urlsplit(target)
        content = raw if body is None else json.dumps(body).encode()
        query = dict(parse_qsl(url.query))
        response = self.emulator.handle(ApiRequest(method, url.path, query, headers or {}, content))
        answer = Answer(response.status, dict(response.headers), response.body, response.delay)
        check_response(method, url.path, response.status, response.headers, response.body)
        return answer

    def get(self, target: str, **headers: str) -> Answer:
        return self.call("GET", target, headers=headers)

    def create(self, samples: int = 10, **fields: object) -> str:
        """Make a run that must be taken, and return its id."""
        answer = self.call("POST", RUNS, {"spec_id": SUPPORT_TICKETS, "number_of_samples": samples, **fields})
        assert answer.status == 201, answer.json
        return str(answer.json["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        answer = self.get(f"{RUNS}{run_id}/")
        assert answer.status == 200, answer.json
        run: dict[str, Any] = answer.json
        return run
