"""A schedule: a storm over a few declared runs, then calm weather and a person who decides; then an audit."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from dataclasses import dataclass, field

from msgspec.structs import replace

from reconciler.applying.resolve import Abandon, Adopt, Resubmit
from reconciler.model.address import Address
from reconciler.model.diagnostics import Source
from reconciler.model.errors import PlanOutdated, ServiceError, UsageError
from reconciler.model.request import Instance, Lifecycle, Request, canonical_json
from state.errors import StateLocked
from state.records import AttemptRecord, Phase
from tests.campaign.simulation.process import Process
from tests.campaign.simulation.world import START, Killed, SimRun, Store, World

SPEC = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
_SOURCE = Source("reconciler.toml")
_CALM_APPLIES = 8


@dataclass(slots=True)
class Outcome:
    """What became of one schedule. ``violations`` in words; ``digest`` of the whole trace."""

    violations: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    bought: int = 0
    ordered: int = 0  # runs that had to wait for others
    decided: Counter[str] = field(default_factory=Counter)  # what a person was asked for

    @property
    def digest(self) -> str:
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()


def run_schedule(seed: int, tally: Counter[tuple[str, str]], *, traced: bool = False) -> Outcome:
    """Run one schedule to its end."""
    outcome = Outcome()
    chance = random.Random(seed)
    world = World(chance, tally, outcome.trace if traced else None)
    store = Store("https://df-api.dataframer.ai", lineage="simulated", created_at=world.text())
    store.world = world
    _Schedule(world, store, outcome).run()
    outcome.bought = sum(1 for run in world.runs if run.origin)
    return outcome


class _Schedule:
    def __init__(self, world: World, store: Store, outcome: Outcome) -> None:
        self.world = world
        self.store = store
        self.outcome = outcome
        self.chance = world.random
        self.instances: list[Instance] = []

    def run(self) -> None:
        self._declare()
        if self.chance.random() < 0.15:  # a neighbour was there a moment before
            self.world.execute(self.instances[0].request.body(), None)
            self.world.pass_time(self.chance.uniform(1.0, 200.0))
        for _ in range(self.chance.choice((1, 1, 2, 3))):
            self._round()
            self._check_nothing_is_hidden()
            self.world.pass_time(self.chance.choice((1.0, 30.0, 90.0, 400.0, 1000.0)) * self.chance.random())
            if self.chance.random() < 0.25:
                self._edit()
        self._calm()
        self._audit()

    def _declare(self) -> None:
        same = self.chance.random() < 0.4
        for number in range(self.chance.choice((1, 2, 2, 3))):
            body: dict[str, object] = {"spec_id": SPEC, "number_of_samples": 10 if same else 10 + number}
            if self.chance.random() < 0.7:  # else it declares fewer fields, so that more runs fit
                body["generation_model"] = "anthropic/claude-haiku-4-5"
            if self.chance.random() < 0.2:
                body["tools"] = ["calculator"]
            address = Address(f"run.r{number}")
            after = self.instances[-1:] if self.chance.random() < 0.2 else []
            depends_on = tuple(instance.address for instance in after)
            self.instances.append(Instance(address, Request.of(body), Lifecycle(), _SOURCE, depends_on=depends_on))
            self.world.told(f"declared: {address} {body} after {depends_on}")

    def _edit(self) -> None:
        place = int(self.chance.random() * len(self.instances))
        before = self.instances[place]
        samples = self.chance.choice((10, 11, 12, 20))
        request = before.request.having("number_of_samples", samples)
        self.instances[place] = replace(before, request=request)
        self.world.told(f"edited: {before.address} wants {samples}")

    def _round(self) -> None:
        """One process, killed somewhere or not; perhaps another one with a plan of before, or at the same time."""
        world, chance = self.world, self.chance
        world.lag = chance.uniform(1.0, 120.0) if chance.random() < 0.15 else 0.0
        parallelism = chance.choice((1, 2, 4))
        other = None
        if chance.random() < 0.2:
            second = Process(world, self.store, parallelism)
            try:
                other = second, second.plan(self.instances)
            except ServiceError:
                other = None
        if chance.random() < 0.2:
            world.while_sending = self._intrude
        world.kill_after = 1 + int(chance.random() * 30) if chance.random() < 0.45 else 0
        self._process(Process(world, self.store, parallelism))
        world.while_sending = None
        if other is not None:
            process, plan = other
            world.met("a plan of before", "no submission")
            world.kill_after = 1 + int(chance.random() * 15) if chance.random() < 0.2 else 0
            try:
                process.apply(plan)
            except Killed:
                world.told("killed")
            except (ServiceError, PlanOutdated) as problem:
                world.told(f"apply of an old plan: {problem}")
        world.kill_after, world.lag = 0, 0.0

    def _process(self, process: Process) -> None:
        try:
            report = process.apply(process.plan(self.instances))
        except Killed:
            self.world.told("killed")
        except ServiceError as problem:
            self.world.told(f"apply: {problem}")
        else:
            self.world.told(f"apply: {len(report.unsettled)} unsettled, {report.stopped or 'not stopped'}")

    def _intrude(self) -> None:
        """Somebody else applies while this one is sending: the lock keeps him out."""
        world, before = self.world, self.world.kill_after
        world.kill_after = 0
        world.met("two appliers", "SENDING")
        sending = world.sending
        process = Process(world, self.store)
        try:
            process.apply(process.plan(self.instances))
        except StateLocked:
            world.told("the other one is locked out")
        else:
            self._violated("two appliers at once")
        world.kill_after, world.sending = before, sending

    def _calm(self) -> None:
        """Good weather, time enough, and a person who knows what really happened."""
        world = self.world
        world.calm = True
        for _ in range(_CALM_APPLIES):
            world.pass_time(1000.0)
            process = Process(world, self.store)
            plan = process.plan(self.instances)
            if not plan.has_changes and not self.store.snapshot().open:
                return
            try:
                process.apply(plan)
            except PlanOutdated as problem:
                world.told(f"apply: {problem}")
            for address, attempt in self.store.snapshot().open.items():
                world.pass_time(1000.0)
                self._decide(process, address, attempt)
        self._violated("never converges")

    def _decide(self, process: Process, address: str, attempt: AttemptRecord) -> None:
        """The person looks at the service's own books."""
        mine = self._made_by(attempt)
        owned = {other.run_id for other in self.store.attempts() if not other.provisional}
        alike = [
            run for run in self.world.runs if run.origin and run.id not in owned and mine and run.body == mine.body
        ]
        right = mine if mine and mine.id not in owned else (alike[0] if alike else None)
        if right is not None:
            decision: Adopt | Resubmit | Abandon = Adopt(right.id)
        else:
            decision = Resubmit()
        try:
            said = process.resolve(address, decision)
        except UsageError as problem:
            self.world.told(f"resolve {address}: {problem}")
            self.outcome.decided["refused"] += 1
        else:
            self.world.told(f"resolve {address}: {said}")
            self.outcome.decided[type(decision).__name__] += 1

    def _made_by(self, attempt: AttemptRecord) -> SimRun | None:
        runs = (run for run in self.world.runs if run.origin and run.origin.attempt_id == attempt.attempt_id)
        return next(runs, None)

    def _check_nothing_is_hidden(self) -> None:
        """A run of ours that nobody owns yet stands behind a submission that is shown as open."""
        owned = {attempt.run_id for attempt in self.store.attempts()}
        shown = self.store.snapshot().open
        for run in self.world.runs:
            if run.origin and run.id not in owned and run.origin.address not in shown:
                alike = any(attempt.sent_json and run.body == _sent(attempt) for attempt in shown.values())
                if not alike:
                    self._violated(f"{run.id} of {run.origin.address} is lost without being shown")

    def _audit(self) -> None:
        attempts = self.store.attempts()
        owner = {attempt.run_id: attempt for attempt in attempts if attempt.run_id}
        # Submissions with identical bodies can't be told apart, so they are counted together. A run that was cancelled
        # for a successor does not count: who wants it back has to buy it again.
        asked = Counter(body for body, _, _ in {(a.sent_json, a.address, a.request_digest) for a in attempts})
        bought = Counter(canonical_json(run.body) for run in self.world.runs if run.origin and not run.canceled)
        for body, count in bought.items():
            if count > asked[body]:
                self._violated(f"bought {count} times, wanted {asked[body]} times: {body}")
        for run in self.world.runs:
            if run.origin and run.id not in owner:
                self._violated(f"{run.id} of {run.origin.address} is lost")
            if run.id in owner and _sent(owner[run.id]) != run.body and not _covers(run, owner[run.id]):
                self._violated(f"{run.id} is recorded for {owner[run.id].address}, which asked for something else")
        for attempt in attempts:
            baseline = self.store.baseline(attempt.baseline_id) if attempt.baseline_id else None
            if baseline and attempt.run_id and attempt.run_id in json.loads(baseline.run_ids_json):
                self._violated(f"{attempt.address} was given {attempt.run_id}, which was there before")
        self._audit_order()
        snapshot = self.store.snapshot()
        for owed in snapshot.owed:
            run = next(run for run in self.world.runs if run.id == owed.run_id)
            if run.status(self.world.now) in ("PENDING", "PROCESSING"):
                self._violated(f"the cancel of {owed.run_id} is owed for ever")
        for attempt in attempts:
            if attempt.phase in (Phase.SENDING, Phase.UNKNOWN):
                self._violated(f"{attempt.address} stays unknown")

    def _audit_order(self) -> None:
        """Nothing was bought for an address before a run of what it depends on had SUCCEEDED."""
        runs = {run.id: run for run in self.world.runs}
        recorded: dict[str, list[SimRun]] = {}
        for attempt in self.store.attempts():
            if attempt.run_id in runs:
                recorded.setdefault(attempt.address, []).append(runs[attempt.run_id])
        for instance in self.instances:
            for address in instance.depends_on:
                before = [run for run in recorded.get(address, ()) if run.outcome == "SUCCEEDED" and not run.canceled]
                first = min((run.ends for run in before), default=float("inf"))
                for run in recorded.get(instance.address, ()):
                    self.outcome.ordered += run.origin is not None
                    if run.origin and run.created < first:
                        self._violated(f"{run.id} of {instance.address} was bought before {address} had SUCCEEDED")

    def _violated(self, what: str) -> None:
        self.outcome.violations.append(f"at {self.world.now - START:.0f} s: {what}")
        self.world.told(f"VIOLATION: {what}")


def _sent(attempt: AttemptRecord) -> object:
    return json.loads(attempt.sent_json)


def _covers(run: SimRun, attempt: AttemptRecord) -> bool:
    """Whether what a run reports agrees with every field that an attempt sent."""
    sent = _sent(attempt)
    assert isinstance(sent, dict)
    model = run.model or run.body.get("generation_model", "default")
    reported = {**run.body, "generation_model": model, "tools": run.body.get("tools", [])}
    return all(reported.get(name) == value for name, value in sent.items())
