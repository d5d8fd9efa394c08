"""Following runs to their rest, against the emulator in process: its clock moves when the follower waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from reconciler.applying.follow import FEW, Follower, Target
from reconciler.applying.interruption import Interruption
from reconciler.applying.record import Recorder
from reconciler.applying.submission import Commit
from reconciler.dataframer.client import Client
from reconciler.dataframer.emulator.core import Emulator
from reconciler.dataframer.emulator.faults import parse
from reconciler.dataframer.emulator.transport import EmulatorTransport
from reconciler.dataframer.outcomes import Accepted
from reconciler.dataframer.transport import HttpTransport
from reconciler.model.errors import ServiceError
from reconciler.model.events import Ending, Event, Progressed, Told
from reconciler.model.run import RunStatus, is_final
from state.records import Phase
from state.writes import Observe
from tests.applying.recording import WatchedStore, begun, creates
from tests.planning.plans import SPEC

RUNS = "/api/dataframer/runs/"


class Waiting(Interruption):
    """Waits by moving the emulator's clock. ``asks``: a stop after so many waits."""

    def __init__(self, asks: int | None = None) -> None:
        super().__init__()
        self.now = 1_780_000_000.0
        self.waits: list[float] = []
        self._asks = asks

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += max(seconds, 0.5)
        if self._asks is not None and len(self.waits) >= self._asks:
            self.reason = "SIGINT"


class Watched(httpx.BaseTransport):
    """The emulator's transport, with the calls that went through it."""

    def __init__(self, inner: EmulatorTransport, calls: list[str]) -> None:
        self._inner = inner
        self._calls = calls

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._calls.append(f"{request.method} {request.url.path}")
        return self._inner.handle_request(request)


@dataclass
class Scene:
    """Runs that were bought and recorded, and a follower of them."""

    emulator: Emulator
    client: Client
    store: WatchedStore
    recorder: Recorder
    waiting: Waiting
    calls: list[str]
    run_ids: list[str]
    told: list[Event] = field(default_factory=list)

    def follow(
        self, deadline: float | None = None, enough: Callable[[int], bool] = lambda active: False
    ) -> list[Ending]:
        self.calls.clear()
        self.follower = Follower(
            self.client, self.recorder, self.told.append, self.waiting, lambda: "2026-01-01T00:00:00.000Z"
        )
        self.follower.add(Target(f"run.r{n}", run_id, 10) for n, run_id in enumerate(self.run_ids))
        return self.follower.until(enough, deadline)

    def recorded(self) -> list[str | None]:
        return [attempt.status for attempt in self.store.attempts_of_runs(self.run_ids)]


Build = Callable[..., Scene]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    closing: list[Callable[[], None]] = []

    def made(count: int, faults: str = "", asks: int | None = None) -> Scene:
        waiting, calls = Waiting(asks), list[str]()
        emulator = Emulator(tmp_path / "emulator.db", lambda: waiting.now, faults=parse(faults))
        transport = HttpTransport(
            "http://emulator.localhost", lambda: "key", lambda: Watched(EmulatorTransport(emulator), calls)
        )
        client = Client(transport, sleep=lambda seconds: None, closing=emulator.close)
        closing.append(client.close)
        store = WatchedStore()
        recorder, prepared = begun(store, creates(count))
        run_ids = []
        for item in prepared:
            outcome = client.create_run({"spec_id": SPEC, "number_of_samples": 10}, 60.0)
            assert isinstance(outcome, Accepted)
            recorder.phase(Commit(item.attempt.attempt_id, Phase.SENDING))
            recorder.phase(Commit(item.attempt.attempt_id, Phase.ACCEPTED, run=outcome.run))
            run_ids.append(outcome.run.id)
        return Scene(emulator, client, store, recorder, waiting, calls, run_ids)

    yield made
    for close in closing:
        close()


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, 25])
def test_every_run_is_followed_to_its_rest_and_recorded_whole(build: Build, count: int) -> None:
    scene = build(count)
    endings = scene.follow()
    assert sorted(ending.run_id for ending in endings) == sorted(scene.run_ids)
    assert {ending.status for ending in endings} == {RunStatus.SUCCEEDED}
    assert scene.follower.active == {}
    for attempt in scene.store.attempts_of_runs(scene.run_ids):
        assert (attempt.status, attempt.samples_completed) == ("SUCCEEDED", 10)
        assert attempt.reported_json is not None
        assert attempt.files_json not in (None, "[]")
        assert attempt.total_cost is not None


def test_few_are_asked_for_one_by_one(build: Build) -> None:
    scene = build(FEW)
    scene.follow()
    assert f"GET {RUNS}" not in scene.calls


def test_many_are_asked_for_at_once_and_each_in_full_only_at_its_end(build: Build) -> None:
    scene = build(30)
    scene.follow()
    lists = scene.calls.count(f"GET {RUNS}")
    assert lists >= 2
    assert len(scene.calls) - lists <= 30 + FEW * len(scene.waiting.waits)


def test_what_is_as_it_was_is_recorded_once(build: Build) -> None:
    scene = build(25)
    told = [(report.run_id, report.status, report.samples_completed) for report in observed(scene)]
    assert len(told) == len(set(told)) > 25
    looks = len(scene.waiting.waits) + 1
    assert len(told) < looks * 25


def observed(scene: Scene) -> list[Observe]:
    """Follow to the end; what was recorded meanwhile."""
    before = len(scene.store.commits)
    scene.follow()
    return [
        write for writes in scene.store.commits[before:] for write in writes
        if isinstance(write, Observe) and write.reported_json is None
    ]  # fmt: skip


def test_progress_only_rises_and_each_news_is_told_once(build: Build) -> None:
    scene = build(6)
    scene.follow()
    told = [event for event in scene.told if isinstance(event, Progressed)]
    for run_id in scene.run_ids:
        news = [(event.status, event.samples_completed) for event in told if event.run_id == run_id]
        assert len(news) == len(set(news))
        assert [made or 0 for _, made in news] == sorted(made or 0 for _, made in news)
        assert [status.final for status, _ in news] == [False] * (len(news) - 1) + [True]


def test_what_a_run_took_is_what_the_service_says(build: Build) -> None:
    """Not how long it was followed: the emulator's clock moves, this machine's hardly does."""
    scene = build(1)
    scene.follow()
    (last,) = [event for event in scene.told if isinstance(event, Progressed) and event.status.final]
    assert 2.0 <= last.elapsed < 4.0


def test_a_run_is_recorded_before_it_is_told(build: Build) -> None:
    scene = build(6)
    seen: list[tuple[RunStatus, str | None]] = []

    class Comparing(list[Event]):
        def append(self, event: Event) -> None:
            if isinstance(event, Progressed):
                (attempt,) = scene.store.attempts_of_runs([event.run_id])
                seen.append((event.status, attempt.status))

    scene.told = Comparing()
    scene.follow()
    assert seen
    assert all(told == recorded for told, recorded in seen)


@pytest.mark.parametrize("count", [2, FEW + 3])
def test_a_run_that_is_gone_ends_without_a_status(build: Build, count: int) -> None:
    scene = build(count)
    scene.client.delete_run(scene.run_ids[0])
    endings = {ending.run_id: ending.status for ending in scene.follow()}
    assert endings[scene.run_ids[0]] is None
    assert set(endings.values()) == {None, RunStatus.SUCCEEDED}
    (attempt,) = scene.store.attempts_of_runs([scene.run_ids[0]])
    assert attempt.gone_at is not None
    assert not is_final(attempt.status)


def test_absence_from_a_list_alone_is_not_gone(build: Build) -> None:
    scene = build(FEW + 2, faults="stale_list=1000s")
    assert {ending.status for ending in scene.follow()} == {RunStatus.SUCCEEDED}
    assert [attempt.gone_at for attempt in scene.store.attempts_of_runs(scene.run_ids)] == [None] * (FEW + 2)


def test_failed_runs_rest_as_well(build: Build) -> None:
    endings = build(3, faults="fail_runs=1").follow()
    assert [ending.status for ending in endings] == [RunStatus.FAILED] * 3


@pytest.mark.parametrize(("wanted", "short"), [(0, False), (6, True)])
def test_too_few_samples_are_marked(build: Build, wanted: int, short: bool) -> None:
    scene = build(1, faults="fail_samples=0.5")
    follower = Follower(scene.client, scene.recorder, scene.told.append, scene.waiting, lambda: "t")
    follower.add([Target("run.r0", scene.run_ids[0], 10, wanted)])
    (ending,) = follower.until(lambda active: False, None)
    assert ending.status is RunStatus.SUCCEEDED
    assert ending.short is short


def test_an_interruption_leaves_the_rest_active(build: Build) -> None:
    scene = build(3, asks=2)
    assert scene.follow() == []
    assert set(scene.follower.active) == set(scene.run_ids)
    assert len(scene.waiting.waits) == 2
    assert [is_final(status) for status in scene.recorded()] == [False] * 3


def test_a_deadline_that_has_passed_asks_nothing(build: Build) -> None:
    scene = build(3)
    assert scene.follow(deadline=0.0) == []
    assert scene.calls == []


def test_it_returns_as_soon_as_there_is_room(build: Build) -> None:
    scene = build(5)
    scene.follow(enough=lambda active: active < 5)
    assert 0 < len(scene.follower.active) < 5 or scene.follower.active == {}


def test_an_outage_is_told_and_outlasted(build: Build) -> None:
    scene = build(1)  # of several at once, each might be asked again in time
    left = [5]

    class Stumbling(Watched):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if left[0] > 0:
                left[0] -= 1
                raise httpx.ConnectError("no route", request=request)
            return super().handle_request(request)

    transport = HttpTransport(
        "http://emulator.localhost", lambda: "key", lambda: Stumbling(EmulatorTransport(scene.emulator), scene.calls)
    )
    scene.client = Client(transport, sleep=lambda seconds: None)
    assert len(scene.follow()) == 1
    assert [event for event in scene.told if isinstance(event, Told)]
    transport.close()


def test_an_outage_without_end_is_an_error(build: Build) -> None:
    scene = build(1)

    class Dead(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("no route", request=request)

    scene.client = Client(HttpTransport("http://emulator.localhost", lambda: "key", Dead), sleep=lambda seconds: None)
    with pytest.raises(ServiceError, match="no route"):
        scene.follow()
    assert set(scene.follower.active) == set(scene.run_ids)


def test_a_refused_key_is_an_error_at_once(build: Build) -> None:
    scene = build(1)

    class Refusing(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(401, stream=httpx.ByteStream(b'{"detail": "invalid API key"}'), request=request)

    scene.client = Client(HttpTransport("http://emulator.localhost", lambda: "key", Refusing))
    with pytest.raises(ServiceError, match="invalid API key"):
        scene.follow()
    assert scene.waiting.waits == []
