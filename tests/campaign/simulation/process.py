"""One simulated process: the product's planning, applying, settling and resolving over a simulated world."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from reconciler.applying.apply import apply
from reconciler.applying.author import Author
from reconciler.applying.interruption import Interruption
from reconciler.applying.record import Recorder
from reconciler.applying.resolve import Decision, resolve
from reconciler.applying.sending import Sender
from reconciler.applying.settle import Examiner, Settler, foresee
from reconciler.applying.settling import Patience
from reconciler.applying.submission import Commit, Committed, Event, Pace, Replied, Send, Tick, Wave, together
from reconciler.applying.tools import Options, Tools
from reconciler.dataframer.client import Client, Listing
from reconciler.model.events import Report
from reconciler.model.plan import Plan
from reconciler.model.request import Instance
from reconciler.planning.diff import diff, needs_history
from reconciler.planning.order import order
from reconciler.planning.refresh import fetch, lay_over, refresh, unanswered
from tests.campaign.simulation.world import Killed, Network, Origin, Store, World


def _no_rescue(attempt: object, run_id: str) -> str:
    raise AssertionError("the memory store never refuses a write")


_TIMEOUT = 60.0
_BASE_URL = "https://df-api.dataframer.ai"


@dataclass(slots=True)
class Process:
    """Everything that one run of the command line holds in memory."""

    world: World
    store: Store
    parallelism: int = 2
    patience: Patience = field(default_factory=Patience)
    client: Client = field(init=False)
    recorder: Recorder = field(init=False)
    examiner: Examiner = field(init=False)
    _origins: dict[str, Origin] = field(default_factory=dict)

    def __post_init__(self) -> None:
        world = self.world
        self.client = Client(Network(world), world.sleep)
        self.recorder = Recorder(self.store, Author("apply", "ada", "laptop"), world.text)
        self.examiner = Examiner(self.store, self.client, self.patience, _TIMEOUT, world.time)

    def plan(self, instances: Sequence[Instance]) -> Plan:
        """As the pipeline plans: refresh, settle in memory, decide."""
        client, store = self.client, self.store
        snapshot = store.snapshot()
        observed = refresh(client, snapshot, self.world.text())
        if snapshot.open and observed.listed is not None:
            snapshot = foresee(snapshot, self.examiner.examine(snapshot, Listing(observed.listed, None)))
        recorded = lay_over(snapshot, (), observed, False)
        needy = [*needs_history(instances, recorded), *(owed.address for owed in snapshot.owed)]
        history = store.attempts(needy) if needy else []
        if history:
            recorded = lay_over(snapshot, history, observed, False)
        wanted = unanswered([item for item in instances if item.address in needy], recorded, observed)
        if wanted:
            recorded = lay_over(snapshot, history, fetch(client, observed, wanted), False)
        decisions = order(diff(instances, recorded), instances)
        meta = snapshot.meta
        return Plan(
            f"plan-{self.world.random.getrandbits(64)}", "0", self.world.text(), _BASE_URL, meta.lineage, meta.serial,
            True, decisions.actions, decisions.unchanged, decisions.unmet, decisions.drift,
        )  # fmt: skip

    def apply(self, plan: Plan) -> Report:
        """``apply --no-wait``."""
        world = self.world
        sender = Sender(
            self.client, self.recorder, _TIMEOUT, lambda ref: "", lambda event: None, _no_rescue, world.time
        )
        settler = Settler(self.examiner, self.recorder)
        tools = Tools(
            self.store, self.client, self.recorder, sender, settler, Interruption(), lambda event: None, world.text,
            drive=self._drive, random=random.Random(world.random.random()),
        )  # fmt: skip
        unknown = bool(self.store.snapshot().open)
        return apply(plan, tools, Options(Pace(self.parallelism), wait_seconds=0, unknown=unknown))

    def resolve(self, pattern: str, decision: Decision) -> list[str]:
        """As ``reconciler resolve``."""
        with self.store.lock("resolve"):
            return resolve(pattern, decision, self.examiner, self.recorder)

    def _drive(self, wave: Wave, sender: Sender, interruption: Interruption) -> None:
        """Perform effects one after another, in an order that the seed picks; what the wave waits for comes at once."""
        world = self.world
        for attempt in self.store.attempts():
            self._origins[attempt.attempt_id] = Origin(attempt.address, attempt.attempt_id, attempt.request_digest)
        effects = together(wave.handle(Tick(), world.now))
        try:
            while not wave.finished:
                if effects:
                    effect = effects.pop(int(world.random.random() * len(effects)))
                    for event in self._perform(effect, sender):
                        effects += together(wave.handle(event, world.now))
                    continue
                wake = wave.wake_at()
                assert wake is not None, "the wave waits for nothing"
                world.pass_time(max(wake - world.now, 0.0))
                effects += together(wave.handle(Tick(), world.now))
        except Killed:
            self._leave(effects, sender)
            raise

    def _perform(self, effect: tuple[Commit, ...] | Send, sender: Sender) -> Sequence[Event]:
        if isinstance(effect, Send):
            self.world.sending = self._origins[effect.attempt_id]
            return [Replied(effect.attempt_id, sender.send(effect.attempt_id))]
        sender.commit(*effect)
        return [Committed(commit.attempt_id, commit.phase) for commit in effect]

    def _leave(self, effects: Sequence[tuple[Commit, ...] | Send], sender: Sender) -> None:
        """Threads of a killed process may have had their requests on the wire."""
        world = self.world
        for effect in effects:
            if isinstance(effect, Send) and world.random.random() < 0.5:
                world.met("killed with another on the wire", "SENDING")
                world.run_later(dict(sender.body(effect.attempt_id)), self._origins[effect.attempt_id])
