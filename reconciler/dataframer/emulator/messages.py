"""What goes into the emulator and what comes out: requests, answers and refusals, free of any HTTP library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct, field

Json = dict[str, object]


class ApiRequest(Struct, frozen=True):
    """One call. `path` is decoded; header names are in lower case; `origin` is what signed links start with."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    origin: str = "https://emulator.invalid"


class ApiResponse(Struct, frozen=True):
    """One answer. `delay` is the number of seconds that an adapter lets pass before it hands the answer over."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    delay: float = 0.0


class Problem(Exception):
    """A call that is refused: becomes an answer `{"error": …, "field": …}` with this status."""

    def __init__(self, status: int, message: str, field: str | None = None, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field
        self.headers = dict(headers or {})

    def answer(self) -> ApiResponse:
        body: Json = {"error": self.message}
        if self.field is not None:
            body["field"] = self.field
        return json_answer(self.status, body, self.headers)


def json_answer(status: int, value: object, headers: Mapping[str, str] | None = None) -> ApiResponse:
    body = json.dumps(value, ensure_ascii=False).encode()
    return ApiResponse(status, {"content-type": "application/json", **(headers or {})}, body)


def parse_object(body: bytes) -> Json:
    """Return the JSON object that a request carries; raises `Problem` 400 for anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "The body is not valid JSON.") from error
    if not isinstance(value, dict):
        raise Problem(400, "The body must be a JSON object.")
    return value


def timestamp(seconds: float) -> str:
    """Write seconds since the epoch as the API writes moments: ISO 8601 in UTC, ending in Z."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
