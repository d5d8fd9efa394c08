"""Plans, applies, crashes, edits and outside events in any order: a Hypothesis state machine over the simulated world.

``CAMPAIGN_EXAMPLES=5000 pytest tests/campaign/test_machine.py`` is the long form, with sequences of its own each time.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Phases
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from reconciler.applying.resolve import Abandon, Adopt, Decision, Resubmit
from reconciler.applying.settle import Settler
from reconciler.model.address import Address
from reconciler.model.diagnostics import Source
from reconciler.model.errors import PlanOutdated, ServiceError, UsageError
from reconciler.model.events import Report
from reconciler.model.plan import Plan
from reconciler.model.request import Instance, Lifecycle, Request, canonical_json
from state.records import AttemptRecord, Phase
from tests.campaign.simulation.process import Process
from tests.campaign.simulation.world import CREATE_FAULTS, Killed, SimRun, Store
from tests.campaign.weather import Watched, Weather

_SPEC = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
_URL = "https://df-api.dataframer.ai"
_ROUNDS = 10  # so many calm applies are enough for anything to converge

ADDRESSES = tuple(Address(f"run.r{number}") for number in range(3))
FAULTS = st.lists(st.sampled_from(sorted(CREATE_FAULTS)), max_size=5)
KILLS = st.one_of(st.just(0), st.just(0), st.integers(1, 40))  # at which step the process is killed; 0: it is not
SAMPLES = st.sampled_from((10, 10, 11))  # few values, so that bodies of different addresses are often equal
MODELS = st.sampled_from((None, "anthropic/claude-haiku-4-5"))
PLACES = st.integers(0, 50)


class Machine(RuleBasedStateMachine):
    """One state, one account, up to three declared runs; what a person decided is remembered on the side."""

    @initialize(seed=st.integers(0, 2**32), samples=st.lists(SAMPLES, min_size=1, max_size=3), model=MODELS)
    def begin(self, seed: int, samples: list[int], model: str | None) -> None:
        self.weather = Weather(seed)
        self.world = Watched(self.weather, Counter())
        self.store = Store(_URL, lineage="machine", created_at=self.world.text())
        self.store.world = self.world
        self.world.watch = self.before_the_first_byte
        self.declared: dict[Address, Instance] = {}
        self.undeclared: dict[Address, Instance] = {}
        self.most: dict[str, int] = {}  # how often a request of an address may be bought, where not once
        self.saved: Plan | None = None
        self.serial = 0
        self.owned: dict[str, str] = {}  # attempt id -> run id, for good
        self.given_up: set[tuple[str, str]] = set()  # (address, request digest)
        self.asked_again: set[str] = set()  # attempt ids that a person wants sent again
        for address, wanted in zip(ADDRESSES, samples, strict=False):
            body: dict[str, object] = {"spec_id": _SPEC, "number_of_samples": wanted}
            body |= {"generation_model": model} if model and address != ADDRESSES[0] else {}
            self.declared[address] = Instance(address, Request.of(body), Lifecycle(), Source("reconciler.toml"))

    # -- commands, each in a process of its own --------------------------------------------------------------------

    @rule(faults=FAULTS, kill=KILLS, lag=st.sampled_from((0.0, 0.0, 30.0)), parallelism=st.sampled_from((1, 2, 4)))
    def apply(self, faults: list[str], kill: int, lag: float, parallelism: int) -> None:
        report: Report | None = None
        with self.process(faults, kill, lag, parallelism) as process:
            report = process.apply(process.plan(self.wanted))
        if report is not None and not report.failures and not report.unsettled:
            again = Process(self.world, self.store).plan(self.wanted)
            assert [action.address for action in again.actions if action.buys] == [], "a plan after an apply buys"

    @rule()
    def plan(self) -> None:
        """A plan that is saved and applied some time; planning itself leaves the state alone."""
        before = self.store.meta().serial
        self.saved = Process(self.world, self.store).plan(self.wanted)
        assert self.store.meta().serial == before

    @precondition(lambda self: self.saved is not None)
    @rule(faults=FAULTS, kill=KILLS)
    def apply_the_saved_plan(self, faults: list[str], kill: int) -> None:
        assert self.saved is not None
        with self.process(faults, kill) as process:
            process.apply(self.saved)

    @rule(kill=KILLS, lag=st.sampled_from((0.0, 60.0)))
    def settle(self, kill: int, lag: float) -> None:
        with self.process((), kill, lag) as process, self.store.lock("refresh"):
            Settler(process.examiner, process.recorder).settle()

    @rule(place=PLACES, kill=KILLS, glob=st.booleans())
    def resolve(self, place: int, kill: int, glob: bool) -> None:
        """A person who knows the service's books, and may ask too early."""
        opened = list(self.store.snapshot().open.values())
        if opened:
            attempt = opened[place % len(opened)]
            decision = self.truth(attempt)
            everywhere = glob and isinstance(decision, Resubmit)
            self.decide("run.*" if everywhere else attempt.address, decision, kill)

    @rule(place=PLACES)
    def give_up(self, place: int) -> None:
        opened = list(self.store.snapshot().open.values())
        if opened:
            self.decide(opened[place % len(opened)].address, Abandon(), 0)

    @rule()
    def restart(self) -> None:
        """Whatever was only in memory is gone."""
        self.saved = None
        self.world.pass_time(60.0)

    # -- people and events outside ---------------------------------------------------------------------------------

    @rule(place=PLACES, samples=SAMPLES)
    def edit(self, place: int, samples: int) -> None:
        address = list(self.declared)[place % len(self.declared)]
        before = self.declared[address]
        self.declared[address] = replace(before, request=before.request.having("number_of_samples", samples))

    @rule(place=PLACES)
    def raise_rerun(self, place: int) -> None:
        address = list(self.declared)[place % len(self.declared)]
        before = self.declared[address]
        self.declared[address] = replace(before, request=replace(before.request, rerun=before.request.rerun + 1))

    @rule(place=PLACES)
    def allow_a_retry(self, place: int) -> None:
        address = list(self.declared)[place % len(self.declared)]
        self.most[address] = 2
        self.declared[address] = replace(self.declared[address], lifecycle=Lifecycle(max_attempts=2))

    @precondition(lambda self: len(self.declared) > 1)
    @rule(place=PLACES)
    def remove(self, place: int) -> None:
        address = list(self.declared)[place % len(self.declared)]
        self.undeclared[address] = self.declared.pop(address)

    @precondition(lambda self: bool(self.undeclared))
    @rule()
    def declare_again(self) -> None:
        self.declared |= self.undeclared
        self.undeclared = {}

    @rule(seconds=st.sampled_from((1.0, 40.0, 100.0, 700.0, 1000.0)))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(place=PLACES)
    def a_neighbour_buys(self, place: int) -> None:
        self.world.execute(self.wanted[place % len(self.wanted)].request.body(), None)

    @rule(place=PLACES)
    def a_run_fails(self, place: int) -> None:
        for run in self.working(place):
            run.outcome, run.ends = "FAILED", self.world.now

    @rule(place=PLACES)
    def a_run_is_cancelled_outside(self, place: int) -> None:
        for run in self.working(place):
            run.canceled = True

    # -- what must hold --------------------------------------------------------------------------------------------

    def before_the_first_byte(self) -> None:
        origin = self.world.sending
        assert origin is not None
        attempts = {attempt.attempt_id: attempt for attempt in self.store.attempts([origin.address])}
        mine = attempts[origin.attempt_id]
        blocking = [
            other.attempt_id for other in attempts.values() if other.phase is Phase.UNKNOWN or other.provisional
        ]
        assert mine.phase is Phase.SENDING, f"{origin.address} is sent as {mine.phase}"
        assert blocking == [], f"{origin.address} is bought although a submission of it is open"
        assert (origin.address, origin.digest) not in self.given_up, f"{origin.address} was given up"
        once_unknown = any(entry.phase is Phase.UNKNOWN for entry in self.store.journal(origin.attempt_id))
        assert not once_unknown or origin.attempt_id in self.asked_again, f"nobody asked for {origin.address} again"

    @invariant()
    def nothing_is_bought_twice(self) -> None:
        attempts = self.store.attempts()
        sent = Counter(attempt.sent_json for attempt in attempts)
        asked: Counter[str] = Counter()
        for body, address, _ in {(a.sent_json, a.address, a.request_digest) for a in attempts}:
            asked[body] += self.most.get(address, 1)
        bought = Counter(canonical_json(run.body) for run in self.ours())
        kept = Counter(canonical_json(run.body) for run in self.ours() if not run.canceled)
        assert {body: count for body, count in bought.items() if count > sent[body]} == {}
        assert {body: count for body, count in kept.items() if count > asked[body]} == {}

    @invariant()
    def nothing_is_lost_without_being_shown(self) -> None:
        owned = {attempt.run_id for attempt in self.store.attempts()}
        shown = self.store.snapshot().open
        bodies = [json.loads(attempt.sent_json) for attempt in shown.values()]
        abandoned = [json.loads(a.sent_json) for a in self.store.attempts() if a.phase is Phase.ABANDONED]
        for run in self.ours():
            assert run.origin is not None
            # Of submissions with the same body it is not known whose run it is: who gives up one gives up its run.
            decided = run.body in abandoned
            assert run.id in owned or run.origin.address in shown or run.body in bodies or decided, f"{run.id} is lost"

    @invariant()
    def attempts_never_lose_a_run(self) -> None:
        attempts = {attempt.attempt_id: attempt for attempt in self.store.attempts()}
        for attempt_id, run_id in self.owned.items():
            assert attempts[attempt_id].run_id == run_id
        self.owned |= {key: a.run_id for key, a in attempts.items() if a.run_id and not a.provisional}
        holders = Counter(attempt.run_id for attempt in attempts.values() if attempt.run_id)
        assert {run_id: count for run_id, count in holders.items() if count > 1} == {}

    @invariant()
    def the_serial_never_falls(self) -> None:
        serial = self.store.meta().serial
        assert serial >= self.serial
        self.serial = serial

    def teardown(self) -> None:
        """Fair weather, time enough, and a person who knows the books: everything comes to rest."""
        self.weather.faults = ()
        for _ in range(_ROUNDS):
            self.world.pass_time(1000.0)
            process = Process(self.world, self.store)
            plan = process.plan(self.wanted)
            if not plan.has_changes and not self.store.snapshot().open:
                break
            process.apply(plan)
            for attempt in self.store.snapshot().open.values():
                self.world.pass_time(1000.0)
                self.decide(attempt.address, self.truth(attempt), 0)
        else:
            raise AssertionError("never converges")
        self.nothing_is_bought_twice()
        self.nothing_is_lost_without_being_shown()
        self.attempts_never_lose_a_run()
        working = {run.id for run in self.world.runs if run.status(self.world.now) in ("PENDING", "PROCESSING")}
        assert [owed.run_id for owed in self.store.snapshot().owed if owed.run_id in working] == []

    # -- helpers ---------------------------------------------------------------------------------------------------

    @property
    def wanted(self) -> list[Instance]:
        return list(self.declared.values())

    def ours(self) -> list[SimRun]:
        return [run for run in self.world.runs if run.origin]

    def working(self, place: int) -> list[SimRun]:
        """One run of ours that works, or none."""
        found = [run for run in self.ours() if run.status(self.world.now) in ("PENDING", "PROCESSING")]
        return [found[place % len(found)]] if found else []

    def truth(self, attempt: AttemptRecord) -> Decision:
        """What really became of a submission; of runs that can't be told apart, any that nobody has."""
        owned = {other.run_id for other in self.store.attempts() if not other.provisional}
        free = [run for run in self.ours() if run.id not in owned and run.body == json.loads(attempt.sent_json)]
        free.sort(key=lambda run: run.origin is None or run.origin.attempt_id != attempt.attempt_id)
        return Adopt(free[0].id) if free else Resubmit()

    def decide(self, pattern: str, decision: Decision, kill: int) -> None:
        named = [attempt for attempt in self.store.snapshot().open.values() if pattern in (attempt.address, "run.*")]
        with self.process((), kill) as process:
            process.resolve(pattern, decision)
        phases = {attempt.attempt_id: attempt.phase for attempt in self.store.attempts()}
        for attempt in named:
            if phases[attempt.attempt_id] is Phase.PREPARED:
                self.asked_again.add(attempt.attempt_id)
            elif phases[attempt.attempt_id] is Phase.ABANDONED:
                self.given_up.add((attempt.address, attempt.request_digest))

    @contextmanager
    def process(self, faults: Sequence[str], kill: int, lag: float = 0.0, parallelism: int = 2) -> Iterator[Process]:
        """One run of the command line in this weather; what ends it is part of the game."""
        self.weather.faults = faults
        self.world.kill_after, self.world.lag = kill, lag
        try:
            yield Process(self.world, self.store, parallelism)
        except (Killed, ServiceError, PlanOutdated, UsageError):
            pass
        finally:
            self.world.kill_after, self.world.lag, self.weather.faults = 0, 0.0, ()


_EXAMPLES = int(os.environ.get("CAMPAIGN_EXAMPLES", "0"))
TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=_EXAMPLES or 300,
    stateful_step_count=40,
    derandomize=not _EXAMPLES,
    # To shrink what fails takes minutes, more than a test may: the long form does it.
    phases=tuple(Phases) if _EXAMPLES else (Phases.generate,),
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestMachine.pytestmark = [pytest.mark.timeout(0 if _EXAMPLES else 200)]
