"""A few declared runs on the simulated service, in weather that the test picks: whole applies, no threads or disk."""

from __future__ import annotations

from collections import Counter

from reconciler.applying.resolve import Decision
from reconciler.applying.settle import Settler
from reconciler.model.address import Address
from reconciler.model.diagnostics import Source
from reconciler.model.events import Report
from reconciler.model.plan import Plan
from reconciler.model.request import Instance, Lifecycle, Request
from state.records import AttemptRecord, Phase
from tests.campaign.simulation.process import Process
from tests.campaign.simulation.world import Killed, SimRun, Store
from tests.campaign.weather import Watched, Weather

SPEC = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
MODEL = "anthropic/claude-haiku-4-5"
DEAD = 1000.0  # seconds; longer than the dead time


class Scene:
    """``run.r0`` with the first number of samples, ``run.r1`` with the second, …"""

    def __init__(self, *samples: int) -> None:
        self.weather = Weather(1)
        self.world = Watched(self.weather, Counter())
        self.store = Store("https://df-api.dataframer.ai", lineage="scene", created_at=self.world.text())
        self.store.world = self.world
        self.declared: dict[str, Instance] = {}
        self.declare(*samples)

    def declare(self, *samples: int) -> None:
        for number, wanted in enumerate(samples):
            request = Request.of({"spec_id": SPEC, "number_of_samples": wanted, "generation_model": MODEL})
            address = Address(f"run.r{number}")
            self.declared[address] = Instance(address, request, Lifecycle(), Source("reconciler.toml"))

    def plan(self) -> Plan:
        return self.process().plan(list(self.declared.values()))

    def apply(self, *faults: str, kill: int = 0, lag: float = 0.0) -> Report | None:
        """Plan and apply in a process of its own; None where it was killed."""
        self.weather.faults, self.world.kill_after, self.world.lag = faults, kill, lag
        try:
            process = self.process()
            return process.apply(process.plan(list(self.declared.values())))
        except Killed:
            return None
        finally:
            self.weather.faults, self.world.kill_after, self.world.lag = (), 0, 0.0

    def settle(self) -> None:
        """One pass over what is unknown, under the lock, as every apply begins."""
        process = self.process()
        with self.store.lock("settle"):
            Settler(process.examiner, process.recorder).settle()

    def resolve(self, pattern: str, decision: Decision) -> list[str]:
        return self.process().resolve(pattern, decision)

    def process(self) -> Process:
        return Process(self.world, self.store)

    def attempt(self, address: str = "run.r0") -> AttemptRecord:
        """The newest of an address."""
        return self.store.attempts([address])[-1]

    def journal(self, address: str = "run.r0") -> list[Phase]:
        """The phases of the newest attempt of an address, in order."""
        return [entry.phase for entry in self.store.journal(self.attempt(address).attempt_id)]

    @property
    def bought(self) -> list[SimRun]:
        """Runs of ours."""
        return [run for run in self.world.runs if run.origin]

    def standing(self, report: Report | None) -> dict[str, str]:
        """What an apply could not settle, by address."""
        assert report is not None
        return {item.address: item.outlook.standing for item in report.unsettled}

    def owed(self) -> list[str]:
        return [owed.run_id for owed in self.store.snapshot().owed]

    def keep_working(self) -> None:
        """No run comes to rest by itself."""
        for run in self.world.runs:
            run.ends = float("inf")
