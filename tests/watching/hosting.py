"""A host of git repositories on loopback: the real ``git http-backend``, and what such a host does on a bad day."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

MOODS = ("missing", "failing", "garbage", "silent")
_SHOWN = "application/x-git-upload-pack-advertisement"


class Host:
    """Serves the bare repositories of a folder. ``mood``: empty, or one of MOODS. Start it with ``with``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests = 0
        self._mood = ""
        self._changed = threading.Event()  # of the mood: whoever is kept waiting is let go
        self._port = 0
        self._server: _Server | None = None

    @property
    def mood(self) -> str:
        return self._mood

    @mood.setter
    def mood(self, mood: str) -> None:
        self._mood = mood
        before, self._changed = self._changed, threading.Event()
        before.set()

    def url(self, name: str) -> str:
        """Where a repository is; the same over stop() and start()."""
        return f"http://127.0.0.1:{self._port}/{name}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.mood = ""
        self.stop()

    def start(self) -> None:
        """Listen, on the port of before if there was one."""
        self._server = _Server(self, self._port)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def wait(self) -> None:
        """Until the mood changes."""
        self._changed.wait(60)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: Host, port: int) -> None:
        self.host = host
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """git is killed while it asks: say nothing."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def _handle(self) -> None:
        host = self.server.host
        host.requests += 1
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        match host.mood:
            case "missing":
                self._answer(404, "text/plain", b"no such repository\n")
            case "failing":
                self._answer(502, "text/html", b"<html>bad gateway</html>")
            case "garbage":
                self._answer(200, _SHOWN, os.urandom(20_000))
            case "silent":
                host.wait()
            case _:
                self._ask_git(host.folder, body)

    def _ask_git(self, folder: Path, body: bytes) -> None:
        parts = urlsplit(self.path)
        told = {
            "GIT_PROJECT_ROOT": str(folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
        }
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        # A repository may belong to another user than this one: whoever runs the tests owns all that is in the folder.
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", "http-backend"], input=body, env=kept | told, capture_output=True,
            check=False,
        )  # fmt: skip
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode("latin-1").splitlines() if ": " in line)
        status = int(lines.pop("Status", "200").split()[0])
        self._answer(status, lines.get("Content-Type", "text/plain"), content)

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-cache")
            self.end_headers()
            self.wfile.write(body)
