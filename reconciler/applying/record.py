"""The only writer of the state: decisions and reports to commits. Nothing else in the product builds writes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from reconciler.applying.author import Author
from reconciler.applying.rows import limits_of, new_attempt, new_instance, overridden, planned, taken_back, without_run
from reconciler.applying.submission import Commit
from reconciler.dataframer.client import Listing
from reconciler.dataframer.observation import imported, observation
from reconciler.model.changes import Action, Kind
from reconciler.model.limits import Override
from reconciler.model.plan import Plan
from reconciler.model.request import Instance, Lifecycle, canonical_json
from reconciler.model.run import Run, Spec, is_final
from state.group import GroupCommit
from state.records import (
    AttemptRecord,
    BaselineRecord,
    EventRecord,
    InstanceRecord,
    MarkRecord,
    OwedRecord,
    Phase,
    PlanActionRecord,
    SpecRecord,
)
from state.store import Store
from state.writes import Advance, Forget, Move, Observe, Pay, Put, Write


class Prepared(Struct, frozen=True):
    """An attempt that is durable as PREPARED, and the action that it belongs to."""

    attempt: AttemptRecord
    action: Action


class Recorder:
    """Writes one command's doings. ``now`` gives ISO 8601 texts in UTC; commits that arrive together share a
    transaction, and every method returns only when its writes are durable.
    """

    def __init__(self, store: Store, author: Author, now: Callable[[], str]) -> None:
        self._store = store
        self._group = GroupCommit(store)
        self._now = now
        self._author = author
        self._plan: Plan | None = None
        self._began: str | None = None
        self._prepared: dict[str, Prepared] = {}
        self._planned: dict[tuple[str, Kind], PlanActionRecord] = {}  # by attempt: a digest costs as much as a commit
        self.apply_id = str(uuid.uuid4())

    def begin(self, plan: Plan | None = None, approved: Iterable[Action] = ()) -> None:
        """Record that this command is about to change something. Whatever comes before it begins it without a plan.
        ``approved``: the actions of a reviewed plan that the state is to know as such.
        """
        self._plan, self._planned = plan, {}
        self._began = self._began or self._now()
        writes: list[Write] = [Put(self._author.record(self.apply_id, self._began, plan))]
        if plan is not None and plan.reviewed:
            writes.append(Put(limits_of(plan)))
            writes += [Put(planned(plan, action, None, None)) for action in approved]
        self._store.commit(writes)

    def prepare(
        self, actions: Sequence[Action], listing: Listing, history: Iterable[AttemptRecord], known: Collection[str]
    ) -> list[Prepared]:
        """Commit attempts as PREPARED, with the runs that are there already. A leftover PREPARED attempt of an address
        is taken up again with the present request. ``known``: addresses that are recorded already.
        """
        now = self._now()
        attempts: dict[str, list[AttemptRecord]] = {}
        for attempt in history:
            attempts.setdefault(attempt.address, []).append(attempt)
        spec_ids = sorted({action.after.spec_id for action in actions if action.after})
        there = [run.id for run in listing.runs if run.spec_id in spec_ids]
        newest = listing.runs[0].id if listing.runs else None
        baseline = BaselineRecord(
            str(uuid.uuid4()), now, listing.date, canonical_json(spec_ids), canonical_json(there), newest
        )
        prepared = [
            Prepared(new_attempt(action, attempts.get(action.address, []), baseline, self.apply_id, now), action)
            for action in actions
        ]
        writes: list[Write] = [Put(baseline)]
        for item in prepared:
            if item.action.address not in known:
                writes.append(Put(new_instance(item.action, None, now)))
            writes += [Put(item.attempt), *self._begun(item.action, item.attempt.attempt_id)]
        self._store.commit(writes)
        self._prepared |= {item.attempt.attempt_id: item for item in prepared}
        return prepared

    def phase(self, *commits: Commit) -> None:
        """Commit a step of each of these submissions, all of them or none. ACCEPTED brings everything that follows from
        it in the same transaction: the run is current, the lifecycle holds, and a displaced run that still works is
        owed its cancel.
        """
        self._group.commit([write for commit in commits for write in self._step(commit)])

    def _step(self, commit: Commit) -> list[Write]:
        item, now = self._prepared[commit.attempt_id], self._now()
        run = commit.run
        writes: list[Write] = [Advance(commit.attempt_id, commit.phase, now, commit.note, run.id if run else None)]
        if commit.phase is Phase.ACCEPTED and run is not None:
            writes.append(Put(new_instance(item.action, commit.attempt_id, now)))
            writes.append(observation(run, now))
            writes += self._displaced(item.action, f"replaced by run {run.id}", now)
            writes += self._done(item.action, commit.attempt_id)
        if commit.phase not in (Phase.SENDING, Phase.PREPARED):
            what = f"{item.action.kind}: {commit.note or (f'run {run.id}' if run else '')}"
            writes.append(self._event(commit.phase.lower(), item.action.address, what, commit.attempt_id, run))
        return writes

    def left_behind(self, attempt: AttemptRecord) -> None:
        """A process ended while this was being sent: nobody knows."""
        self._settle(attempt, Phase.UNKNOWN, "the process ended while it was being sent")

    def adopt(self, attempt: AttemptRecord, run: Run, confirmed: bool) -> None:
        """The run is this submission's: provisionally, or for good. What an answer would have brought comes with it:
        an older run of the address that still works is owed its cancel.
        """
        now = self._now()
        note = "adopted" if confirmed else "adopted provisionally"
        writes: list[Write] = [
            Advance(attempt.attempt_id, Phase.ACCEPTED, now, note, run.id, provisional=not confirmed),
            observation(run, now),
            self._event("adopted", attempt.address, f"{note}: run {run.id}", attempt.attempt_id, run),
        ]
        if confirmed:
            for other in self._store.attempts([attempt.address]):
                working = other.run_id and not is_final(other.status) and other.gone_at is None
                if working and other.attempt_id != attempt.attempt_id:
                    reason = f"replaced by run {run.id}"
                    writes.append(Put(OwedRecord(str(other.run_id), attempt.address, reason, now)))
        self._store.commit(writes)

    def reopen(self, attempt: AttemptRecord, why: str) -> None:
        """A provisional adoption does not hold: the submission is unknown again, and the run before is current."""
        self._store.commit(self._without_run(attempt, Phase.UNKNOWN, "reopened", why))

    def abandon(self, attempt: AttemptRecord, why: str) -> None:
        """A person gave it up; a run that it had only provisionally is none of its."""
        self._store.commit(self._without_run(attempt, Phase.ABANDONED, "settled_abandoned", why))

    def _without_run(self, attempt: AttemptRecord, phase: Phase, kind: str, why: str) -> list[Write]:
        now, event = self._now(), self._event(kind, attempt.address, why, attempt.attempt_id)
        if not attempt.provisional:
            return [Advance(attempt.attempt_id, phase, now, why), event]
        record = self._store.snapshot().instances.get(attempt.address)
        return [*without_run(attempt, phase, why, now, self._store.attempts([attempt.address]), record), event]

    def resubmit(self, attempt: AttemptRecord, why: str) -> None:
        """It is certain, or decided, that no run came of it: it may be sent again by the next apply."""
        self._settle(attempt, Phase.PREPARED, why)

    def _settle(self, attempt: AttemptRecord, phase: Phase, why: str) -> None:
        now = self._now()
        event = self._event(f"settled_{phase.lower()}", attempt.address, why, attempt.attempt_id)
        self._store.commit([Advance(attempt.attempt_id, phase, now, why), event])

    def import_run(self, instance: Instance, run: Run, history: Sequence[AttemptRecord]) -> None:
        """A run that was made elsewhere is an instance's from now on. ``history``: the attempts of its address."""
        now = self._now()
        number = max((attempt.number for attempt in history), default=0) + 1
        attempt = imported(run, instance.address, instance.request, number, now)
        record = InstanceRecord(instance.address, attempt.attempt_id, instance.lifecycle.to_json(), now)
        event = self._event("imported", instance.address, f"run {run.id} was adopted", attempt.attempt_id, run)
        self._store.commit([Put(attempt), Put(record), event])

    def adopt_existing(self, action: Action, run: Run, history: Sequence[AttemptRecord]) -> None:
        """The run of an ``[[import]]`` block is the address's; one that it displaces and that still works is owed its
        cancel. ``history``: the attempts of the address.
        """
        if action.after is None:
            raise AssertionError(f"{action.address}: an import without a request")
        now = self._now()
        number = max((attempt.number for attempt in history), default=0) + 1
        attempt = imported(run, action.address, action.after, number, now)
        writes: list[Write] = [Put(attempt), Put(new_instance(action, attempt.attempt_id, now))]
        writes += self._displaced(action, f"run {run.id} was adopted", now)
        writes.append(self._event("imported", action.address, f"run {run.id} was adopted", attempt.attempt_id, run))
        self._store.commit([*writes, *self._done(action, attempt.attempt_id)])

    def override(self, override: Override) -> None:
        """A person lets this plan pass a soft limit. A plan that is applied again keeps it."""
        writes: list[Write] = [self._event("override", None, f"{override.name}: {override.reason}")]
        if self._plan is not None:
            writes.append(Put(overridden(self._plan.key, override, self._now())))
        self._store.commit(writes)

    def note(self, kind: str, message: str) -> None:
        """Tell the history of something that concerns no address, or all of them."""
        self._store.commit([self._event(kind, None, message)])

    def mark(self, name: str, value: str, at: str | None = None) -> None:
        """Record a fact about the state as a whole. ``at``: since when it holds, if not only now."""
        self._store.commit([Put(MarkRecord(name, value, at or self._now()))])

    def update(self, action: Action, record: InstanceRecord) -> None:
        """Record a changed lifecycle."""
        lifecycle = action.lifecycle or Lifecycle.from_json(record.lifecycle_json)
        changed = replace(record, lifecycle_json=lifecycle.to_json(), recorded_at=self._now())
        event = self._event("updated", action.address, action.reason)
        self._store.commit([Put(changed), event, *self._done(action, None)])

    def reuse(self, action: Action, attempt: AttemptRecord) -> None:
        """Make the run of an older attempt current again."""
        now = self._now()
        writes: list[Write] = [Put(new_instance(action, attempt.attempt_id, now))]
        writes += self._displaced(action, f"run {attempt.run_id} is used again", now)
        writes.append(self._event("reused", action.address, action.reason, attempt.attempt_id))
        self._store.commit([*writes, Pay(str(attempt.run_id), now), *self._done(action, attempt.attempt_id)])

    def forget(self, action: Action, how: str) -> None:
        """Drop an address; its attempts stay. ``how``: what became of its run, for the history."""
        event = self._event(how, action.address, action.reason)
        self._store.commit([Forget(action.address), event, *self._done(action, None)])

    def drop(self, addresses: Iterable[str], why: str) -> None:
        """Forget addresses because a person says so: all of them, or none."""
        writes = [write for address in addresses for write in (Forget(address), self._event("forgotten", address, why))]
        if writes:
            self._store.commit(writes)

    def move(self, source: str, target: str, why: str, action: Action | None = None) -> None:
        """Everything of one recorded address is another's from now on. ``action``: that of a plan, done with it."""
        self._store.commit([*self._move(source, target, why), *(self._done(action, None) if action else [])])

    def moves(
        self, pairs: Iterable[tuple[str, str]], why: str, forgotten: Mapping[str, AttemptRecord] | None = None
    ) -> None:
        """Several moves (source, target), in this order, or none. ``forgotten``: of a source that is not recorded, the
        attempt whose run is to be current.
        """
        writes: list[Write] = [Put(taken_back(attempt, self._now())) for attempt in (forgotten or {}).values()]
        writes += [write for one, other in pairs for write in self._move(one, other, f"it was {one}; {why}")]
        if writes:
            self._store.commit(writes)

    def _move(self, source: str, target: str, why: str) -> list[Write]:
        return [Move(source, target, self._now()), self._event("moved", target, why)]

    def pay(self, run_ids: Iterable[str]) -> None:
        """Displaced runs that are final, or gone: their cancels are done."""
        now = self._now()
        paid: list[Write] = [Pay(run_id, now) for run_id in run_ids]
        if paid:
            self._store.commit(paid)

    def observe(self, reports: Sequence[Observe]) -> None:
        """Record what the service says of runs: progress, not a decision."""
        if reports:
            self._group.commit(list(reports))

    def specs(self, specs: Iterable[Spec]) -> None:
        """Remember what was seen of specs."""
        at = self._now()
        seen: list[Write] = [
            Put(SpecRecord(spec.id, spec.name, spec.seeded, spec.versions, spec.content_sha256, at)) for spec in specs
        ]
        if seen:
            self._store.commit(seen)

    def done(self, action: Action) -> None:
        """An action of a saved plan is done."""
        writes = self._done(action, None)
        if writes:
            self._store.commit(writes)

    def _displaced(self, action: Action, reason: str, now: str) -> list[Write]:
        if not action.displaces or action.subject is None:
            return []
        return [Put(OwedRecord(action.subject.run_id, action.address, reason, now))]

    def _begun(self, action: Action, attempt_id: str) -> list[Write]:
        return self._plan_action(action, attempt_id, None)

    def _done(self, action: Action, attempt_id: str | None) -> list[Write]:
        if action.displaces:
            return self._plan_action(action, attempt_id, None)  # done only when the displaced run is final
        return self._plan_action(action, attempt_id, self._now())

    def _plan_action(self, action: Action, attempt_id: str | None, done_at: str | None) -> list[Write]:
        plan = self._plan
        if plan is None:
            return []
        if attempt_id is None:
            return [Put(planned(plan, action, attempt_id, done_at))]
        entry = self._planned.get((attempt_id, action.kind))
        if entry is None:
            entry = self._planned[attempt_id, action.kind] = planned(plan, action, attempt_id, None)
        return [Put(replace(entry, done_at=done_at))]

    def _event(
        self, kind: str, address: str | None, message: str, attempt_id: str | None = None, run: Run | None = None
    ) -> Put:
        if self._began is None:  # nothing is told of which nobody knows who did it
            self.begin()
        run_id = run.id if run else None
        return Put(
            EventRecord(str(uuid.uuid4()), self._now(), kind, self.apply_id, address, attempt_id, run_id, message)
        )
