"""Faults are parsed strictly, meet the calls that they should, and are the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from reconciler.dataframer.emulator.core import Emulator
from reconciler.dataframer.emulator.faults import VARIABLE, parse
from reconciler.dataframer.emulator.specs import SUPPORT_TICKETS
from reconciler.dataframer.emulator.transport import EmulatorTransport
from tests.emulator.api import RUNS, Clock

BODY = {"spec_id": SUPPORT_TICKETS, "number_of_samples": 10}


@contextmanager
def client(database: Path, faults: str, slept: Callable[[float], object] = lambda _: None) -> Iterator[httpx.Client]:
    emulator = Emulator(database, Clock(), faults=parse(faults))
    transport = EmulatorTransport(emulator, slept)
    try:
        with httpx.Client(transport=transport, base_url="https://emulator.invalid") as made:
            yield made
    finally:
        emulator.close()


def creates(caller: httpx.Client, count: int) -> list[str]:
    """What comes of so many create calls: a status, or the name of an exception."""
    seen = []
    for _ in range(count):
        try:
            seen.append(str(caller.post(RUNS, json=BODY).status_code))
        except httpx.TransportError as error:
            seen.append(type(error).__name__)
    return seen


@pytest.mark.parametrize(
    ("faults", "seen", "made"),
    [
        ("", ["201", "201", "201"], 3),
        ("refuse@2", ["201", "ConnectError", "201"], 2),
        ("drop_before@2", ["201", "ReadError", "201"], 2),
        ("drop_after@2", ["201", "ReadError", "201"], 3),
        ("status=503@2", ["201", "503", "201"], 2),
        ("status_after=500@2", ["201", "500", "201"], 3),
        ("garble@2", ["201", "201", "201"], 3),
        ("twin@2", ["201", "201", "201"], 4),
        ("drop_after=1", ["ReadError"] * 3, 3),
        ("drop_before=0", ["201"] * 3, 3),
        ("drop_before@1; drop_after@3", ["ReadError", "201", "ReadError"], 2),
        ("drop_after=1,drop_before@1", ["ReadError"] * 3, 2),
        ("status=429:1:all", ["429"] * 3, None),
    ],
)
def test_what_each_fault_does(database: Path, faults: str, seen: list[str], made: int | None) -> None:
    with client(database, faults) as caller:
        assert creates(caller, 3) == seen
        listed = caller.get(RUNS)
    if made is None:
        assert listed.status_code == 429
    else:
        assert len(listed.json()) == made


@pytest.mark.parametrize(("faults", "leaves"), [("refuse@1", False), ("drop_before@1", True), ("status=500@1", True)])
def test_the_trace_tells_whether_bytes_left(database: Path, faults: str, leaves: bool) -> None:
    heard: list[str] = []
    extensions = {"trace": lambda name, info: heard.append(name)}
    with client(database, faults) as caller:
        try:
            caller.post(RUNS, json=BODY, extensions=extensions)
        except httpx.TransportError:
            heard.append("failed")
    assert ("http11.send_request_headers.started" in heard) is leaves


def test_a_trace_that_raises_stops_the_request(database: Path) -> None:
    class NotNow(Exception):
        """Raised instead of sending."""

    def trace(name: str, info: dict[str, object]) -> None:
        raise NotNow

    with client(database, "") as caller:
        with pytest.raises(NotNow):
            caller.post(RUNS, json=BODY, extensions={"trace": trace})
        assert caller.get(RUNS).json() == []


def test_a_garbled_answer_does_not_parse(database: Path) -> None:
    with client(database, "garble@1") as caller:
        answer = caller.post(RUNS, json=BODY)
    with pytest.raises(ValueError, match=r"."):
        answer.json()


def test_retry_after(database: Path) -> None:
    with client(database, "status=503@1,status=429@2,status=500@3,retry_after=2") as caller:
        answers = [caller.post(RUNS, json=BODY) for _ in range(3)]
    assert [answer.headers.get("retry-after") for answer in answers] == ["2", "2", None]


def test_delays_pass_and_time_out(database: Path) -> None:
    slept: list[float] = []
    with client(database, "delay=5", slept.append) as caller:
        assert caller.post(RUNS, json=BODY, timeout=9).status_code == 201
        with pytest.raises(httpx.ReadTimeout):
            caller.post(RUNS, json=BODY, timeout=2)
        assert len(caller.get(RUNS).json()) == 2
    assert slept == [5, 2]


def test_a_stale_list_leaves_out_the_youngest(database: Path) -> None:
    clock = Clock()
    emulator = Emulator(database, clock, faults=parse("stale_list=2s"))
    with httpx.Client(transport=EmulatorTransport(emulator), base_url="https://emulator.invalid") as caller:
        run_id = caller.post(RUNS, json=BODY).json()["id"]
        clock.forward(1.9)
        assert caller.get(RUNS).json() == []
        assert caller.get(f"{RUNS}{run_id}/").status_code == 200
        clock.forward(0.2)
        assert [run["id"] for run in caller.get(RUNS).json()] == [run_id]
    emulator.close()


def test_slow_and_partly_failing_runs(database: Path) -> None:
    clock = Clock()
    emulator = Emulator(database, clock, faults=parse("slow_runs=10,fail_samples=0.2"))
    with httpx.Client(transport=EmulatorTransport(emulator), base_url="https://emulator.invalid") as caller:
        run_id = caller.post(RUNS, json=BODY).json()["id"]
        clock.forward(20)
        assert caller.get(f"{RUNS}{run_id}/").json()["status"] == "PROCESSING"
        clock.forward(2)
        run = caller.get(f"{RUNS}{run_id}/").json()
    emulator.close()
    assert (run["status"], run["samples_completed"], run["samples_failed"]) == ("SUCCEEDED", 8, 2)


def test_the_same_seed_meets_the_same_calls(tmp_path: Path) -> None:
    seen = []
    for name, seed in [("a", 7), ("b", 7), ("c", 8)]:
        with client(tmp_path / name / "e.db", f"drop_before=0.1,drop_after=0.1,status=503:0.1,seed={seed}") as caller:
            seen.append(creates(caller, 200))
    assert seen[0] == seen[1] != seen[2]
    assert 20 <= seen[0].count("ReadError") <= 60
    assert 8 <= seen[0].count("503") <= 35


def test_calls_are_counted_across_processes_and_for_each_value_apart(database: Path) -> None:
    seen = []
    for faults in ("drop_after@3", "drop_after@3", "drop_after@1", "drop_after@3"):
        with client(database, faults) as caller:
            seen.append(creates(caller, 2))
    assert seen == [["201", "201"], ["ReadError", "201"], ["ReadError", "201"], ["201", "201"]]


def test_the_environment_is_read(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "status=402@1")
    emulator = Emulator(database)
    with httpx.Client(transport=EmulatorTransport(emulator), base_url="https://emulator.invalid") as caller:
        assert creates(caller, 2) == ["402", "201"]
    emulator.close()


@pytest.mark.parametrize(
    "text",
    [
        "drop_befor=0.1",
        "drop_before",
        "drop_before=",
        "drop_before=1.5",
        "drop_before=-1",
        "drop_before=nan",
        "drop_before=0.1@3",
        "drop_after@0",
        "drop_after@x",
        "status=503",
        "status=abc:0.1",
        "status=99:0.1",
        "status=503:2",
        "status@3",
        "status=503:0.1@3",
        "twin@1:all",
        "delay=",
        "stale_list@2",
        "fail_samples=2",
        "seed=1.5",
        "seed=1:all",
        "= 3",
        "drop_before=0.1 drop_after=0.1",
    ],
)
def test_mistakes_are_named(text: str) -> None:
    with pytest.raises(ValueError, match=VARIABLE) as caught:
        parse(f"seed=1,{text}")
    assert repr(text) in str(caught.value)
