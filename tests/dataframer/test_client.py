"""The calls of the client: reads are tried again, creates never; what each answer means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reconciler.dataframer.client import Client, Parsed
from reconciler.dataframer.outcomes import Accepted, Later, NotSent, Outcome, Rejected, Unknown
from reconciler.dataframer.transport import HttpTransport, NotNow
from reconciler.model.errors import ServiceRefused, ServiceUnreachable
from reconciler.model.run import RunStatus
from tests.dataframer.wire import Scripted, Service, scripted_service

RUNS = "/api/dataframer/runs/"
SPECS = "/api/dataframer/specs/"
LIST, GET, CANCEL, DELETE = f"GET {RUNS}", f"GET {RUNS}r1/", f"POST {RUNS}r1/cancel/", f"DELETE {RUNS}r1/"
GET_SPEC = f"GET {SPECS}s1/?include_versions=true"
TRIES = 4
ODD_IDS = ["", ".", "..", "a/b", "../specs", "r?x=1", "r#x", "%2e", "ü", "a b", "a\n", "\x1b[2J", "x" * 201, " r1"]


@contextmanager
def client_of(url: str) -> Iterator[tuple[Client, list[float]]]:
    waits: list[float] = []
    client = Client(HttpTransport(url, lambda: "key"), waits.append)
    try:
        yield client, waits
    finally:
        client.close()


@pytest.fixture
def service() -> Iterator[Service]:
    with scripted_service() as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with client_of(service.url) as (made, _):
        yield made


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Scripted(201, b'{"id": "r1"}'), Accepted),
        (Scripted(200, b'{"id": "r1", "status": "PENDING"}'), Accepted),
        (Scripted(204), Unknown),
        (Scripted(307, headers={"location": "/elsewhere/"}), Unknown),
        (Scripted(400), Rejected),
        (Scripted(401), Rejected),
        (Scripted(408), Unknown),
        (Scripted(409), Unknown),
        (Scripted(429, headers={"retry-after": "3"}), Later),
        (Scripted(500), Unknown),
        (Scripted(503), Unknown),
        (Scripted(503, headers={"retry-after": "3"}), Later),
        (Scripted(0), Unknown),
    ],
    ids=lambda value: str(getattr(value, "status", "")),
)
def test_a_create_is_one_request_whatever_comes(service: Service, answer: Scripted, kind: type[Outcome]) -> None:
    service.say(f"POST {RUNS}", answer)
    with client_of(service.url) as (client, waits):
        assert isinstance(client.create_run({"number_of_samples": 3}, 5.0), kind)
    assert service.requests == [f"POST {RUNS}"]
    assert json.loads(service.bodies[0]) == {"number_of_samples": 3}
    assert waits == []


def test_a_create_that_is_called_off_or_finds_nobody_is_not_sent(service: Service) -> None:
    def call_off() -> None:
        raise NotNow("slept")

    with client_of(service.url) as (client, _):
        assert isinstance(client.create_run({}, 5.0, call_off), NotSent)
    with client_of("http://127.0.0.1:1") as (client, waits):
        assert isinstance(client.create_run({}, 5.0), NotSent)
        assert waits == []
    assert service.requests == []


@pytest.mark.parametrize("run_id", ODD_IDS)
def test_an_odd_id_is_no_answer(service: Service, run_id: str) -> None:
    service.say(f"POST {RUNS}", (201, {"id": run_id}))
    service.say(LIST, (200, [{"id": "r1"}, {"id": run_id}]))
    with client_of(service.url) as (client, _):
        assert isinstance(client.create_run({}, 5.0), Unknown)
        with pytest.raises(ServiceUnreachable, match="not a list of runs"):
            client.list_runs()


def test_each_call_has_its_own_bound(service: Service) -> None:
    padding = b" " * 2**20
    service.say(f"POST {RUNS}", Scripted(201, b'{"id": "r1"}' + padding))
    service.say(GET, Scripted(200, b'{"id": "r1"}' + 63 * padding), Scripted(200, b'{"id": "r1"}' + 64 * padding))
    service.say(LIST, Scripted(200, b"[]" + 65 * padding))
    with client_of(service.url) as (client, waits):
        outcome = client.create_run({}, 5.0)
        assert isinstance(outcome, Unknown)
        assert "AnswerTooLarge" in outcome.why
        assert client.get_run("r1") is not None
        with pytest.raises(ServiceUnreachable, match="AnswerTooLarge"):
            client.get_run("r1")
        assert client.list_runs().runs == ()
    assert service.requests.count(f"POST {RUNS}") == 1
    assert len(waits) == TRIES - 1


@pytest.mark.parametrize("failure", [0, 408, 425, 429, 500, 502, 503, 504, 520, 599])
def test_reads_are_tried_again(service: Service, failure: int) -> None:
    service.say(LIST, *[Scripted(failure)] * (TRIES - 1), (200, [{"id": "r1"}]))
    with client_of(service.url) as (client, waits):
        assert [run.id for run in client.list_runs().runs] == ["r1"]
    assert len(service.requests) == TRIES
    assert len(waits) == TRIES - 1
    assert all(0 < wait <= 10 for wait in waits)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 410, 422, 301, 307])
def test_a_refusal_of_a_read_is_final(service: Service, client: Client, status: int) -> None:
    service.say(LIST, Scripted(status, b'{"error": "no such luck"}', {"location": "/elsewhere/"}))
    with pytest.raises(ServiceRefused, match="no such luck") as raised:
        client.list_runs()
    assert raised.value.status == status
    assert service.requests == [LIST]


def test_after_the_last_try_the_failure_is_told(service: Service) -> None:
    service.say(LIST, Scripted(503, b"down", {"retry-after": "2"}))
    with client_of(service.url) as (client, waits), pytest.raises(ServiceRefused, match="down"):
        client.list_runs()
    assert len(service.requests) == TRIES
    assert waits == [2.0] * (TRIES - 1)
    service.say(LIST, Scripted(0))
    with client_of(service.url) as (client, _), pytest.raises(ServiceUnreachable, match="base_url"):
        client.list_runs()


def test_nobody_there(client: Client) -> None:
    with client_of("http://127.0.0.1:1") as (nobody, waits):
        for call in (nobody.list_runs, nobody.list_specs, lambda: nobody.get_run("r"), lambda: nobody.cancel_run("r")):
            with pytest.raises(ServiceUnreachable, match=r"127\.0\.0\.1:1"):
                call()
    assert len(waits) == 4 * (TRIES - 1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b'{"results": []}',
        b'"x"',
        b"[",
        b'[{"id": "r1"}, {}]',
        b"[null]",
        b'[{"id": ""}]',
        b'[{"id": 5}]',
        b'[{"id": "r1"}',
        b"<html>",
        b"[[]]",
    ],
)
@pytest.mark.parametrize("path", [RUNS, SPECS])
def test_what_is_no_list_is_no_listing(service: Service, client: Client, body: bytes, path: str) -> None:
    service.say(f"GET {path}", Scripted(200, body))
    with pytest.raises(ServiceUnreachable, match="not a list"):
        (client.list_runs if path == RUNS else client.list_specs)()
    if path == RUNS:
        service.say(f"GET {path}", Scripted(200, body))
        with pytest.raises(ServiceUnreachable, match="not a list"):
            client.list_runs(Parsed())


def test_a_listing_keeps_its_order_and_the_service_s_date(service: Service, client: Client) -> None:
    service.say(LIST, (200, [{"id": "b", "status": "RUNNING"}, {"id": "a", "status": "COMPLETED"}]))
    listing = client.list_runs()
    assert [(run.id, run.status) for run in listing.runs] == [("b", RunStatus.PROCESSING), ("a", RunStatus.SUCCEEDED)]
    assert listing.date is not None
    assert "GMT" in listing.date
    service.say(LIST, (200, []))
    assert client.list_runs().runs == ()


def test_a_list_that_is_asked_for_again_reads_what_changed(service: Service, client: Client) -> None:
    before = Parsed()
    working, resting = {"id": "a", "status": "RUNNING"}, {"id": "a", "status": "COMPLETED"}
    looks = []
    for first, second in [(working, {"id": "b"}), (working, {"id": "c"}), ({"id": "b"}, resting), (resting, working)]:
        service.say(LIST, (200, [first, second]))
        looks.append(client.list_runs(before).runs)
    assert [[run.id for run in runs] for runs in looks] == [["a", "b"], ["a", "c"], ["b", "a"], ["a", "a"]]
    assert looks[1][0] is looks[0][0]
    assert [run.status for run in looks[3]] == [RunStatus.SUCCEEDED, RunStatus.PROCESSING]
    assert looks[3][0] is looks[2][1]


@pytest.mark.parametrize(
    "body",
    [
        b'[{"id": "r1", "total_cost": NaN}, {"id": "r2"}]',
        b'\n [ {"id":"r1"} ,\t{"id":"r1"}]\n',
        b'[{"id": "r1", "samples_completed": ' + b"9" * 5_000 + b', "samples_failed": 2}]',
        b'[{"id": "r1", "status": "\\ud800", "spec_name": "\\u00fc\xc3\xbc"}]',
        b'[{"id": "r1", "id": "r2"}]',
        '[{"id": "r1"}]'.encode("utf-16"),
        '[{"id": "r1"}]'.encode("utf-8-sig"),
    ],
)
def test_an_odd_list_reads_as_it_does_the_first_time(service: Service, client: Client, body: bytes) -> None:
    before, runs = Parsed(), []
    for known in (None, before, before):
        service.say(LIST, Scripted(200, body))
        runs.append(client.list_runs(known).runs)
    assert runs[0]
    assert runs[0] == runs[1] == runs[2]


@pytest.mark.parametrize(
    "body", [b'[{"id": "r1", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]", b'[{"id": "\xff"}]']
)
def test_a_list_that_nobody_can_read_is_none_either_way(service: Service, client: Client, body: bytes) -> None:
    for known in (None, Parsed()):
        service.say(LIST, Scripted(200, body))
        with pytest.raises(ServiceUnreachable, match="not a list"):
            client.list_runs(known)


def test_one_run(service: Service, client: Client) -> None:
    service.say(GET, (200, {"id": "r1", "status": "SUCCEEDED", "runtime_params": {"tools": []}}))
    run = client.get_run("r1")
    assert run is not None
    assert (run.status, run.runtime_params) == (RunStatus.SUCCEEDED, {"tools": []})
    service.say(GET, (404, {"error": "gone"}))
    assert client.get_run("r1") is None


@pytest.mark.parametrize("value", [{"id": "r2"}, {}, [], None, [{"id": "r1"}]])
def test_an_answer_that_is_not_this_run_is_none(service: Service, client: Client, value: object) -> None:
    service.say(GET, (200, value))
    with pytest.raises(ServiceUnreachable, match="not this run"):
        client.get_run("r1")


@pytest.mark.parametrize("run_id", ODD_IDS)
def test_an_odd_id_is_asked_for_nowhere(service: Service, client: Client, run_id: str) -> None:
    for call in (client.get_run, client.cancel_run, client.delete_run, client.get_spec):
        with pytest.raises(ServiceUnreachable, match="can't be an id"):
            call(run_id)
    assert service.requests == []


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_cancel_is_followed_by_a_look(service: Service, client: Client, status: int) -> None:
    service.say(CANCEL, Scripted(status))
    service.say(GET, (200, {"id": "r1", "status": "PROCESSING"}))
    run = client.cancel_run("r1")
    assert run is not None
    assert run.status is RunStatus.PROCESSING
    assert service.requests == [CANCEL, GET]


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422])
@pytest.mark.parametrize("word", ["SUCCEEDED", "FAILED", "CANCELLED"])
def test_a_refused_cancel_of_a_final_run_is_fine(service: Service, client: Client, status: int, word: str) -> None:
    service.say(CANCEL, (status, {"error": "not cancellable"}))
    service.say(GET, (200, {"id": "r1", "status": word}))
    run = client.cancel_run("r1")
    assert run is not None
    assert run.status.final


@pytest.mark.parametrize("status", [400, 404, 409])
def test_a_refused_cancel_of_a_run_that_is_gone_is_fine(service: Service, client: Client, status: int) -> None:
    service.say(CANCEL, Scripted(status))
    service.say(GET, Scripted(404))
    assert client.cancel_run("r1") is None


@pytest.mark.parametrize("status", [400, 409, 307])
def test_a_refused_cancel_of_a_working_run_is_told(service: Service, client: Client, status: int) -> None:
    service.say(CANCEL, (status, {"error": "not now"}))
    service.say(GET, (200, {"id": "r1", "status": "PROCESSING"}))
    with pytest.raises(ServiceRefused, match="not now"):
        client.cancel_run("r1")


@pytest.mark.parametrize("status", [401, 402, 403])
@pytest.mark.parametrize("request_line", [CANCEL, DELETE])
def test_a_wrong_key_is_told_at_once(service: Service, client: Client, status: int, request_line: str) -> None:
    service.say(request_line, Scripted(status, b"who?"))
    with pytest.raises(ServiceRefused, match="who"):
        (client.cancel_run if request_line == CANCEL else client.delete_run)("r1")
    assert service.requests == [request_line]


def test_cancels_and_deletes_are_tried_again(service: Service, client: Client) -> None:
    service.say(CANCEL, Scripted(0), Scripted(502), (200, {}))
    service.say(GET, (200, {"id": "r1", "status": "CANCELED"}))
    run = client.cancel_run("r1")
    assert run is not None
    assert run.status is RunStatus.CANCELED
    service.say(DELETE, Scripted(500), Scripted(0), Scripted(404))
    client.delete_run("r1")
    assert service.requests == [CANCEL, CANCEL, CANCEL, GET, DELETE, DELETE, DELETE]


@pytest.mark.parametrize(
    ("status", "fine"), [(200, True), (204, True), (404, True), (400, False), (409, False), (307, False)]
)
def test_a_delete(service: Service, client: Client, status: int, fine: bool) -> None:
    service.say(DELETE, Scripted(status))
    if fine:
        client.delete_run("r1")
    else:
        with pytest.raises(ServiceRefused):
            client.delete_run("r1")
    assert service.requests == [DELETE]


def test_specs(service: Service, client: Client) -> None:
    service.say(f"GET {SPECS}", (200, [{"id": "s1", "name": "Tickets", "dataset_id": "d"}, {"id": "s2"}]))
    assert [(spec.id, spec.name, spec.seeded) for spec in client.list_specs()] == [
        ("s1", "Tickets", True),
        ("s2", "", False),
    ]
    service.say(GET_SPEC, (200, {"id": "s1", "content_yaml": "a: 1", "versions": [{}, {}, {}]}))
    spec = client.get_spec("s1")
    assert spec is not None
    assert spec.versions == 3
    assert spec.content_sha256 is not None
    service.say(GET_SPEC, Scripted(404))
    assert client.get_spec("s1") is None
    service.say(GET_SPEC, (200, [1]))
    with pytest.raises(ServiceUnreachable, match="not this spec"):
        client.get_spec("s1")
    service.say(GET_SPEC, (200, {"id": "s2", "versions": [{}]}))
    with pytest.raises(ServiceUnreachable, match="not this spec"):
        client.get_spec("s1")


def test_the_key_goes_into_one_header_of_every_request(service: Service, client: Client) -> None:
    service.say(LIST, (200, []))
    service.say(f"POST {RUNS}", (201, {"id": "r1"}))
    client.list_runs()
    client.create_run({"tools": []}, 5.0)
    for headers, body, line in zip(service.headers, service.bodies, service.requests, strict=True):
        assert [name for name, value in headers.items() if "key" in value] == ["authorization"]
        assert headers["authorization"] == "Bearer key"
        assert b"key" not in body
        assert "key" not in line
