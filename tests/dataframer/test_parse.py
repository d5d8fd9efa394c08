"""JSON of the service to values: what is passed over, what is unsaid, and what never breaks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.dataframer.observation import observation
from reconciler.dataframer.outcomes import Accepted, Answer, Outcome, Rejected, Unknown, judge_create
from reconciler.dataframer.parse import parse_json, parse_run, parse_spec, service_words
from reconciler.model.run import RunStatus

STATUSES = {
    "PENDING": RunStatus.PENDING,
    "PROCESSING": RunStatus.PROCESSING,
    "IN_PROGRESS": RunStatus.PROCESSING,
    "RUNNING": RunStatus.PROCESSING,
    "SUCCEEDED": RunStatus.SUCCEEDED,
    "COMPLETED": RunStatus.SUCCEEDED,
    "FAILED": RunStatus.FAILED,
    "CANCELED": RunStatus.CANCELED,
    "CANCELLED": RunStatus.CANCELED,
    "succeeded": RunStatus.SUCCEEDED,
    "QUEUED": RunStatus.PROCESSING,
    "": RunStatus.PROCESSING,
}


@pytest.mark.parametrize(("word", "status"), STATUSES.items())
def test_words_of_statuses(word: str, status: RunStatus) -> None:
    run = parse_run({"id": "r", "status": word})
    assert run is not None
    assert (run.status, run.status_word) == (status, word)


@pytest.mark.parametrize("word", [5, True, [], {}, 1.5])
def test_a_status_that_is_no_word_is_still_working(word: object) -> None:
    run = parse_run({"id": "r", "status": word})
    assert run is not None
    assert not run.status.final


WHOLE = {
    "id": "r",
    "status": "SUCCEEDED",
    "spec_id": "s",
    "spec_name": "Tickets",
    "spec_version": 3,
    "dataset_id": "d",
    "samples_completed": 9,
    "samples_failed": 1,
    "total_cost": 1.25,
    "created_at": "2026-03-01T00:00:00Z",
    "completed_at": "2026-03-01T00:01:00Z",
    "created_by_email": "a@b",
    "runtime_params": {"number_of_samples": 10},
    "generated_files": [{"id": "f"}],
}


def test_a_whole_run_and_an_id_alone() -> None:
    run = parse_run(WHOLE | {"news": {"a": [1]}})
    assert run is not None
    assert {key: getattr(run, key) for key in WHOLE if key != "status"} == {
        k: v for k, v in WHOLE.items() if k != "status"
    }
    bare = parse_run({"id": "r"})
    assert bare is not None
    assert {getattr(bare, key) for key in WHOLE if key not in ("id", "status")} == {None}
    assert (bare.status, bare.status_word) == (RunStatus.PENDING, "")


@pytest.mark.parametrize("key", [key for key in WHOLE if key not in ("id", "status")])
@pytest.mark.parametrize(
    "value", [None, True, [1], "text", 5, {"a": 1}, 10**30, -(2**63) - 1, float("nan"), float("inf")], ids=str
)
def test_a_value_of_the_wrong_type_is_unsaid(key: str, value: object) -> None:
    run = parse_run({"id": "r", key: value})
    assert run is not None
    read = getattr(run, key)
    if read is None or isinstance(read, (str, dict)):
        assert read in (None, value)
    elif isinstance(read, list):
        assert all(isinstance(item, dict) for item in read)
    else:
        assert not isinstance(value, bool)
        assert read == pytest.approx(value)
        assert abs(read) < 2**63 or key == "total_cost", "no database holds it"


@pytest.mark.parametrize("digits", [30, 308, 309, 400, 4_000])
@pytest.mark.parametrize("key", ["total_cost", "samples_completed", "spec_version"])
def test_a_huge_number_beside_the_id_does_not_lose_the_run(key: str, digits: int) -> None:
    outcome = judge_create(Answer(201, {}, b'{"id": "r1", "%s": %s}' % (key.encode(), b"9" * digits)))
    assert isinstance(outcome, Accepted)
    assert outcome.run.id == "r1"


@pytest.mark.parametrize(
    "item", [None, [], "r", 5, {}, {"id": None}, {"id": 5}, {"id": ""}, {"id": " \n"}, {"ID": "r"}]
)
def test_without_a_usable_id_it_is_no_run(item: object) -> None:
    assert parse_run(item) is None


@pytest.mark.parametrize(
    "run_id",
    [
        "..",
        ".",
        "a/b",
        "/",
        "a b",
        "a\n",
        "\x1b[31m",
        "\u202e",
        "é",
        "a?b",
        "a#b",
        "a%2fb",
        "-\x00",
        "x" * 201,
        "x" * 10**7,
    ],
)
def test_an_id_that_could_lead_elsewhere_is_not_usable(run_id: str) -> None:
    assert parse_run({"id": run_id}) is None
    assert parse_spec({"id": run_id}) is None
    assert isinstance(judge_create(Answer(201, {}, json.dumps({"id": run_id}).encode())), Unknown)


@pytest.mark.parametrize("run_id", ["3c90c3cc-0d44-4b50-8888-8dd25736052a", "run_1", "7", "01J.X~y:z", "x" * 200])
def test_an_id_of_another_form_is_usable(run_id: str) -> None:
    assert getattr(parse_run({"id": run_id}), "id", None) == run_id


HOSTILE = {
    "text": "x" * 10**7,
    "half": "\ud800",
    "huge": 10**5000,
    "endless": float("inf"),
    "list": [[[]]],
    "nothing": None,
}


def test_what_is_kept_of_a_run_can_be_stored() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = {"a": [deep]}
    for key in WHOLE:
        for value in (*HOSTILE.values(), deep, {"\ud800": [deep, float("nan"), 2**70, "\udfff"]}, [deep, {"x": deep}]):
            run = parse_run({"id": "r", key: value} if key != "id" else {"id": value})
            assert run is not None or key == "id"
            if run is not None:
                seen = observation(run, "now")
                for text in (seen.reported_json, seen.files_json, seen.status, run.created_at, run.spec_name):
                    assert text is None or (text.encode() is not None and "NaN" not in text and "Infinity" not in text)
                for number in (seen.samples_completed, seen.samples_failed, seen.spec_version):
                    assert number is None or 0 <= number < 2**63


def test_a_number_of_thousands_of_digits_does_not_lose_the_rest() -> None:
    assert parse_json(b'{"id": "r1", "x": [%s]}' % (b"9" * 5_000)) == {"id": "r1", "x": [None]}
    assert parse_json(b'[{"id": "r1"}, %s' % (b"9" * 5_000)) is None


@pytest.mark.parametrize("body", [b'{"id": "\\ud800"}', b'{"id": "r\\udfff1"}'])
def test_an_id_that_cannot_be_written_down_is_not_usable(body: bytes) -> None:
    assert isinstance(judge_create(Answer(201, {}, body)), Unknown)


@pytest.mark.parametrize("key", ["status", "spec_name", "created_at", "spec_id", "created_by_email"])
def test_a_text_beside_the_id_can_be_written_down(key: str) -> None:
    outcome = judge_create(Answer(201, {}, b'{"id": "r1", "%s": "x\\ud800"}' % key.encode()))
    assert isinstance(outcome, Accepted)
    said = getattr(outcome.run, "status_word" if key == "status" else key)
    assert said is None or said.encode("utf-8")


@pytest.mark.parametrize(
    ("opening", "closing"), [(b"[", b"]"), (b'{"id":', b"}"), (b'{"error":', b"}"), (b'{"id":"r","x":', b"}")]
)
@pytest.mark.parametrize("status", [201, 400, 500])
def test_no_depth_breaks_the_judgement(opening: bytes, closing: bytes, status: int) -> None:
    for depth in (*range(50, 1_200, 25), 10_000, 200_000):
        outcome = judge_create(Answer(status, {}, opening * depth + b'"r"' + closing * depth))
        assert isinstance(outcome, Accepted | Unknown if status != 400 else Rejected)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*WHOLE, "error", "detail"]), inner, max_size=5)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(value=JSON, status=st.integers(100, 599), cut=st.integers(0, 40))
def test_any_body_of_any_status_is_judged(value: Any, status: int, cut: int) -> None:
    body = json.dumps(value).encode()
    for text in (body, body[:cut]):
        outcome: Outcome = judge_create(Answer(status, {"retry-after": "1"}, text))
        if isinstance(outcome, Accepted):
            assert 200 <= status < 300
            assert outcome.run.id.strip()
        else:
            assert outcome.why


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read(body: bytes) -> None:
    parse_run(parse_json(body))
    parse_spec(parse_json(body))
    assert isinstance(service_words(body).encode("utf-8"), bytes)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "too many"}', "too many"),
        (b'{"detail": "too many"}', "too many"),
        (b'{"message": "too many"}', "too many"),
        (b'{"error": "bad", "field": "tools", "code": "invalid"}', "bad · tools · invalid"),
        (b'{"error": {"code": 5}}', '{"code": 5}'),
        (b'{"tools": ["unknown"]}', '{"tools": ["unknown"]}'),
        (b"<html>Bad gateway</html>", "<html>Bad gateway</html>"),
        (b"", "no words"),
        (b" \n", "no words"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b'["a"]', '["a"]'),
    ],
)
def test_the_service_s_words(body: bytes, words: str) -> None:
    assert service_words(body) == words


@pytest.mark.parametrize("body", [b"x" * 10_000_000, b'{"error": "' + b"x" * 10_000 + b'"}'])
def test_long_words_are_cut(body: bytes) -> None:
    assert len(service_words(body)) == 501


def test_words_can_be_written_down() -> None:
    assert service_words(b'{"error": "\\ud800"}').encode("utf-8")


@pytest.mark.parametrize(
    ("item", "seeded", "versions"),
    [({}, False, None), ({"dataset_id": None}, False, None), ({"dataset_id": "d", "versions": [{}, {}]}, True, 2)],
)
def test_specs(item: dict[str, Any], seeded: bool, versions: int | None) -> None:
    spec = parse_spec({"id": "s", "name": "N", "status": "SUCCEEDED"} | item)
    assert spec is not None
    assert (spec.seeded, spec.versions, spec.content_sha256) == (seeded, versions, None)
    assert parse_spec(item) is None
