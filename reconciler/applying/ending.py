"""Stopping and removing runs. A run is asked to stop once; what remains of its action is done when it rests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler.applying.follow import Follower, Target
from reconciler.applying.tools import Teller, Tools
from reconciler.dataframer.observation import absence, observation
from reconciler.model.changes import Action, Kind, owed_cancel
from reconciler.model.errors import ServiceError
from reconciler.model.events import Done, Ending, Told
from reconciler.model.run import Run
from state.errors import StateLocked

FINISHING_LOCK_SECONDS = 30.0


class Ender:
    """Ends runs, and knows which of the followed runs are being ended."""

    def __init__(self, tools: Tools, teller: Teller, follower: Follower, command: str) -> None:
        self._tools = tools
        self._teller = teller
        self._follower = follower
        self._command = command
        self._ending: dict[str, Action] = {}  # by run id

    def stop_displaced(self, actions: Iterable[Action]) -> None:
        """Ask to stop the runs whose cancels are owed since their successors' acceptance: those that this plan
        displaced, and those of a successor that was adopted meanwhile.
        """
        planned = {action.subject.run_id: action for action in actions if action.subject and not action.deposed}
        for item in self._tools.store.snapshot().owed:
            if item.run_id in self._ending:
                continue
            action = planned.get(item.run_id) or owed_cancel(item.address, item.run_id, item.reason)
            try:
                self.end(action)
            except ServiceError as error:
                self._teller.failed(action, "error", f"run {item.run_id} was replaced, but not stopped: {error}")

    def end(self, action: Action) -> None:
        """Ask to stop a run, and do the rest once it rests."""
        subject = action.subject
        if subject is None:
            self._finish(action, None)
            return
        run = self._tools.client.cancel_run(subject.run_id) if action.stops_first else None
        if run is not None:
            self._tools.recorder.observe([observation(run, self._tools.now())])
        if run is None and action.stops_first:
            self._tools.recorder.observe([absence(subject.run_id, self._tools.now())])
        self._ending[subject.run_id] = action
        if run is None or run.status.final:
            self._finish(action, run)
        else:
            self._teller.tell(Told(f"{action.address}: run {subject.run_id} was asked to stop"))
            self._follower.add([Target(action.address, subject.run_id, subject.samples)])

    def _finish(self, action: Action, run: Run | None) -> None:
        """The run rests: what remains of its action. Called under the lock."""
        recorder, subject = self._tools.recorder, action.subject
        if action.kind is Kind.DELETE and subject is not None:
            self._tools.client.delete_run(subject.run_id)
            recorder.observe([absence(subject.run_id, self._tools.now())])
            recorder.forget(action, "deleted")
            self._teller.done(action, f"run {subject.run_id} and its files are deleted")
        elif action.kind is Kind.CANCEL and not action.deposed:
            recorder.forget(action, "cancelled")
            self._teller.done(action, _rested(action, run))
        elif subject is not None:
            recorder.pay([subject.run_id])
            recorder.done(action)
            if action.deposed:
                self._teller.done(action, _rested(action, run))
            else:
                self._teller.tell(Done(action.address, Kind.CANCEL, _rested(action, run)))

    def settle(self, endings: Sequence[Ending]) -> None:
        """Sort runs that came to rest: those that were wanted, and those that were to be stopped."""
        stopped = [ending for ending in endings if ending.run_id in self._ending]
        self._teller.report.endings += [ending for ending in endings if ending.run_id not in self._ending]
        if not stopped:
            return
        try:
            with self._tools.store.lock(self._command, FINISHING_LOCK_SECONDS):
                for ending in stopped:
                    action = self._ending[ending.run_id]
                    run = Run(ending.run_id, ending.status, ending.status.value) if ending.status else None
                    self._finish(action, run)
        except (StateLocked, ServiceError) as error:
            for ending in stopped:
                self._teller.failed(self._ending[ending.run_id], "error", f"run {ending.run_id} rests, but: {error}")


def _rested(action: Action, run: Run | None) -> str:
    subject = action.subject.run_id if action.subject else ""
    return f"run {subject} is {run.status.value}" if run else f"run {subject} is gone"
