"""The service that tests talk to: the Dataframer API on loopback, scripted and watched from the test process."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from tests.service.answers import Answer, Wire
from tests.service.checks import problem
from tests.service.server import Reply, Request, Server, error_reply, json_reply
from tests.service.world import FILE_SIZE, FINAL, Run, Spec

KEY = "sk_live_canary_8f14e45fceea167a"
TICKETS = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"  # without a seed dataset
LETTERS = "2b6f0cc9-04d2-4a57-9f3e-6a1f0f6c1a77"  # made from a seed dataset
RUNS = "/api/dataframer/runs/"
SPECS = "/api/dataframer/specs/"
WAIT = 20.0  # seconds that anything in a test may take


class FakeService:
    """The API and what a test may know and steer of it. Start it with ``with``."""

    def __init__(self, polls: int | None = 1) -> None:
        self.key = KEY
        self.polls = polls  # looks until a new run succeeds; None: it works until finish()
        self.fate = "SUCCEEDED"  # how new runs end
        self.id_only = False  # every create is answered with {"id": …} alone
        self.create_delay = 0.0
        self.cancel_polls: int | None = 0  # looks until a cancel is done; None: never
        self.words: dict[str, str] = {}  # status words to show instead of the documented ones
        self.weather: Callable[[Any], Answer | None] | None = None  # answers the creates that no script does
        self.reported: dict[str, Any] = {}  # effective parameters of new runs that differ from what was asked
        self.signature = "a-signature-of-links"
        self.redirect_to = ""  # base URL that every GET is sent to
        self.requests: list[Request] = []
        self.runs: dict[str, Run] = {}  # in order of creation
        self.specs = {
            TICKETS: Spec(TICKETS, "Support tickets"),
            LETTERS: Spec(LETTERS, "Letters", seeded=True),
        }
        self.max_in_flight = 0
        self._in_flight = 0
        self._script: list[tuple[int | None, Answer]] = []
        self._gate = threading.Event()
        self._gate.set()
        self._changed = threading.Condition(threading.RLock())
        self._port = 0
        self._server: Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._gate.set()
        self.stop()

    @property
    def url(self) -> str:
        """The base URL; stays the same over stop() and start()."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, on the port of before if there was one."""
        self._server = Server(self._port, self)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def script_create(self, *answers: Answer, samples: int | None = None) -> None:
        """Answer the next create calls with these; with ``samples`` only those that ask for so many."""
        with self._changed:
            self._script.extend((samples, answer) for answer in answers)

    def unscript(self) -> None:
        """Forget the answers that nobody asked for."""
        with self._changed:
            self._script.clear()

    @contextmanager
    def creates_held(self) -> Iterator[None]:
        """Creates arrive, but are executed and answered only after this block."""
        self._gate.clear()
        try:
            yield
        finally:
            self._gate.set()

    def add_run(self, body: dict[str, Any], status: str = "SUCCEEDED") -> Run:
        """A run that somebody else made."""
        with self._changed:
            run = Run(body, self.specs[body["spec_id"]], None)
            self.runs[run.id] = run
            if status in FINAL:
                run.finish(status)
            return run

    def finish(self, run_id: str, status: str = "SUCCEEDED", completed: int | None = None, failed: int = 0) -> None:
        """Make a run final."""
        with self._changed:
            self.runs[run_id].finish(status, completed, failed)

    def forget(self, run_id: str) -> None:
        """The run is gone: 404, and not in the list."""
        with self._changed:
            del self.runs[run_id]

    def calls(self, method: str, pattern: str) -> list[Request]:
        """Requests of a method whose whole path matches a regular expression, in order of arrival."""
        with self._changed:
            found = [r for r in self.requests if r.method == method and re.fullmatch(pattern, r.path)]
        return sorted(found, key=lambda request: request.at)

    @property
    def creates(self) -> list[Request]:
        """Every create call that arrived."""
        return self.calls("POST", RUNS)

    @property
    def bodies(self) -> list[Any]:
        """The parsed bodies of the create calls."""
        return [request.json for request in self.creates]

    @property
    def cancels(self) -> list[str]:
        """Ids of the runs that were asked to stop, in order."""
        return [request.path.split("/")[-3] for request in self.calls("POST", f"{RUNS}[^/]+/cancel/")]

    @property
    def deletes(self) -> list[str]:
        """Ids of the runs that were to be removed, in order."""
        return [request.path.split("/")[-2] for request in self.calls("DELETE", f"{RUNS}[^/]+/")]

    @property
    def run_ids(self) -> list[str]:
        """Ids of the runs that exist, oldest first."""
        return list(self.runs)

    def run_of(self, samples: int) -> Run:
        """The one run that was made with so many samples."""
        with self._changed:
            (run,) = [run for run in self.runs.values() if run.samples == samples]
            return run

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Block until the condition holds; looked at after every request."""
        with self._changed:
            assert self._changed.wait_for(condition, WAIT), "the service waited in vain"

    def closes_unread(self, method: str, path: str) -> bool:
        """Whether the next scripted answer to this create call is to close the connection unread."""
        with self._changed:
            return method == "POST" and path == RUNS and self._script[:1] == [(None, _UNREAD)]

    def respond(self, request: Request) -> Reply:
        """Record a request and execute it."""
        create = request.method == "POST" and request.path == RUNS
        with self._changed:
            self.requests.append(request)
            if create:
                self._in_flight += 1
                self.max_in_flight = max(self.max_in_flight, self._in_flight)
            self._changed.notify_all()
        if request.path.startswith("/storage/"):
            signed = request.query.get("signature") == [self.signature] and "authorization" not in request.headers
            return Reply(200, b"x" * FILE_SIZE) if signed else error_reply(403, "the link is not good")
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return error_reply(401, "invalid API key")
        if create:
            return self._create(request)
        if self.redirect_to and request.method == "GET":
            return Reply(307, headers={"Location": self.redirect_to + request.path})
        with self._changed:
            return self._route(request)

    def answered(self, request: Request) -> None:
        """Count creates that are under way."""
        with self._changed:
            self._in_flight -= request.method == "POST" and request.path == RUNS
            self._changed.notify_all()

    def _create(self, request: Request) -> Reply:
        body = request.json
        with self._changed:
            samples = body.get("number_of_samples") if isinstance(body, dict) else None
            entry = next((entry for entry in self._script if entry[0] in (None, samples)), None)
            if entry is not None:
                self._script.remove(entry)
            answer = entry[1] if entry is not None else None
            if answer is None and self.weather is not None and isinstance(body, dict):
                answer = self.weather(body)
        answer = answer or Answer(id_only=self.id_only)
        time.sleep(answer.delay or self.create_delay)
        self._gate.wait(WAIT)
        with self._changed:
            run = None
            if answer.creates:
                if not isinstance(body, dict) or body.get("spec_id") not in self.specs:
                    return error_reply(400, "spec_id: no such spec")
                spec = self.specs[body["spec_id"]]
                wrong = problem(body, spec.seeded)
                if wrong is not None:
                    return error_reply(400, wrong)
                run = Run(body, spec, self.polls, dict(self.reported), fate=self.fate)
                self.runs[run.id] = run
            return Reply(answer.status, self._body(answer, run), answer.headers, answer.wire, answer.interval)

    def _body(self, answer: Answer, run: Run | None) -> bytes:
        if isinstance(answer.body, bytes):
            return answer.body
        if answer.body is not None:
            return json.dumps(answer.body).encode()
        if run is None:
            return b""
        return json.dumps({"id": run.id} if answer.id_only else run.full(self.words)).encode()

    def _route(self, request: Request) -> Reply:
        match request.method, *request.path.removeprefix("/api/dataframer/").split("/"):
            case "GET", "runs", "":
                for run in self.runs.values():
                    run.look()
                return json_reply([run.summary(self.words) for run in reversed(self.runs.values())])
            case "GET", "runs", run_id, "" if run_id in self.runs:
                self.runs[run_id].look()
                return json_reply(self.runs[run_id].full(self.words))
            case "GET", "runs", run_id, "files", file_id, "download", "" if run_id in self.runs:
                link = f"{self.url}/storage/{run_id}/{file_id}?signature={self.signature}"
                return json_reply({"download_url": link, "filename": file_id, "content_type": "text/plain"})
            case "DELETE", "runs", run_id, "" if run_id in self.runs:
                del self.runs[run_id]
                return Reply(204)
            case "POST", "runs", run_id, "cancel", "" if run_id in self.runs:
                return self._cancel(self.runs[run_id])
            case "GET", "specs", "":
                return json_reply([spec.summary() for spec in self.specs.values()])
            case "GET", "specs", spec_id, "" if spec_id in self.specs:
                return json_reply(self.specs[spec_id].full(request.query.get("include_versions") == ["true"]))
        return error_reply(404, "not found")

    def _cancel(self, run: Run) -> Reply:
        if run.status in FINAL:
            return error_reply(409, "the run is over")
        if self.cancel_polls == 0:
            run.finish("CANCELED")
        elif self.cancel_polls is not None:
            run.cancel_polls = self.cancel_polls
        return Reply(204)


_UNREAD = Answer(creates=False, wire=Wire.UNREAD)
