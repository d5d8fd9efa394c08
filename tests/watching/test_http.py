"""The controller over HTTP: a real server on loopback, real requests."""

from __future__ import annotations

import http.server
import json
import queue
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from reconciler.model.errors import ServiceError, UsageError
from reconciler.watching.consent import Caps
from reconciler.watching.happenings import Applied, Led, Passed, Recovered, Refused, Stumbled
from reconciler.watching.metrics import CLASSES, Metrics
from reconciler.watching.server import Server
from reconciler.watching.status import Mode, Part, Status, Suspended, Trouble
from reconciler.watching.webhooks import KINDS, Announcer, Webhook, chat_text

_DIGEST = f"sha256:{'a' * 64}"
_TOKEN = {"authorization": "Bearer s3cret"}
_NASTY = 'a"b\\c\nd{e="f"} 1\n# HELP x'


class _Recorded:
    """Commands that note what they are called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def _note(self, *call: Any) -> Mapping[str, Any]:
        self.calls.append(call)
        if "refuse" in call:
            raise UsageError("There is no such plan.")
        return {"recorded": call[0]}

    def reconcile(self) -> Mapping[str, Any]:
        return self._note("reconcile")

    def approve(self, digest: str, reason: str, seconds: float | None, by: str) -> Mapping[str, Any]:
        return self._note("approve", digest, reason, seconds, by)

    def suspend(self, scope: str, reason: str, seconds: float | None, by: str) -> Mapping[str, Any]:
        return self._note("suspend", scope, reason, seconds, by)

    def resume(self, scope: str, by: str) -> Mapping[str, Any]:
        return self._note("resume", scope, by)


class _Served:
    def __init__(self, token: str | None) -> None:
        self.status = Status(Mode.APPLY, _NASTY, seen="c1", revision="c1")
        self.alive = True
        self.commands = _Recorded()
        self.metrics = Metrics(lambda: self.status)
        self.server = Server(
            ("127.0.0.1", 0), lambda: self.status, lambda: self.alive, self.metrics, self.commands, token
        )

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return httpx.request(method, self.server.url + path, trust_env=False, **more)


@pytest.fixture
def served() -> Iterator[_Served]:
    found = _Served("s3cret")
    with found.server:
        yield found


@pytest.fixture
def open_to_all() -> Iterator[_Served]:
    found = _Served(None)
    with found.server:
        yield found


def test_probes(served: _Served) -> None:
    assert served.ask("GET", "/healthz").status_code == 200
    served.alive = False
    assert served.ask("GET", "/healthz").status_code == 503
    ready = served.ask("GET", "/readyz")
    assert (ready.status_code, ready.json()["lease"]["leader"]) == (200, False)
    for part, code in ((Part.SERVICE, 200), (Part.SOURCE, 200), (Part.STATE, 503), (Part.GIT, 503)):
        served.status = Status(Mode.APPLY, "main", seen="c1", troubles={part: Trouble("broken", "2026-01-01")})
        found = served.ask("GET", "/readyz")
        assert (found.status_code, found.json()["degraded"], found.json()[part]["message"]) == (code, True, "broken")
    served.status = Status(Mode.APPLY, "main", revision="c1")
    assert served.ask("GET", "/readyz").status_code == 503


def test_the_status_needs_the_token_where_there_is_one(served: _Served, open_to_all: _Served) -> None:
    suspended = (Suspended("a*", "why", "me", "2026-01-01"),)
    served.status = Status(Mode.APPLY, "main", suspended=suspended, troubles={Part.GIT: Trouble("gone", "2026-01-01")})
    assert served.ask("GET", "/status").status_code == 401
    found = served.ask("GET", "/status", headers=_TOKEN).json()
    assert (found["troubles"]["git"]["message"], found["suspended"][0]["scope"]) == ("gone", "a*")
    assert open_to_all.ask("GET", "/status").json()["branch"] == _NASTY


@pytest.mark.parametrize(
    ("path", "body", "call"),
    [
        ("/reconcile", {"ref": "whatever a git host sends"}, ("reconcile",)),
        ("/approve", {"digest": _DIGEST, "reason": "r", "for": "24h"}, ("approve", _DIGEST, "r", 86400, "")),
        ("/approve", {"digest": _DIGEST, "by": "ada"}, ("approve", _DIGEST, "", None, "ada")),
        ("/suspend", {"scope": "a*", "reason": "r", "by": "ada"}, ("suspend", "a*", "r", None, "ada")),
        ("/suspend", {"reason": "r"}, ("suspend", "", "r", None, "")),
        ("/resume", {"by": "ada"}, ("resume", "", "ada")),
    ],
)
def test_a_post_does_what_it_says(served: _Served, path: str, body: dict[str, str], call: tuple[Any, ...]) -> None:
    answer = served.ask("POST", path, json=body, headers=_TOKEN)
    assert (answer.status_code, answer.json()) == (200, {"recorded": call[0]})
    assert served.commands.calls == [call]


@pytest.mark.parametrize(
    ("path", "headers", "content", "code"),
    [
        ("/approve", {}, b"{}", 401),
        ("/approve", {"authorization": "Bearer s3cre"}, b"{}", 401),
        ("/approve", {"authorization": "Basic s3cret"}, b"{}", 401),
        ("/approve", _TOKEN, b"{}", 400),
        ("/approve", _TOKEN, b"[" * 9_000, 400),
        ("/approve", _TOKEN, b'{"digest": "%s", "force": "yes"}' % _DIGEST.encode(), 400),
        ("/approve", _TOKEN, b'{"digest": 1}', 400),
        ("/approve", _TOKEN, b'{"digest": "sha256:1"}', 400),
        ("/approve", _TOKEN, b'{"digest": "%s", "for": "nanh"}' % _DIGEST.encode(), 400),
        ("/approve", _TOKEN, b'{"digest": "%s", "for": "9999999h"}' % _DIGEST.encode(), 400),
        ("/approve", _TOKEN, b'{"digest": "%s", "by": "a\\u0000b"}' % _DIGEST.encode(), 400),
        ("/suspend", _TOKEN, b'{"reason": "\\ud800"}', 400),
        ("/suspend", _TOKEN, b'{"reason": "\\u001b[2J"}', 400),
        ("/suspend", _TOKEN, b'{"reason": "r", "scope": " "}', 400),
        ("/resume", _TOKEN, b'{"scope": ""}', 400),  # a script's variable that was not set
        ("/approve", _TOKEN, b" " * 17_000, 413),
        ("/elsewhere", _TOKEN, b"{}", 404),
        ("/status", _TOKEN, b"{}", 405),
    ],
)
def test_what_is_refused(served: _Served, path: str, headers: dict[str, str], content: bytes, code: int) -> None:
    assert served.ask("POST", path, headers=headers, content=content).status_code == code
    assert served.commands.calls == []


def test_a_refusal_of_the_command_is_told(served: _Served) -> None:
    answer = served.ask("POST", "/approve", json={"digest": _DIGEST, "by": "refuse"}, headers=_TOKEN)
    assert (answer.status_code, answer.json()["error"]) == (409, "There is no such plan.")


def test_without_a_token_nothing_is_changed(open_to_all: _Served) -> None:
    answer = open_to_all.ask("POST", "/suspend", json={}, headers=_TOKEN)
    assert (answer.status_code, "[http] token" in answer.text) == (403, True)
    assert open_to_all.commands.calls == []


def test_without_a_token_no_page_of_another_site_reads_the_status(open_to_all: _Served) -> None:
    port = open_to_all.server.url.rpartition(":")[2]
    for host, code in (
        ("localhost", 200),
        ("[::1]", 200),
        ("rebound.example.com", 403),
        ("127.0.0.1.example.com", 403),
    ):
        assert open_to_all.ask("GET", "/status", headers={"host": f"{host}:{port}"}).status_code == code
    assert open_to_all.ask("GET", "/healthz", headers={"host": "rebound.example.com"}).status_code == 200


def test_an_address_in_use_is_a_usage_error() -> None:
    metrics = Metrics(lambda: Status(Mode.APPLY, "main"))
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match=r"\[http\] listen"):
        Server(
            ("127.0.0.1", taken.getsockname()[1]), lambda: Status(Mode.APPLY, "main"), bool, metrics, _Recorded(), None
        )


@pytest.mark.parametrize(
    ("accept", "parse"), [("text/plain", plain_text), ("application/openmetrics-text; version=1.0.0", openmetrics)]
)
def test_metrics_are_read_by_parsers(served: _Served, accept: str, parse: Any) -> None:
    served.metrics(Passed("applied", 2.0))
    served.metrics(Applied("c1", "sha256:1", {"create": 3}))
    served.metrics(Stumbled(Part.SERVICE, "a kind of tomorrow", "m", 1, 1.0))
    text = served.ask("GET", "/metrics", headers={"accept": accept}).text
    found = {
        (one.name, tuple(sorted(one.labels.items()))): one.value for family in parse(text) for one in family.samples
    }
    assert found["reconciler_actions_total", (("kind", "create"),)] == 3
    assert found["reconciler_actions_total", (("kind", "cancel"),)] == 0
    assert found["reconciler_api_errors_total", (("class", "other"),)] == 1
    assert found["reconciler_reconcile_duration_seconds_count", ()] == 1
    assert found["reconciler_held", (("why", "cap"),)] == 0
    info = next(dict(labels) for name, labels in found if name == "reconciler_info")
    assert info["branch"] == _NASTY


class _Chat(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        code, headers = self.server.plan.pop(0) if self.server.plan else (200, {})  # type: ignore[attr-defined]
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.server.got.put((code, body))  # type: ignore[attr-defined]

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def chat() -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Chat)
    server.plan, server.got = [], queue.Queue()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_webhook_is_tried_again_and_tells_each_thing_once(chat: Any) -> None:
    chat.plan[:] = [(503, {}), (429, {"retry-after": "7"}), (200, {})]
    waits: list[float] = []
    hook = Webhook(f"http://127.0.0.1:{chat.server_port}/secret", "json", frozenset(KINDS))
    failing = Stumbled(Part.GIT, "RemoteError", "no answer", 1, 5.0)
    happened = [failing, Led(True), failing, failing, Recovered(Part.GIT), Recovered(Part.GIT)]
    happened += [Refused("c2", ("a.toml:1:2: wrong",), "c1")] * 2
    with Announcer([hook], wait=lambda pause: waits.append(pause) or False, chance=lambda: 1.0) as announcer:  # type: ignore[func-returns-value]
        for one in happened:
            announcer(one)
        got = [chat.got.get(timeout=10) for _ in range(6)]
    assert waits == [1.0, 7.0]
    assert [(code, body["kind"]) for code, body in got] == [
        (503, "led"), (429, "led"), (200, "led"), (200, "stumbled"), (200, "recovered"), (200, "refused")
    ]  # fmt: skip
    assert (chat.got.empty(), announcer.dropped, "secret" in repr(hook)) == (True, 0, False)


def test_who_led_tells_of_the_state_that_fails_and_who_stands_by_tells_nothing(chat: Any) -> None:
    hook = Webhook(f"http://127.0.0.1:{chat.server_port}/", "json", frozenset(KINDS))
    failing, again = Stumbled(Part.STATE, "StateUnreachable", "no answer", 1, 5.0), Recovered(Part.STATE)
    with Announcer([hook]) as announcer:
        announcer(failing)  # it never led
        announcer(again)
        for one in (Led(True), Led(False), failing, Passed("failed", 0.1), again, Passed("standby", 0.1)):
            announcer(one)
        announcer(Stumbled(Part.GIT, "RemoteError", "no answer", 1, 5.0))  # by now another one leads, and tells it
        announcer(Led(True))
        got = [chat.got.get(timeout=10)[1]["kind"] for _ in range(5)]
    assert (got, chat.got.empty()) == (["led", "led", "stumbled", "recovered", "led"], True)


def test_a_final_refusal_is_given_up(chat: Any) -> None:
    chat.plan[:] = [(302, {"location": "/elsewhere"})]
    hook = Webhook(f"http://127.0.0.1:{chat.server_port}/", "slack", frozenset({"led"}))
    with Announcer([hook]) as announcer:
        announcer(Led(True))
        assert chat.got.get(timeout=10)[0] == 302
    assert (chat.got.empty(), announcer.dropped) == (True, 1)
    metrics = Metrics(lambda: Status(Mode.APPLY, "main"), dropped=lambda: announcer.dropped)
    assert metrics.registry.get_sample_value("reconciler_webhook_dropped_total") == 1


def test_what_a_dashboard_needs_is_there_from_the_start() -> None:
    caps = Caps(runs=1, samples=2, cost=3.0)
    families = Metrics(lambda: Status(Mode.APPLY, "main"), caps).registry.collect()
    found = {family.name.removeprefix("reconciler_"): labels_of(family) for family in families}
    no_label = set[str]()
    assert found == {
        "reconcile_duration_seconds": {"le"},
        "reconciles": {"outcome"},
        "actions": {"kind"},
        "failures": {"part"},
        "api_errors": {"class"},
        "revisions": {"result"},
        "reconciler": {"revision", "branch", "mode", "environment", "version"},
        "runs": {"status"},
        "pending_actions": {"kind"},
        "consecutive_failures": {"part"},
        "held": {"why"},
    } | dict.fromkeys(
        (
            "leader", "last_success_timestamp_seconds", "unmet", "drift", "suspended", "suspended_patterns",
            "webhook_dropped", "window_seconds", "window_spent_runs", "window_spent_samples", "window_spent_usd",
            "window_cap_runs", "window_cap_samples", "window_cap_usd",
        ),
        no_label,
    )  # fmt: skip


def labels_of(family: Metric) -> set[str]:
    assert family.samples
    return {label for sample in family.samples for label in sample.labels}


def test_every_failure_of_the_service_has_a_class() -> None:
    known, kinds = {*CLASSES}, [ServiceError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert {kind.__name__ for kind in kinds} <= known


def test_what_others_wrote_makes_no_link_and_no_mention() -> None:
    text = chat_text(["<!here> @channel <http://evil|x> [x](http://evil) & more"])
    assert not any(bad in text for bad in ("<", ">", "@c", "://", "]("))
    assert "&amp; more" in text
