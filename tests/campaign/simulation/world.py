"""The service, its network, its neighbours and the clock of one simulated schedule. Everything comes from one seed."""

from __future__ import annotations

import email.utils
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from reconciler.dataframer.outcomes import Answer, NoAnswer, Reply
from reconciler.dataframer.transport import NotNow
from state.memory.store import MemoryStore
from state.writes import Advance, Pay, Put, Write

START = 1_800_000_000.0  # seconds since the epoch
LATEST_EXECUTION = 600.0  # seconds after it was sent
_RUNS = "/api/dataframer/runs/"

# What may become of a create call, and how often in a storm.
CREATE_FAULTS: dict[str, float] = {
    "none": 0.40,
    "refused": 0.05,
    "dropped before": 0.07,
    "dropped after": 0.10,
    "late": 0.08,
    "error after": 0.07,
    "error before": 0.04,
    "garbage": 0.05,
    "slow down": 0.04,
    "slept": 0.03,
    "rewritten": 0.03,  # executed, and the report names another model; the answer is lost
    "twin": 0.04,  # executed, the answer is lost, and a neighbour buys the same
}


class Killed(BaseException):
    """The process is gone at this very point."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose submission made a run."""

    address: str
    attempt_id: str
    digest: str  # of its request


@dataclass(slots=True)
class SimRun:
    """A run of the service; ``origin`` is None for a neighbour's."""

    id: str
    body: dict[str, Any]
    created: float
    ends: float
    outcome: str
    origin: Origin | None
    model: str | None = None  # reported in place of the one that was asked for
    canceled: bool = False

    def status(self, now: float) -> str:
        if self.canceled:
            return "CANCELED"
        return self.outcome if now >= self.ends else "PROCESSING" if now > self.created + 5 else "PENDING"


@dataclass(slots=True)
class World:
    """``kill_after``: so many more steps of the process, then it is gone."""

    random: random.Random
    tally: Counter[tuple[str, str]]  # (fault, phase of the submission that it met)
    trace: list[str] | None = None
    now: float = START
    calm: bool = False
    runs: list[SimRun] = field(default_factory=list)
    late: list[tuple[float, dict[str, Any], Origin | None]] = field(default_factory=list)
    kill_after: int = 0
    lag: float = 0.0  # seconds by which lists are stale
    deaf: bool = False  # cancels are taken, and come to nothing yet
    sending: Origin | None = None  # whose create call is on its way
    while_sending: Callable[[], None] | None = None  # what somebody else does at that moment
    _ids: int = 0
    _told_at: float = 0.0
    _text: str = ""

    def time(self) -> float:
        return self.now

    def text(self) -> str:
        if self._told_at != self.now:
            self._told_at, self._text = self.now, iso(self.now)
        return self._text

    def sleep(self, seconds: float) -> None:
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        """Let time go on; requests that were held up somewhere arrive."""
        self.now += seconds
        while self.late and self.late[0][0] <= self.now:
            at, body, origin = self.late.pop(0)
            self.execute(body, origin, at)

    def told(self, text: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.now - START:9.2f} {text}")

    def met(self, fault: str, phase: str) -> None:
        self.tally[fault, phase] += 1
        self.told(f"fault: {fault} ({phase})")

    def step(self, where: str, phase: str) -> None:
        """One step of the process; the one at which it is killed does not return."""
        if self.kill_after:
            self.kill_after -= 1
            if not self.kill_after:
                self.met(f"killed {where}", phase)
                raise Killed

    def execute(self, body: dict[str, Any], origin: Origin | None, at: float | None = None) -> SimRun:
        self._ids += 1
        at = self.now if at is None else at
        chance = self.random
        outcome = "FAILED" if chance.random() < 0.05 else "SUCCEEDED"
        run = SimRun(f"r{self._ids}", body, at, at + chance.uniform(10, 2000), outcome, origin)
        self.runs.append(run)
        self.told(f"service: {run.id} for {origin.address if origin else 'a neighbour'}")
        return run

    def run_later(self, body: dict[str, Any], origin: Origin | None) -> None:
        self.late.append((self.now + self.random.uniform(1.0, LATEST_EXECUTION), body, origin))
        self.late.sort(key=lambda item: item[0])


class Store(MemoryStore):
    """The memory store of the contract suite; the process may be killed around each of its commits."""

    world: World

    def commit(self, writes: Sequence[Write]) -> int:
        what = _what(writes)
        self.world.step("before the commit", what)
        serial = super().commit(writes)
        self.world.told(f"commit: {what}")
        self.world.step("after the commit", what)
        return serial


def _what(writes: Sequence[Write]) -> str:
    for write in writes:
        if isinstance(write, Advance):
            return str(write.phase)
        if isinstance(write, Pay):
            return "owed cancel"
    first = writes[0]
    return type(first.record).__name__.removesuffix("Record") if isinstance(first, Put) else type(first).__name__


class Network:
    """A :class:`reconciler.dataframer.transport.Transport` into the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def send(
        self,
        method: str,
        path: str,
        *,
        seconds: float,
        most_bytes: int = 0,
        json: object = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        before_first_byte: Callable[[], None] | None = None,
    ) -> Reply:
        world = self._world
        if method == "POST" and path == _RUNS:
            assert isinstance(json, dict)
            return self._create(json, seconds, before_first_byte or (lambda: None))
        world.step("at a call", "no submission")
        if method == "GET" and path == _RUNS:
            return self._list()
        run_id = path.removeprefix(_RUNS).partition("/")[0]
        run = next((run for run in world.runs if run.id == run_id), None)
        if run is None:
            return Answer(404, {}, b"{}")
        if method == "POST":
            run.canceled = run.canceled or (world.now < run.ends and not world.deaf)
            world.told(f"service: {run_id} canceled")
            return Answer(204, {}, b"")
        return self._answer(report(run, world.now, full=True))

    def conceal(self, secrets: object) -> None:
        """Nothing is secret here."""

    def close(self) -> None:
        """Nothing to close."""

    def _answer(self, value: object, status: int = 200) -> Answer:
        date = email.utils.formatdate(int(self._world.now), usegmt=True)
        return Answer(status, {"date": date}, json.dumps(value).encode())

    def _list(self) -> Reply:
        world = self._world
        if world.lag:
            world.met("stale list", "no submission")
        seen = [run for run in world.runs if run.created <= world.now - world.lag]
        seen.sort(key=lambda run: -run.created)
        return self._answer([report(run, world.now, full=False) for run in seen])

    def _create(self, body: dict[str, Any], seconds: float, before_first_byte: Callable[[], None]) -> Reply:
        world, origin = self._world, self._world.sending
        world.pass_time(world.random.uniform(0.02, 1.0))
        world.step("before the first byte", "SENDING")
        names, weights = _FAULTS
        fault = "none" if world.calm else world.random.choices(names, weights)[0]
        if fault != "none":
            world.met(fault, "SENDING")
        if fault == "slept":
            world.pass_time(world.random.uniform(6.0, 2000.0))
        if fault == "refused":
            return NoAnswer(False, "ConnectError", "refused")
        try:
            before_first_byte()
        except NotNow as problem:
            return NoAnswer(False, "NotNow", str(problem))
        if world.while_sending is not None:
            meanwhile, world.while_sending = world.while_sending, None
            meanwhile()
        match fault:
            case "slow down":
                return Answer(429, {"retry-after": str(world.random.choice([0, 1, 20]))}, b"{}")
            case "dropped before":
                return NoAnswer(True, "ReadError", "dropped")
            case "error before":
                return Answer(500, {}, b"{}")
            case "late":
                world.run_later(body, origin)
                world.pass_time(seconds)
                return NoAnswer(True, "ReadTimeout", "timed out")
        run = world.execute(body, origin)
        world.step("after the service executed it", "SENDING")
        match fault:
            case "dropped after":
                return NoAnswer(True, "RemoteProtocolError", "dropped")
            case "error after":
                return Answer(502, {}, b"<html>")
            case "garbage":
                return Answer(200, {}, b'{"id": ')
            case "rewritten":
                run.model = "successor"
                return NoAnswer(True, "ReadError", "dropped")
            case "twin":
                # A neighbour's request may also be executed long after ours.
                if world.random.random() < 0.5:
                    world.execute(body, None)
                else:
                    world.run_later(body, None)
                return NoAnswer(True, "ReadError", "dropped")
        return self._answer({"id": run.id}, 201)


_FAULTS = (tuple(CREATE_FAULTS), tuple(CREATE_FAULTS.values()))


def report(run: SimRun, now: float, *, full: bool) -> dict[str, Any]:
    """A run as the API shows it."""
    status = run.status(now)
    made = run.body["number_of_samples"] if status == "SUCCEEDED" else 0
    shown: dict[str, Any] = {
        "id": run.id,
        "status": status,
        "spec_id": run.body["spec_id"],
        "spec_version": run.body.get("spec_version", 3),
        "samples_completed": made,
        "created_at": iso(run.created),
    }
    if full:
        model = run.model or run.body.get("generation_model", "default")
        shown["runtime_params"] = {
            "number_of_samples": run.body["number_of_samples"],
            "generation_model": model,
            "tools": run.body.get("tools", []),
        }
    return shown


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
