"""Submitting a plan's purchases, wave after wave, under the state's lock."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.applying.follow import Follower, Target
from reconciler.applying.preconditions import DONE, Fresh, check_action, unforeseen
from reconciler.applying.record import Prepared
from reconciler.applying.standing import unfinished
from reconciler.applying.submission import Wave
from reconciler.applying.tools import Options, Teller, Tools
from reconciler.dataframer.observation import observation
from reconciler.model.changes import Action, Kind, declared_request
from reconciler.model.errors import PlanError
from reconciler.model.events import Failed, Started, Told
from reconciler.model.plan import Plan
from reconciler.model.request import Lifecycle
from reconciler.model.run import Run, RunStatus, is_final
from state.records import UNTRACKED, AttemptRecord, Phase, Snapshot

_NEWEST = 1_000  # runs; more are hardly bought between a plan and its apply


class Purchases:
    """What is bought, and what waits: for room (``max_active``), or for other runs (``depends_on``)."""

    def __init__(self, plan: Plan, tools: Tools, options: Options, teller: Teller, follower: Follower) -> None:
        self._plan = plan
        self._tools = tools
        self._limit = options.max_active
        self._pace = options.pace
        self._teller = teller
        self._follower = follower
        self._guarded = False
        self._elsewhere: dict[str, AttemptRecord] = {}  # by what was asked for
        self._pending: set[str] = set()  # addresses whose runs are not bought yet
        self._open: frozenset[str] = frozenset()  # addresses whose submissions were not certain at the last look
        self.unknown: dict[str, Kind] = {}  # by attempt id: what was submitted, and nobody knows

    def begin(self, actions: Sequence[Action]) -> None:
        """These are to be bought."""
        self._pending = {action.address for action in actions}

    def bought(self, address: str) -> None:
        """The run of an address is certain by now."""
        self._pending.discard(address)

    def wave(self, actions: Sequence[Action]) -> list[Action]:
        """Submit those that are ready, as many as there is room for; returns what has to wait. What would wait in vain
        is told as deferred.
        """
        tools = self._tools
        fresh = self.look(actions)
        room = max(self._limit - unfinished(fresh.snapshot), 0) if self._limit else len(actions)
        self._be_sure(actions, fresh)
        self._elsewhere = unforeseen(fresh.snapshot, tools.store.newest_runs(_NEWEST), self._plan)
        sound = [action for action in actions if self.sound(action, fresh)]
        self._open = frozenset(fresh.snapshot.open)
        ready, waiting = self._sorted(sound, fresh.snapshot)
        batch = ready[:room]
        if batch:
            for action in batch:
                tools.tell(Started(action))
            known = set(fresh.snapshot.instances)
            self._submit(tools.recorder.prepare(batch, fresh.listing, fresh.history, known))
        return ready[room:] + waiting

    def is_time(self, waiting: Sequence[Action], active: int) -> bool:
        """Whether one of those that wait may be ready by now. ``active``: how many runs are followed."""
        if self._limit and active >= self._limit:
            return False
        followed = self._open.union(target.address for target in self._follower.active.values())
        return any(followed.isdisjoint(names) for names in {id(a.depends_on): a.depends_on for a in waiting}.values())

    def _sorted(self, actions: Sequence[Action], snapshot: Snapshot) -> tuple[list[Action], list[Action]]:
        """What is ready, and what may become so."""
        ready, waiting = list[Action](), list[Action]()
        hopeful: set[str] = set()
        looked: dict[int, tuple[bool, str | None]] = {}  # instances of a declaration share what they depend on
        for action in sorted(actions, key=lambda action: action.wave):
            key = id(action.depends_on)
            if key not in looked:
                missing = [address for address in action.depends_on if not self._succeeded(address, snapshot)]
                vain = (one for one in missing if one not in hopeful and not _may_succeed(one, snapshot))
                looked[key] = bool(missing), next(vain, None)
            waits, in_vain = looked[key]
            if in_vain is not None:
                said = f"not submitted: it depends on {in_vain}, which {_standing(in_vain, snapshot)}"
                self._teller.failed(action, "deferred", f"{said}; the next apply goes on once that SUCCEEDED")
                continue
            hopeful.add(action.address)
            (waiting if waits else ready).append(action)
        return ready, waiting

    def _succeeded(self, address: str, snapshot: Snapshot) -> bool:
        attempt, record = snapshot.current.get(address), snapshot.instances.get(address)
        if attempt is None or record is None or address in self._pending or address in snapshot.open:
            return False
        least = Lifecycle.from_json(record.lifecycle_json).min_samples
        return attempt.status == RunStatus.SUCCEEDED and (attempt.samples_completed or 0) >= least

    def _be_sure(self, actions: Sequence[Action], fresh: Fresh) -> None:
        """Where the state may have lost runs, buy nothing that the service has already. Raises PlanError."""
        if self._guarded and not fresh.snapshot.restarted:
            return
        guard = self._tools.guard(fresh.snapshot)  # a state may be set back between two waves as well
        if guard is None:
            return
        found = guard(actions, fresh.listing, self._tools.settler.spoken_for())
        if found:
            raise PlanError(found)
        # A consent stays one: the runs that it is about are there after the next restart of the database, too.
        said = fresh.snapshot.marks.get(UNTRACKED)
        consented = said is not None and said.value == "fresh"
        self._tools.recorder.mark(
            UNTRACKED, "fresh" if consented else "passed", said.at if said and consented else None
        )
        self._guarded = True

    def _submit(self, prepared: list[Prepared]) -> None:
        tools = self._tools
        wave = Wave([item.attempt.attempt_id for item in prepared], self._pace, tools.random)
        tools.sender.take(prepared)
        tools.drive(wave, tools.sender, tools.interruption)
        self._teller.report.stopped = self._teller.report.stopped or wave.stopped
        for item in prepared:
            attempt_id, action = item.attempt.attempt_id, item.action
            why = wave.notes.get(attempt_id, "")
            match wave.outcomes.get(attempt_id):
                case Phase.ACCEPTED:
                    run = tools.sender.accepted[attempt_id]
                    self.bought(action.address)
                    self._teller.report.count(action.kind)
                    self._follower.add([target(action, run.id)])
                case Phase.REJECTED:
                    self._teller.failed(action, "rejected", f"the service refused it: {why}")
                case Phase.UNKNOWN:
                    self.unknown[attempt_id] = action.kind
                    self._tools.tell(
                        Failed(action.address, "unknown", f"nobody knows yet whether it was bought: {why}")
                    )
                case _:
                    trouble = "error" if wave.unreachable else "deferred"
                    self._teller.failed(action, trouble, f"not submitted: {wave.stopped or why}; apply again")

    def look(self, actions: Sequence[Action]) -> Fresh:
        """One list call under the lock: the baseline, and what preconditions are held against."""
        tools = self._tools
        listing, snapshot = tools.client.list_runs(), tools.store.snapshot()
        listed = {run.id: run for run in listing.runs}
        at = tools.now()
        tracked = [attempt.run_id for attempt in snapshot.current.values() if attempt.run_id in listed]
        tools.recorder.observe([observation(listed[run_id], at) for run_id in tracked if run_id])
        runs: dict[str, Run | None] = dict(listed)
        for action in actions:
            run_id = action.precondition.run_id
            if run_id is not None and run_id not in runs:
                runs[run_id] = tools.client.get_run(run_id)
        buying = [action.address for action in actions if action.buys]
        return Fresh(tools.store.snapshot(), listing, runs, tools.store.attempts(buying) if buying else ())

    def sound(self, action: Action, fresh: Fresh) -> bool:
        """Whether an action still applies. What is done already counts as done; trouble is told."""
        problem = check_action(action, fresh, self._plan.timestamp) or self._renamed(action)
        if problem is None:
            return True
        trouble, message = problem
        if trouble == DONE:
            self._tools.recorder.done(action)
            self._tools.tell(Told(f"{action.address}: {message}"))
            self.bought(action.address)
            current = fresh.snapshot.current.get(action.address)
            if current is not None and current.run_id:
                self._follower.add([target(action, current.run_id)])
        else:
            self._teller.failed(action, trouble, message)
        return False

    def _renamed(self, action: Action) -> tuple[str, str] | None:
        """Trouble, where just this was bought since the plan was made, and was renamed or forgotten by now."""
        request = declared_request(action) if action.kind is Kind.CREATE and self._elsewhere else None
        found = self._elsewhere.get(request.digest) if request else None
        if found is None:
            return None
        what = f"run {found.run_id}" if found.run_id else "a submission that is not certain"
        return "outdated", f"since the plan was made, just this was bought as {found.address}: {what}"


def target(action: Action, run_id: str) -> Target:
    """A run of an action, as it is followed."""
    samples = action.after.samples if action.after else None
    return Target(action.address, run_id, samples, action.lifecycle.min_samples if action.lifecycle else 0)


def _may_succeed(address: str, snapshot: Snapshot) -> bool:
    """Whether its run works, or is not certain yet."""
    attempt = snapshot.current.get(address)
    works = attempt is not None and attempt.run_id and not is_final(attempt.status) and not attempt.gone_at
    return bool(works) or address in snapshot.open


def _standing(address: str, snapshot: Snapshot) -> str:
    """In words, why nothing waits for it."""
    attempt = snapshot.current.get(address)
    if attempt is None or attempt.run_id is None:
        return "has no run"
    return "is gone" if attempt.gone_at else f"is {attempt.status}"
