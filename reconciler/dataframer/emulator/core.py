"""The emulator itself: takes a request, gives an answer; no sockets, no threads of its own, no sleeping."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from uuid import uuid4

from msgspec.structs import replace

from reconciler.dataframer.emulator import specs
from reconciler.dataframer.emulator.evaluations import Evaluations
from reconciler.dataframer.emulator.faults import Faults, Strike, from_environment
from reconciler.dataframer.emulator.files import Files, shown_files
from reconciler.dataframer.emulator.life import Pace
from reconciler.dataframer.emulator.messages import ApiRequest, ApiResponse, Json, Problem, json_answer, parse_object
from reconciler.dataframer.emulator.runs import Fate, Runs, summary
from reconciler.dataframer.emulator.specs import Specs
from reconciler.dataframer.emulator.storage import Storage

_API = "/api/dataframer"
_CREATE = ("POST", f"{_API}/runs/")
_ID = "([^/]+)"

Handler = Callable[[ApiRequest, tuple[str, ...], Strike], ApiResponse]


class Refused(Exception):
    """A fault: the connection is refused, and nothing of the request has been sent."""


class Dropped(Exception):
    """A fault: the connection breaks after the request was sent. `delay`: seconds until it does."""

    def __init__(self, delay: float) -> None:
        super().__init__("the connection was dropped")
        self.delay = delay


class Emulator:
    """The Dataframer API over one SQLite file. Any number of threads and processes may use the same file.

    `clock` gives seconds since the epoch; `faults` None takes them from the environment. `specs` lets tests add specs
    and versions. Raises `UnusableDatabase` for a file that it can't use, ValueError for faults that it can't read.
    """

    def __init__(
        self,
        database: Path,
        clock: Callable[[], float] = time.time,
        pace: Pace | None = None,
        faults: Faults | None = None,
    ) -> None:
        pace = pace or Pace()
        self._faults = from_environment() if faults is None else faults
        self._clock = clock
        self._storage = Storage(database, specs.fill)
        self.specs = Specs(self._storage, clock)
        self._runs = Runs(self._storage, self.specs, clock, pace)
        self._evaluations = Evaluations(self._storage, self._runs, clock, pace)
        self._files = Files(self._storage, self._runs, self._evaluations, clock, pace)
        self._routes = [(method, re.compile(pattern), handler) for method, pattern, handler in self._route_table()]

    def close(self) -> None:
        """Close the file; answers already given stay true."""
        self._storage.close()

    def handle(
        self, request: ApiRequest, *, needs_key: bool = False, on_sent: Callable[[], None] = lambda: None
    ) -> ApiResponse:
        """Answer a request. `on_sent` is called once the request would have begun to leave a real client.

        Raises `Refused` before that, and `Dropped` after it, when a fault says so.
        """
        strike = self._strike(request)
        if strike.name == "refuse":
            raise Refused("the connection was refused")
        on_sent()
        if strike.name == "drop_before":
            raise Dropped(strike.delay)
        answer = self._injected(strike) if strike.name == "status" else self._answer(request, strike, needs_key)
        match strike.name:
            case "drop_after":
                raise Dropped(strike.delay)
            case "status_after":
                answer = self._injected(strike)
            case "garble":
                answer = replace(answer, body=answer.body[: len(answer.body) // 2])
        headers = {
            "date": formatdate(self._clock(), usegmt=True),
            "x-request-id": uuid4().hex,
            **answer.headers,
        }
        return replace(answer, headers=headers, delay=strike.delay)

    def _strike(self, request: ApiRequest) -> Strike:
        is_create = (request.method, request.path) == _CREATE
        if not self._faults.counts(is_create):
            return Strike()
        kind = "create" if is_create else "other"
        return self._faults.strike(is_create, self._storage.next_number(f"{kind} {self._faults.text}"))

    def _injected(self, strike: Strike) -> ApiResponse:
        waits = self._faults.retry_after is not None and strike.status in (429, 503)
        headers = {"retry-after": f"{self._faults.retry_after:g}"} if waits else {}
        return Problem(strike.status, "This is a fault that was asked for.", headers=headers).answer()

    def _answer(self, request: ApiRequest, strike: Strike, needs_key: bool) -> ApiResponse:
        try:
            if needs_key and not request.path.startswith("/storage/"):
                _check_key(request)
            return self._route(request, strike)
        except Problem as problem:
            return problem.answer()
        except sqlite3.Error as error:
            return json_answer(500, {"error": f"The emulator's database failed: {error}"})

    def _route(self, request: ApiRequest, strike: Strike) -> ApiResponse:
        allowed = set()
        for method, pattern, handler in self._routes:
            found = pattern.fullmatch(request.path)
            if found is not None and method == request.method:
                return handler(request, found.groups(), strike)
            if found is not None:
                allowed.add(method)
        if allowed:
            raise Problem(405, f"{request.method} is not allowed here.", headers={"allow": ", ".join(sorted(allowed))})
        raise Problem(404, "There is nothing at this address. Paths end in a slash.")

    def _route_table(self) -> list[tuple[str, str, Handler]]:
        files, evaluations = self._files, self._evaluations
        run = f"{_API}/runs/{_ID}/"
        return [
            (*_CREATE, lambda request, ids, strike: self._create_run(request, strike)),
            ("GET", f"{_API}/runs/", lambda *_: json_answer(200, self._runs.every(self._faults.stale_list))),
            ("GET", run, lambda request, ids, _: json_answer(200, self._shown_run(ids[0]))),
            ("DELETE", run, lambda request, ids, _: _done(self._runs.delete, ids[0])),
            ("POST", f"{run}cancel/", lambda request, ids, _: _done(self._runs.cancel, ids[0])),
            ("GET", f"{run}files/download/", lambda request, ids, _: files.archive_link(ids[0], request.origin)),
            (
                "GET",
                f"{run}files/{_ID}/download/",
                lambda request, ids, _: json_answer(200, files.file_link(ids[0], ids[1], request.origin)),
            ),
            ("GET", f"{run}evaluations/", lambda request, ids, _: json_answer(200, evaluations.of_run(ids[0]))),
            ("GET", f"{_API}/specs/", lambda *_: json_answer(200, self.specs.every())),
            ("GET", f"{_API}/specs/{_ID}/", lambda request, ids, _: self._shown_spec(request, ids[0])),
            ("GET", f"{_API}/seed-datasets/", lambda *_: json_answer(200, self.specs.datasets())),
            (
                "POST",
                f"{_API}/evaluations/",
                lambda request, ids, _: json_answer(201, evaluations.create(parse_object(request.body))),
            ),
            ("GET", f"{_API}/evaluations/{_ID}/", lambda request, ids, _: json_answer(200, evaluations.get(ids[0]))),
            ("GET", f"/storage/runs/{_ID}/archive.zip", lambda request, ids, _: files.stored_archive(request, *ids)),
            ("GET", f"/storage/runs/{_ID}/files/{_ID}", lambda request, ids, _: files.stored_file(request, *ids)),
        ]

    def _create_run(self, request: ApiRequest, strike: Strike) -> ApiResponse:
        fate = Fate(
            outcome="FAILED" if strike.fails_run else "SUCCEEDED",
            failing=self._faults.fail_samples,
            slowness=self._faults.slow_runs,
        )
        body = parse_object(request.body)
        if strike.name == "twin":
            self._runs.create(body, fate)
        return json_answer(201, self._shown_run(self._runs.create(body, fate)))

    def _shown_run(self, run_id: str) -> Json:
        run, now = self._runs.find(run_id)
        return {
            **summary(run, now),
            "runtime_params": dict(run.runtime_params),
            "generated_files": shown_files(run, now),
        }

    def _shown_spec(self, request: ApiRequest, spec_id: str) -> ApiResponse:
        wanted = request.query.get("include_versions", "").lower() in ("true", "1")
        return json_answer(200, self.specs.get(spec_id, wanted))


def _check_key(request: ApiRequest) -> None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Problem(401, "The API key is missing.", headers={"www-authenticate": "Bearer"})


def _done(change: Callable[[str], None], run_id: str) -> ApiResponse:
    change(run_id)
    return ApiResponse(204, {})
