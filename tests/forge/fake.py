"""GitHub and GitLab on loopback, over real HTTP: comments, authors, pages, and faults from a script."""

from __future__ import annotations

import json
import re
import threading
import urllib.parse
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from reconciler.forge.api import Api
from reconciler.forge.comment import Forge
from reconciler.forge.github import GitHub
from reconciler.forge.gitlab import GitLab
from reconciler.forge.pauses import Clock
from reconciler.forge.transport import Token, Wire
from reconciler.model.marker import Marker

TOKEN = "ghs_canary-0123456789-canary"
COMMIT = "c0ffee" * 6 + "c0ff"
DIGEST = "sha256:" + "5a" * 32
GITHUB, GITLAB = "github", "gitlab"
NOW = 1_767_225_600.0  # 2026-01-01
BOT = "github-actions[bot]"

# What a call is, by method and path.
_CALLS: Mapping[str, tuple[tuple[str, str, re.Pattern[str]], ...]] = {
    GITHUB: (
        ("whoami", "GET", re.compile("/user")),
        ("list", "GET", re.compile(r"/repos/acme/evals/issues/(?P<number>\d+)/comments")),
        ("post", "POST", re.compile(r"/repos/acme/evals/issues/(?P<number>\d+)/comments")),
        ("update", "PATCH", re.compile(r"/repos/acme/evals/issues/comments/(?P<id>\d+)")),
        ("pulls", "GET", re.compile(r"/repos/acme/evals/commits/(?P<sha>[0-9a-f]+)/pulls")),
    ),
    GITLAB: (
        ("whoami", "GET", re.compile("/user")),
        ("list", "GET", re.compile(r"/projects/42/merge_requests/(?P<number>\d+)/notes")),
        ("post", "POST", re.compile(r"/projects/42/merge_requests/(?P<number>\d+)/notes")),
        ("update", "PUT", re.compile(r"/projects/42/merge_requests/\d+/notes/(?P<id>\d+)")),
        ("page", "GET", re.compile(r"/projects/42/merge_requests/(?P<number>\d+)")),
        ("pulls", "GET", re.compile(r"/projects/42/repository/commits/(?P<sha>[0-9a-f]+)/merge_requests")),
    ),
}


@dataclass(frozen=True)
class Fault:
    """What comes instead of the usual answer. A status of 0 breaks the connection. ``done``: only after doing it."""

    status: int
    body: bytes = b'{"message": "not today"}'
    headers: Mapping[str, str] = field(default_factory=dict)
    done: bool = False


@dataclass
class Written:
    """A comment that somebody wrote."""

    id: int
    author: str
    body: str
    system: bool = False


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    call: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class FakeForge:
    """One provider with one repository (``acme/evals``, project 42) and its pull request 7. ``page``: most comments a
    page; ``limit``: most characters a comment; ``login``: whose the token is, None where it may not ask.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.page, self.limit = 100, 65_536 if kind == GITHUB else 1_000_000
        self.login: str | None = None if kind == GITHUB else "project_42_bot"
        self.writes_as = self.login or BOT
        self.written: list[Written] = []
        self.pulls: list[object] = []
        self.asked: list[Asked] = []
        self.opened = ExitStack()
        self.next_link: Callable[[str], str] = lambda url: url
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._guard = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/api"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def __enter__(self) -> FakeForge:
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # What tests say and see

    def fault(self, call: str, *faults: Fault) -> None:
        """The next answers to a kind of call."""
        self._faults[call].extend(faults)

    def write(self, body: str, author: str | None = None, system: bool = False) -> Written:
        """A comment that is there."""
        number = 101 + len(self.written)
        self.written.append(Written(number, author or self.writes_as, body, system))
        return self.written[-1]

    def address(self, number: int) -> str:
        """Where people find a comment."""
        if self.kind == GITHUB:
            return f"https://github.example/acme/evals/pull/7#issuecomment-{number}"
        return f"https://gitlab.example/acme/evals/-/merge_requests/7#note_{number}"

    def calls(self) -> list[str]:
        """Kinds of calls in order, without those that only ask who or where."""
        return [item.call for item in self.asked if item.call not in ("whoami", "page")]

    def environment(self) -> dict[str, str]:
        """What its CI sets for a job on pull request 7."""
        if self.kind == GITHUB:
            return {
                "GITHUB_TOKEN": TOKEN,
                "GITHUB_API_URL": self.url,
                "GITHUB_REPOSITORY": "acme/evals",
                "GITHUB_REF": "refs/pull/7/merge",
                "GITHUB_SHA": COMMIT,
            }
        return {
            "GITLAB_TOKEN": TOKEN,
            "CI_API_V4_URL": self.url,
            "CI_PROJECT_ID": "42",
            "CI_MERGE_REQUEST_IID": "7",
            "CI_COMMIT_SHA": COMMIT,
        }

    def merged(self, number: int, **changes: object) -> None:
        """A pull request that the commit belongs to."""
        if self.kind == GITHUB:
            item: dict[str, object] = {
                "number": number,
                "state": "closed",
                "merged_at": "2026-01-01T00:00:00Z",
                "merge_commit_sha": "0" * 40,
                "base": {"ref": "main", "repo": {"full_name": "Acme/evals"}},
            }
        else:
            item = {
                "iid": number,
                "state": "merged",
                "merge_commit_sha": "0" * 40,
                "squash_commit_sha": None,
                "sha": "",
            }
        self.pulls.append(item | changes)

    # Answers

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers, body; a status of 0 breaks the connection."""
        url = urllib.parse.urlsplit(target)
        query, path = dict(urllib.parse.parse_qsl(url.query)), url.path.removeprefix("/api")
        found = ((call, pattern.fullmatch(path)) for call, verb, pattern in _CALLS[self.kind] if verb == method)
        call, match = next(((call, match) for call, match in found if match), ("unknown", None))
        with self._guard:
            self.asked.append(Asked(call, method, path, query, headers, body))
            fault = self._faults[call].popleft() if self._faults[call] else None
            if fault is not None and not fault.done:
                return fault.status, dict(fault.headers), fault.body
            sent = headers.get("authorization") == f"Bearer {TOKEN}" or headers.get("private-token") == TOKEN
            if match is None or match.groupdict().get("number", "7") != "7":
                usual: tuple[int, object] = 404, {"message": "Not Found"}
            elif not sent:
                usual = 401, {"message": "Bad credentials"}
            else:
                usual = getattr(self, f"_{call}")(match, json.loads(body) if body else None)
            links = {}
            if call == "list" and usual[0] == 200:
                usual, links = self._one_page(usual[1], url, query)
        if fault is not None:
            return fault.status, dict(fault.headers), fault.body
        return usual[0], links, json.dumps(usual[1]).encode()

    def _one_page(
        self, items: Any, url: urllib.parse.SplitResult, query: dict[str, str]
    ) -> tuple[tuple[int, object], dict[str, str]]:
        size = min(int(query.get("per_page", "30")), self.page)
        number = int(query.get("page", "1"))
        part = items[(number - 1) * size : number * size]
        if number * size >= len(items):
            return (200, part), {}
        more = urllib.parse.urlencode(query | {"page": str(number + 1)})
        following = self.next_link(f"{self.url}{url.path.removeprefix('/api')}?{more}")
        return (200, part), {"Link": f'<{self.url}/first>; rel="first", <{following}>; rel="next"'}

    def _whoami(self, match: re.Match[str], body: Any) -> tuple[int, object]:
        if self.login is None:
            return 403, {"message": "Resource not accessible by integration"}
        return 200, {"id": 1, "login" if self.kind == GITHUB else "username": self.login}

    def _list(self, match: re.Match[str], body: Any) -> tuple[int, object]:
        return 200, [self._shown(item) for item in self.written]

    def _post(self, match: re.Match[str], body: Any) -> tuple[int, object]:
        if len(body["body"]) > self.limit:
            return self._too_long()
        return 201, self._shown(self.write(body["body"]))

    def _update(self, match: re.Match[str], body: Any) -> tuple[int, object]:
        found = next((item for item in self.written if item.id == int(match["id"])), None)
        if found is None:
            return 404, {"message": "Not Found"}
        if found.author != self.writes_as:
            return 403, {"message": "Must be its author"}
        if len(body["body"]) > self.limit:
            return self._too_long()
        found.body = body["body"]
        return 200, self._shown(found)

    def _page(self, match: re.Match[str], body: Any) -> tuple[int, object]:
        return 200, {"iid": 7, "web_url": "https://gitlab.example/acme/evals/-/merge_requests/7"}

    def _pulls(self, match: re.Match[str], body: Any) -> tuple[int, object]:
        return 200, self.pulls

    def _too_long(self) -> tuple[int, object]:
        if self.kind == GITHUB:
            problem = {
                "resource": "IssueComment",
                "code": "unprocessable",
                "field": "data",
                "message": "Body is too long",
            }
            return 422, {"message": "Validation Failed", "errors": [problem]}
        return 400, {"message": '400 Bad request - Note {:note=>["is too long (maximum is 1000000 characters)"]}'}

    def _shown(self, item: Written) -> dict[str, object]:
        if self.kind == GITHUB:
            user = {"login": item.author, "id": 1}
            return {"id": item.id, "user": user, "body": item.body, "html_url": self.address(item.id)}
        return {"id": item.id, "author": {"username": item.author}, "body": item.body, "system": item.system}


def _handler(forge: FakeForge) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one packet: two would wait for an acknowledgement, 40 ms each

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more, content = forge.answer(self.command, self.path, headers, body)
            if status == 0:
                self.close_connection = True
                return
            self.send_response_only(status)  # without a Date: the clock of tests is another
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = handle_any

        def log_message(self, *_: object) -> None:
            pass

    return Handler


# The product, bound to it


@dataclass
class Waits:
    """A clock that nobody waits for."""

    slept: list[float] = field(default_factory=list)
    at: float = NOW

    def clock(self) -> Clock:
        def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.at += seconds

        return Clock(sleep, lambda: self.at)


def api_of(forge: FakeForge, number: int = 7) -> Api:
    return GitHub("acme/evals", number) if forge.kind == GITHUB else GitLab("42", number)


def bound(forge: FakeForge, author: str | None = None, *, waits: Waits | None = None, number: int = 7) -> Forge:
    """The product's side, with a clock that does not wait."""
    api = api_of(forge, number)
    token = Token("TOKEN", TOKEN)
    wire = Wire(api.name, forge.url, token, api.headers(TOKEN), (waits or Waits()).clock())
    forge.opened.callback(wire.close)
    return Forge(api, wire, author)


def comment_text(said: str = "2 to create", environment: str = "", folder: str = "", digest: str = DIGEST) -> str:
    """A plan's comment."""
    marker = Marker(environment, folder, digest, "lineage-1", 3, COMMIT, False)
    return f"{marker}\n## Plan: {said}\n\n| action | runs |\n| --- | --- |\n| create | 2 |\n"
