"""The download calls and the storage behind them on loopback, as wicked as a test wants them."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SIGNATURE = "Can4rySignatureOfALink"
KEY = "the-api-key-of-a-test"


@dataclass(frozen=True)
class Get:
    """A request to the storage: what it wants, and how many came before it for the same."""

    path: str
    headers: Mapping[str, str]
    number: int


@dataclass(frozen=True)
class Said:
    """An answer. ``cut``: the connection breaks after so many bytes of the body."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None


@dataclass
class Depot:
    """Runs with their files, all in memory. ``storage`` and ``api`` may answer in the place of what is usual."""

    url: str = ""
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    content: dict[tuple[str, str], bytes] = field(default_factory=dict)  # run id, file id
    archives: dict[str, bytes] = field(default_factory=dict)
    packing: int = 0  # so many answers of 202 first
    api: Callable[[str], Said | None] = lambda path: None
    storage: Callable[[Get], Said | None] = lambda get: None
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    link: Callable[[str], str] | None = None  # makes another link of a path
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def add(self, run_id: str, files: Mapping[str, bytes], status: str = "SUCCEEDED", **changes: Any) -> None:
        """A run with these files by name."""
        listed = []
        for number, (name, content) in enumerate(files.items(), start=1):
            listed.append({"id": f"f{number}", "path": name, "file_type": "text/plain", "size_bytes": len(content)})
            self.content[run_id, f"f{number}"] = content
        self.runs[run_id] = {
            "id": run_id,
            "status": status,
            "spec_id": "spec-1",
            "spec_name": "Tickets",
            "spec_version": 3,
            "samples_completed": 10,
            "samples_failed": 0,
            "total_cost": 0.25,
            "created_at": "2026-01-01T00:00:00Z",
            "completed_at": "2026-01-01T01:00:00Z",
            "runtime_params": {"number_of_samples": 10, "databricks_client_secret": "never"},
            "generated_files": listed,
        } | changes

    def gets(self, part: str) -> list[str]:
        """Paths with this part that were asked for."""
        return [path for path in self.asked if part in path]

    def answer(self, target: str, headers: Mapping[str, str]) -> Said:
        url = urlsplit(target)
        with self._guard:
            number = self.asked.count(url.path)
            self.asked.append(url.path)
            self.headers.append(dict(headers) | {"path": url.path})
        if url.path.startswith("/storage/"):
            assert SIGNATURE in url.query, "a link without its signature"
            assert "authorization" not in headers, "the key was sent to the storage"
            get = Get(url.path, headers, number)
            found = self.storage(get)
            return found if found is not None else ranged(self._stored(url.path), headers)
        assert headers.get("authorization") == f"Bearer {KEY}"
        found = self.api(url.path)
        return found if found is not None else self._call(url.path, headers, number)

    def _call(self, path: str, headers: Mapping[str, str], number: int) -> Said:
        if found := re.fullmatch(r"/api/dataframer/runs/([^/]+)/", path):
            run = self.runs.get(found[1])
            return _json(200, run) if run else _json(404, {"error": "no such run"})
        if headers.get("x-data-plane-follow") != "1":
            return _json(501, {"error": "this caller can't follow"})
        if found := re.fullmatch(r"/api/dataframer/runs/([^/]+)/files/download/", path):
            if number < self.packing or found[1] not in self.archives:
                return Said(202, b"{}", {"retry-after": "0"})
            size = len(self.archives[found[1]])
            return _json(200, {"download_url": self.signed(f"/storage/{found[1]}.zip"), "size_bytes": size})
        found = re.fullmatch(r"/api/dataframer/runs/([^/]+)/files/([^/]+)/download/", path)
        if found and (found[1], found[2]) in self.content:
            return _json(200, {"download_url": self.signed(f"/storage/{found[1]}/{found[2]}")})
        return _json(404, {"error": "nothing here"})

    def signed(self, path: str) -> str:
        return self.link(path) if self.link else f"{self.url}{path}?signature={SIGNATURE}&expires=1"

    def _stored(self, path: str) -> bytes:
        parts = path.removeprefix("/storage/").split("/")
        return self.archives[parts[0].removesuffix(".zip")] if len(parts) == 1 else self.content[parts[0], parts[1]]


def ranged(content: bytes, headers: Mapping[str, str]) -> Said:
    """As a good storage answers."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    found = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
    if found is None or headers.get("if-range", etag) != etag:
        return Said(200, content, {"etag": etag})
    start = int(found[1])
    if start >= len(content):
        return Said(416, b"", {"content-range": f"bytes */{len(content)}"})
    said = {"etag": etag, "content-range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
    return Said(206, content[start:], said)


def _json(status: int, value: object) -> Said:
    return Said(status, json.dumps(value).encode(), {"content-type": "application/json"})


@contextmanager
def depot() -> Iterator[Depot]:
    """A depot that listens on loopback."""
    made = Depot()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            try:
                said = made.answer(self.path, {name.lower(): value for name, value in self.headers.items()})
            except AssertionError as problem:
                said = Said(599, str(problem).encode())
            self.send_response(said.status)
            headers = {"content-length": str(len(said.body)), **said.headers}
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body if said.cut is None else said.body[: said.cut])
            if said.cut is not None or not headers["content-length"]:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that went away is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
