"""A service to measure against: quick, with a latency of its own, and with an account of every request.

    python -m tests.bench.service

It prints its URL and serves until its standard input ends. ``POST /bench/`` with ``{"latency": s, "listed": PATH,
"cancelled": [ID]}`` starts anew: runs of a file (an object a line), creates answered after a latency. ``GET /bench/``
answers what arrived since, less these two. What it creates works for ever.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections import Counter
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

SPEC = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
_RUNS, _SPECS, _BENCH = "/api/dataframer/runs/", "/api/dataframer/specs/", "/bench/"
_WORDS = {200: "OK", 201: "Created", 204: "No Content", 404: "Not Found"}
_SPEC: dict[str, Any] = {
    "id": SPEC,
    "name": "Support tickets",
    "description": None,
    "status": "SUCCEEDED",
    "dataset_id": None,
    "dataset_name": None,
    "dataset_type": "MULTI_FILE",
    "created_at": "2026-03-01T08:00:00Z",
    "updated_at": "2026-03-03T08:00:00Z",
    "created_by_email": "ops@example.com",
    "error": None,
    "runtime_params": {},
    "content_yaml": "spec:\n  description: version 3\n",
    "versions": [
        {"content_yaml": f"spec:\n  description: version {n}\n", "created_at": "2026-03-01T08:00:00Z"} for n in "123"
    ],
}


class Account:
    """The runs, and what arrived."""

    def __init__(self, latency: float = 0.0, listed: str | None = None, cancelled: tuple[str, ...] = ()) -> None:
        self.latency = latency
        self.runs: dict[str, bytes] = {}
        for line in Path(listed).read_bytes().splitlines() if listed else ():
            run_id = line[8:44].decode()  # the id comes first
            self.runs[run_id] = line
        for run_id in cancelled:
            self.runs[run_id] = json.dumps(json.loads(self.runs[run_id]) | {"status": "CANCELED"}).encode()
        self._body: bytes | None = None
        self.list_body()  # not while somebody waits
        self.kinds: Counter[str] = Counter()
        self.connections: set[int] = set()
        self.creating: set[int] = set()
        self.lists_at: list[float] = []
        self.at_work = self.most_at_once = 0

    def facts(self) -> dict[str, Any]:
        """What arrived since the start; ``lists_at``: when, in seconds of the monotonic clock."""
        return {
            "requests": dict(self.kinds),
            "connections": len(self.connections),
            "creating_connections": len(self.creating),
            "most_at_once": self.most_at_once,
            "lists_at": self.lists_at,
            "runs": len(self.runs),
        }

    def list_body(self) -> bytes:
        if self._body is None:
            self._body = b"[" + b",".join(self.runs.values()) + b"]"
        return self._body

    def create(self, body: dict[str, Any]) -> bytes:
        run_id = str(uuid.uuid4())
        run = {
            "id": run_id,
            "status": "PROCESSING",
            "spec_id": body["spec_id"],
            "spec_name": "Support tickets",
            "spec_version": body.get("spec_version", 3),
            "dataset_id": None,
            "dataset_name": None,
            "dataset_type": "MULTI_FILE",
            "samples_completed": 0,
            "samples_failed": 0,
            "total_cost": None,
            "created_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "created_by_email": "ops@example.com",
            "completed_at": None,
        }
        self.runs[run_id], self._body = json.dumps(run).encode(), None
        params = {name: value for name, value in body.items() if name not in ("spec_id", "spec_version")}
        return json.dumps(run | {"runtime_params": params, "generated_files": []}).encode()

    def get(self, run_id: str) -> tuple[int, bytes]:
        found = self.runs.get(run_id)
        if found is None:
            return 404, b'{"error":"not found"}'
        return 200, json.dumps(json.loads(found) | {"runtime_params": {}, "generated_files": []}).encode()


class Connection(asyncio.Protocol):
    """HTTP/1.1, one request after another on a kept connection."""

    account = Account()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, mark, rest = self._data.partition(b"\r\n\r\n")
        if not mark:
            return
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(rest) >= length:
            self._data = rest[length:]
            method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
            self._serve(method, target.partition("?")[0], rest[:length])

    def _serve(self, method: str, path: str, body: bytes) -> None:
        if path == _BENCH:
            if method == "POST":
                Connection.account = Account(**json.loads(body))
            self._answer(200, json.dumps(Connection.account.facts()).encode())
            return
        account = Connection.account
        account.connections.add(id(self))
        if (method, path) == ("POST", _RUNS):
            account.kinds["create"] += 1
            account.creating.add(id(self))
            account.at_work += 1
            account.most_at_once = max(account.most_at_once, account.at_work)
            asyncio.get_running_loop().call_later(account.latency, self._create, account, body)
        elif (method, path) == ("GET", _RUNS):
            account.kinds["list"] += 1
            account.lists_at.append(time.monotonic())
            self._answer(200, account.list_body())
        elif method == "GET" and path.startswith(_RUNS):
            account.kinds["get"] += 1
            self._answer(*account.get(path.removeprefix(_RUNS).rstrip("/")))
        elif method == "GET" and path.startswith(_SPECS):
            account.kinds["spec"] += 1
            self._answer(200, json.dumps([_SPEC] if path == _SPECS else _SPEC).encode())
        else:
            account.kinds["other"] += 1
            self._answer(404, b'{"error":"not found"}')

    def _create(self, account: Account, body: bytes) -> None:
        account.at_work -= 1
        self._answer(201, account.create(json.loads(body)))

    def _answer(self, status: int, body: bytes) -> None:
        head = (
            f"HTTP/1.1 {status} {_WORDS[status]}\r\nDate: {formatdate(usegmt=True)}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)


async def serve() -> None:
    """Until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
