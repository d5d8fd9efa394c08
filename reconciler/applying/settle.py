"""Settling unknown submissions: look at the service, judge, and (under the state's lock) record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.applying.claims import Pending, is_candidate
from reconciler.applying.record import Recorder
from reconciler.applying.settling import Patience, Standing, Verdict, settle
from reconciler.dataframer.client import Client, Listing
from reconciler.dataframer.outcomes import http_date
from reconciler.model.run import Run, moment
from state.records import AttemptRecord, Phase, Snapshot
from state.store import Store

_NEWEST = 20  # so many known runs are looked for in a list; more would only be needed if all of these were gone
_PAUSE_SECONDS = 1.0  # between two looks that would otherwise come at once


class Examiner(Struct):
    """Looks and judges; records nothing. ``clock`` gives seconds since the epoch, ``timeout`` is that of a POST."""

    store: Store
    client: Client
    patience: Patience
    timeout: float
    clock: Callable[[], float]
    complete_at: list[float] = field(default_factory=list)
    _details: dict[str, Run | None] = field(default_factory=dict)

    def examine(self, snapshot: Snapshot, listing: Listing) -> dict[str, Verdict]:
        """A verdict for every open submission, by attempt id."""
        pendings = [self._pending(attempt) for attempt in snapshot.open.values()]
        if not pendings:
            return {}
        now = self.clock()
        if self._is_whole(snapshot, listing):
            self.complete_at.append(now)
        listed = {
            pending.attempt_id: [run for run in listing.runs if is_candidate(pending, run, moment(run.created_at))]
            for pending in pendings
        }
        wanted = {run.id for runs in listed.values() for run in runs}
        owned = {owner.run_id for owner in self.store.attempts_of_runs(wanted) if not owner.provisional}
        candidates = {
            attempt_id: [full for run in runs if run.id not in owned and (full := self._full(run.id)) is not None]
            for attempt_id, runs in listed.items()
        }
        return settle(pendings, candidates, now, self.complete_at, self.patience)

    def _pending(self, attempt: AttemptRecord) -> Pending:
        journal = self.store.journal(attempt.attempt_id)
        sending = [entry.at for entry in journal if entry.phase is Phase.SENDING]
        over = [entry.at for entry in journal if entry.phase is Phase.UNKNOWN]
        baseline = self.store.baseline(attempt.baseline_id) if attempt.baseline_id else None
        sent_at = moment(sending[-1] if sending else attempt.prepared_at) or 0.0
        taken_at = moment(baseline.taken_at) if baseline else None
        service = http_date(baseline.service_date or "") if baseline else None
        # The POST was over at its deadline, or when it was seen to be: it failed, or its process was gone.
        over_at = moment(over[0]) if over else None
        deadline = sent_at + self.timeout
        return Pending(
            attempt.attempt_id,
            attempt.address,
            json.loads(attempt.sent_json),
            frozenset(json.loads(baseline.run_ids_json) if baseline else ()),
            service or taken_at or 0.0,
            deadline if over_at is None else min(deadline, over_at),
            attempt.run_id if attempt.provisional else None,
        )

    def _is_whole(self, snapshot: Snapshot, listing: Listing) -> bool:
        """Whether a listing shows the newest run that is known to exist: else it is stale, or another account's."""
        listed = {run.id for run in listing.runs}
        known: list[tuple[float, str]] = []
        for attempt in self.store.newest_runs(_NEWEST):
            made = attempt.run_created_at or attempt.settled_at or attempt.prepared_at
            known.append((moment(made) or 0.0, str(attempt.run_id)))
        for baseline_id in {attempt.baseline_id for attempt in snapshot.open.values() if attempt.baseline_id}:
            baseline = self.store.baseline(baseline_id)
            if baseline is not None and baseline.newest_run_id is not None:
                known.append((moment(baseline.taken_at) or 0.0, baseline.newest_run_id))
        for _, run_id in sorted(set(known), reverse=True):
            if run_id in listed:
                return True
            if self.client.get_run(run_id) is not None:
                return False
        return not known

    def _full(self, run_id: str) -> Run | None:
        """A candidate's parameters, which never change, so one GET is enough."""
        if run_id not in self._details:
            self._details[run_id] = self.client.get_run(run_id)
        return self._details[run_id]


class Settled(Struct, frozen=True):
    """What a pass found: verdicts by attempt id, the attempts that they are about, and those of them that were absent
    and may be sent again without a question.
    """

    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    attempts: Mapping[str, AttemptRecord] = field(default_factory=dict)
    resubmitted: frozenset[str] = frozenset()

    def open(self) -> Iterable[tuple[AttemptRecord, Verdict]]:
        """Submissions that are still not certain."""
        for attempt_id, verdict in self.verdicts.items():
            if not (verdict.standing is Standing.ADOPT and verdict.confirmed) and attempt_id not in self.resubmitted:
                yield self.attempts[attempt_id], verdict


class Settler:
    """Examines and records. ``resubmit_after``: seconds after the deadline at which an absent submission may be sent
    again by itself; None = a person says so.
    """

    def __init__(self, examiner: Examiner, recorder: Recorder, resubmit_after: float | None = None) -> None:
        self._examiner = examiner
        self._recorder = recorder
        self._resubmit_after = resubmit_after
        self.settled = Settled()
        self.due: float | None = (
            None  # when (seconds since the epoch) another pass may find more; None: only a person can
        )

    def settle(self) -> Settled:
        """One pass, under the state's lock. What a dead process left as SENDING is UNKNOWN from here on."""
        store, client = self._examiner.store, self._examiner.client
        snapshot = store.snapshot()
        if not snapshot.open:
            self.settled, self.due = Settled(), None
            return self.settled
        for attempt in snapshot.open.values():
            if attempt.phase is Phase.SENDING:
                self._recorder.left_behind(attempt)
        snapshot = store.snapshot()
        verdicts = self._examiner.examine(snapshot, client.list_runs())
        attempts = {attempt.attempt_id: attempt for attempt in snapshot.open.values()}
        for attempt_id, verdict in verdicts.items():
            self._record(attempts[attempt_id], verdict)
        again = {a for a, verdict in verdicts.items() if self._is_sent_again(attempts[a], verdict)}
        for attempt_id in again:
            self._recorder.resubmit(attempts[attempt_id], "absent, and [apply] resubmit_absent_after allows it")
        self.settled = Settled(verdicts, attempts, frozenset(again))
        self.due = self._next()
        return self.settled

    def spoken_for(self) -> set[str]:
        """Runs that are, or may be, those of submissions that are not certain."""
        found = {run.id for _, verdict in self.settled.open() for run in verdict.candidates}
        return found | {verdict.run.id for verdict in self.settled.verdicts.values() if verdict.run}

    def _next(self) -> float | None:
        moments = [verdict.until for _, verdict in self.settled.open() if verdict.until is not None]
        return max(min(moments), self._examiner.clock() + _PAUSE_SECONDS) if moments else None

    def _record(self, attempt: AttemptRecord, verdict: Verdict) -> None:
        if verdict.standing is Standing.ADOPT and verdict.run is not None:
            if attempt.run_id != verdict.run.id or verdict.confirmed:
                self._recorder.adopt(attempt, verdict.run, verdict.confirmed)
        elif attempt.provisional:
            self._recorder.reopen(attempt, verdict.why)

    def _is_sent_again(self, attempt: AttemptRecord, verdict: Verdict) -> bool:
        if verdict.standing is not Standing.ABSENT or self._resubmit_after is None:
            return False
        since = moment(attempt.settled_at) or self._examiner.clock()
        return self._examiner.clock() >= since + self._resubmit_after


def foresee(snapshot: Snapshot, verdicts: Mapping[str, Verdict]) -> Snapshot:
    """The snapshot as it will be once the adoptions are recorded: what a plan, which records nothing, goes by."""
    current, still_open = dict(snapshot.current), dict(snapshot.open)
    for address, attempt in snapshot.open.items():
        verdict = verdicts.get(attempt.attempt_id)
        if verdict is None or verdict.standing is not Standing.ADOPT or verdict.run is None:
            continue
        adopted = replace(
            attempt, phase=Phase.ACCEPTED, run_id=verdict.run.id, provisional=not verdict.confirmed, status=None
        )
        if verdict.confirmed:
            del still_open[address]
            current[address] = adopted
        else:
            still_open[address] = adopted
    return replace(snapshot, current=current, open=still_open)
