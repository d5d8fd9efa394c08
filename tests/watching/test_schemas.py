"""The published schemas of what a controller tells: they say all of it, and what is otherwise is refused."""

from __future__ import annotations

import http.server
import json
import queue
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from reconciler.model.changes import Kind
from reconciler.model.run import FINAL
from reconciler.views.events_json import version_event
from reconciler.watching.happenings import (
    Applied,
    Ending,
    Followed,
    Happening,
    Led,
    Listening,
    Passed,
    Recovered,
    Refused,
    Rested,
    Stumbled,
    Waits,
    Worked,
)
from reconciler.watching.metrics import OUTCOMES
from reconciler.watching.status import Held, Hold, Part, Planned
from reconciler.watching.webhooks import KINDS, Announcer, Webhook
from reconciler.watching.words import json_of
from tests.views.schemas import change, never_there, problems, schema
from tests.views.test_schemas import EVENTS

AT = "2026-01-02T03:04:05.678Z"
COMMIT, BEFORE, DIGEST = "a" * 40, "b" * 64, f"sha256:{'c' * 64}"
COUNTS = {kind.value: 1 for kind in Kind}
PLANNED = Planned(DIGEST, COUNTS, ("create run.a: 40 samples",), 40, 12.5, 1, 2, 3)
HAPPENED: tuple[Happening, ...] = (
    Listening("http://[::1]:8322"),
    Led(True),
    Followed(COMMIT, None),
    Followed(BEFORE, COMMIT),
    Refused(COMMIT, ("reconciler.toml:1:2: S: D",), None),
    Refused(BEFORE, ("p",), COMMIT),
    *(Stumbled(part, "RemoteError", "why", 1, 5.0) for part in Part),
    *(Recovered(part) for part in Part),
    *(Waits(PLANNED, Held(why, "what to do")) for why in Hold),
    Waits(Planned(DIGEST, {}), Held(Hold.ERRORS, "why")),
    Applied(COMMIT, DIGEST, COUNTS, 12.5, "ada@desk", ("run.a: why",)),
    Applied(BEFORE, DIGEST, {}),
    Rested((Ending('run.a["x"]', "r1", "SUCCEEDED", 3, 0.5), *(Ending("run.b", "r", word) for word in FINAL))),
    Rested((Ending("run.b", "r2", "GONE"),)),
    Led(False),
    *(Passed(outcome, 0.1) for outcome in OUTCOMES),
    *(Worked(event) for event in EVENTS),
)


@cache
def lines() -> tuple[dict[str, Any], ...]:
    """One of each line, and more, as a program reads them."""
    made = [version_event(AT), *(json_of(happened, AT) for happened in HAPPENED)]
    return tuple(json.loads(json.dumps(line)) for line in made)


class _Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.server.got.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def posts() -> Iterator[list[dict[str, Any]]]:
    """What was posted of all that happened, in both formats."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    server.got = queue.Queue()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    found: list[dict[str, Any]] = []
    with Announcer([Webhook(url, form, frozenset(KINDS)) for form in ("json", "slack")]) as announcer:
        announcer(Led(True))
        for happened in HAPPENED:
            announcer(happened)
        while sum("leads no more" in post["text"] for post in found) < 2:  # the last one of each
            found.append(server.got.get(timeout=20))  # type: ignore[attr-defined]
    yield found
    server.shutdown()
    server.server_close()


def test_everything_that_can_happen_is_among_the_cases() -> None:
    assert {type(happened) for happened in HAPPENED} == set(get_args(Happening))


@pytest.mark.parametrize("name", ["watch", "webhook"])
def test_the_schemas_are_schemas_and_describe_their_objects(name: str) -> None:
    whole = schema(name)
    Draft202012Validator.check_schema(whole)
    assert whole["$id"] == f"urn:reconciler:schema:{name}:1"
    objects = {key: item for key, item in whole["$defs"].items() if "properties" in item}
    assert [key for key, item in objects.items() if "description" not in item] == []
    assert "additionalProperties" not in json.dumps(whole)


def test_what_several_describe_is_described_alike() -> None:
    watch, webhook, event = (schema(name)["$defs"] for name in ("watch", "webhook", "event"))
    told = {"diagnostic"}  # without a finding, here
    assert {key for key in watch if key in event and watch[key] != event[key]} == told
    assert {key for key in webhook if key in watch and webhook[key] != watch[key]} == set()
    for kind in KINDS:
        posted, line = (dict(part["properties"]) for part in (webhook[kind], watch[f"watch_{kind}"]))
        if kind == "stumbled":
            posted["kind"] = posted.pop("failure")
        assert {key for key in posted if key not in line} <= {"kind", "at", "text"}
        assert [key for key in line if line[key] != posted.get(key) and not key.startswith("@") and key != "type"] == []


def test_their_words_are_those_of_the_controller() -> None:
    for name in ("watch", "webhook"):
        parts = schema(name)["$defs"]
        assert parts["held"]["properties"]["why"]["enum"] == list(Hold)
        assert parts["part"]["enum"] == list(Part)
        assert set(parts["ending"]["properties"]["status"]["enum"]) == {*FINAL, "GONE"}
    assert schema("watch")["$defs"]["watch_passed"]["properties"]["outcome"]["enum"] == list(OUTCOMES)
    assert schema("webhook")["properties"]["kind"]["enum"] == list(KINDS)


def test_every_line_is_as_the_schema_says_and_nothing_is_undescribed() -> None:
    assert [said for line in lines() for said in problems("watch", line, True)] == []
    assert {line["type"] for line in lines()} == set(schema("watch")["properties"]["type"]["enum"])
    assert never_there("watch", lines(), "type") == []


def test_every_post_is_as_the_schema_says_and_nothing_is_undescribed(posts: list[dict[str, Any]]) -> None:
    assert [said for post in posts for said in problems("webhook", post, True)] == []
    assert {post["kind"] for post in posts if "kind" in post} == set(KINDS)
    assert {tuple(post) for post in posts if "kind" not in post} == {("text",)}
    assert never_there("webhook", posts, "kind") == []


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("version", "reconciler", ...),
        ("watch_listening", "url", "/run/socket"),
        ("watch_led", "leader", "yes"),
        ("watch_led", "type", "watch_lead"),
        ("watch_led", "@timestamp", ...),
        ("watch_led", "@level", "fatal"),
        ("watch_followed", "before", ...),
        ("watch_followed", "commit", "main"),
        ("watch_followed", "commit", None),
        ("watch_refused", "problems", []),
        ("watch_refused", "problems", "one"),
        ("watch_refused", "stays", ""),
        ("watch_stumbled", "part", "network"),
        ("watch_stumbled", "kind", ...),
        ("watch_stumbled", "failures", 0),
        ("watch_stumbled", "again", None),
        ("watch_recovered", "part", ...),
        ("watch_waits", "planned", ...),
        ("watch_waits", "planned.digest", "abc"),
        ("watch_waits", "planned.actions", {"create": -1}),
        ("watch_waits", "planned.lines", ["a"] * 11),
        ("watch_waits", "planned.cost", "unknown"),
        ("watch_waits", "planned.drift", None),
        ("watch_waits", "held.why", "weather"),
        ("watch_waits", "held.message", ...),
        ("watch_applied", "done", None),
        ("watch_applied", "approved_by", ...),
        ("watch_applied", "failures", None),
        ("watch_rested", "endings", []),
        ("watch_rested", "endings.0.status", "PROCESSING"),
        ("watch_rested", "endings.0.total_cost", ...),
        ("watch_rested", "endings.0.address", "a"),
        ("watch_passed", "outcome", "bored"),
        ("watch_passed", "seconds", -1),
        ("apply_start", "action", "no-op"),
        ("run_submitted", "run_id", None),
        ("apply_errored", "trouble", "odd"),
        ("diagnostic", "@message", ...),
    ],
)
def test_what_is_no_line_is_refused(kind: str, path: str, value: Any) -> None:
    line = next(item for item in lines() if item["type"] == kind)
    assert problems("watch", line) == []
    assert problems("watch", change(line, path, value)) != []


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        (None, "text", ...),
        (None, "text", ""),
        (None, "text", ["a"]),
        ("led", "kind", ...),
        ("led", "kind", "passed"),
        ("led", "at", ...),
        ("led", "text", ...),
        ("led", "leader", 1),
        ("followed", "commit", "main"),
        ("refused", "problems", []),
        ("stumbled", "failure", ...),
        ("stumbled", "part", "network"),
        ("recovered", "part", None),
        ("waits", "held", None),
        ("waits", "planned.samples", -1),
        ("applied", "digest", ...),
        ("rested", "endings.0.run_id", None),
    ],
)
def test_what_is_no_post_is_refused(posts: list[dict[str, Any]], kind: str | None, path: str, value: Any) -> None:
    post = next(item for item in posts if item.get("kind") == kind)
    assert problems("webhook", post) == []
    assert problems("webhook", change(post, path, value)) != []


def test_what_is_added_later_is_no_mistake(posts: list[dict[str, Any]]) -> None:
    waits = next(item for item in lines() if item["type"] == "watch_waits")
    told = next(item for item in posts if item.get("kind") == "waits")
    for name, document in (("watch", waits), ("webhook", told)):
        for path in ("later", "planned.later", "held.later"):
            assert problems(name, change(document, path, 1)) == []
            assert problems(name, change(document, path, 1), True) != []
