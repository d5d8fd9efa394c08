"""Stage 7: perform a plan's actions. Submissions go in waves under the state's lock; following needs none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from reconciler.applying.ending import FINISHING_LOCK_SECONDS, Ender
from reconciler.applying.follow import Follower, Target
from reconciler.applying.performed import Performed, performed
from reconciler.applying.preconditions import Fresh
from reconciler.applying.purchases import Purchases, target
from reconciler.applying.settling import Standing, in_words, outlook
from reconciler.applying.standing import standing_runs
from reconciler.applying.tools import Options, Teller, Tools
from reconciler.model.changes import BUYING, Action, Kind
from reconciler.model.errors import PlanOutdated, ServiceError, ServiceRefused, ServiceUnreachable
from reconciler.model.events import Report, Started, Submitted, Told, Unsettled
from reconciler.model.plan import Plan
from reconciler.model.run import is_final

_LAST = frozenset(Kind) - BUYING - {Kind.MOVE, Kind.IMPORT}
_FULL_SECONDS = 5.0  # between two looks whether there is room again
_NAMED = 3  # what a purchase waits for, by name
_SILENT_SECONDS = 10.0  # nobody is left waiting for longer without a word


def apply(plan: Plan, tools: Tools, options: Options) -> Report:
    """Perform the plan. Errors: StateError (nothing more is bought), PlanOutdated for a plan that is spent, PlanError
    where the state may have lost runs that the service has.
    """
    return _Apply(plan, tools, options).run()


class _Apply:
    def __init__(self, plan: Plan, tools: Tools, options: Options) -> None:
        self._plan = plan
        self._tools = tools
        self._options = options
        self._teller = Teller(tools.tell)
        self._follower = Follower(tools.client, tools.recorder, tools.tell, tools.interruption, tools.now)
        self._ender = Ender(tools, self._teller, self._follower, options.command)
        self._purchases = Purchases(plan, tools, options, self._teller, self._follower)
        self._followed: set[str] = set()  # adopted runs
        self._begun_at_work: frozenset[str] = frozenset()  # addresses that an earlier apply of this plan bought for
        self._deadline = None if options.wait_seconds is None else time.monotonic() + options.wait_seconds

    def run(self) -> Report:
        tools, options, report = self._tools, self._options, self._teller.report
        waiting: list[Action] = []
        if self._plan.has_changes or options.unknown:
            with tools.store.lock(options.command, options.lock_seconds):
                options.permitted()
                for line in tools.take_in():
                    tools.tell(Told(line))
                self._begin()
                # What is not certain moves along as the plan saw it; all else is held against the new names.
                self._others([action for action in self._todo() if action.kind is Kind.MOVE])
                self._settle()
                todo = self._todo()
                self._others([action for action in todo if action.kind is Kind.IMPORT])
                buying = [action for action in todo if action.buys]
                self._purchases.begin(buying)
                waiting = self._buy(buying)
                self._others([action for action in todo if action.kind in _LAST])
                self._ender.stop_displaced(self._plan.actions)
        self._watch_standing()
        if options.wait_seconds != 0:
            waiting = self._buy_the_rest(waiting)
            self._follow()
            while waiting and self._may_go_on():  # what was unknown may be certain by now
                left = len(waiting)
                waiting = self._buy_the_rest(waiting)
                if len(waiting) == left:
                    break
                self._follow()
        for action in waiting:
            why = report.stopped or tools.interruption() or _reason(action)
            self._teller.failed(action, "deferred", f"not submitted: {why}; apply again")
        report.unsettled = [
            Unsettled(attempt.address, outlook(attempt, verdict)) for attempt, verdict in tools.settler.settled.open()
        ]
        report.unfinished = len(self._follower.active)
        report.interrupted = tools.interruption()
        report.timed_out = bool(options.wait_seconds) and not report.interrupted and report.unfinished > 0
        return report

    def _buy_the_rest(self, waiting: list[Action]) -> list[Action]:
        """Submit what waits as it becomes ready; returns what has to wait for what nobody follows."""
        while waiting and self._may_go_on():
            time_to_look = partial(self._is_time, waiting)
            self._ender.settle(self._follower.until(time_to_look, self._deadline))
            if not self._may_go_on():
                break
            left = len(waiting)
            waiting = self._buy_more(waiting)
            if len(waiting) == left:  # others fill the room: runs that are followed elsewhere, or unknown ones
                if not self._follower.active:
                    break
                self._tools.interruption.wait(_FULL_SECONDS)
        return waiting

    def _buy_more(self, waiting: list[Action]) -> list[Action]:
        """One look under the lock, after what is unknown was settled; returns what is left over."""
        options = self._options
        with self._tools.store.lock(options.command, max(options.lock_seconds, FINISHING_LOCK_SECONDS)):
            self._settle()
            left = self._buy(waiting)
            self._ender.stop_displaced(self._plan.actions)
        return left

    def _is_time(self, waiting: Sequence[Action], active: int) -> bool:
        return self._is_due() or self._purchases.is_time(waiting, active)

    def _follow(self) -> None:
        """Follow every run to its end, and settle what is unknown, until only a person can help."""
        settler = self._tools.settler
        while True:
            self._ender.settle(self._follower.until(lambda active: self._is_due(), self._deadline))
            if settler.due is None or not self._may_go_on():
                return
            left = settler.due - time.time()
            if self._deadline is not None:
                left = min(left, self._deadline - time.monotonic())
            if left > _SILENT_SECONDS:
                count = sum(1 for _ in settler.settled.open())
                said = f"{count} submission(s) are not certain yet; looking again in {round(left):,} s."
                self._tools.tell(Told(f"{said} Ctrl-C is safe: the next apply goes on with them."))
            self._tools.interruption.wait(left)
            if self._may_go_on():
                with self._tools.store.lock(self._options.command, FINISHING_LOCK_SECONDS):
                    self._settle()
                    self._ender.stop_displaced(self._plan.actions)

    def _is_due(self) -> bool:
        due = self._tools.settler.due
        return due is not None and time.time() >= due

    def _settle(self) -> None:
        """One pass over the unknown submissions, under the lock; adopted runs are followed."""
        before = {attempt.attempt_id for attempt, _ in self._tools.settler.settled.open()}
        settled = self._tools.settler.settle()
        for attempt_id, verdict in settled.verdicts.items():
            attempt, run = settled.attempts[attempt_id], verdict.run
            if verdict.standing is Standing.ADOPT and run is not None and run.id not in self._followed:
                self._followed.add(run.id)
                self._tools.tell(
                    Submitted(attempt.address, run.id, self._purchases.unknown.get(attempt_id, Kind.CREATE))
                )
                self._follower.add([Target(attempt.address, run.id)])  # one that rests already is reported as well
            if attempt_id in settled.resubmitted:
                self._purchases.unknown.pop(attempt_id, None)
                self._teller.report.resubmitted.append(attempt.address)
                self._tools.tell(Told(f"{attempt.address}: nothing came of its submission; it may be sent again"))
            elif verdict.standing is Standing.ADOPT and verdict.confirmed:
                self._teller.report.count(self._purchases.unknown.pop(attempt_id, Kind.CREATE))
                self._purchases.bought(attempt.address)
            elif attempt_id not in before:
                self._tools.tell(Told(f"{attempt.address}: unknown so far; {in_words(attempt.address, verdict)}"))

    def _begin(self) -> None:
        """Record that this plan is applied. Raises PlanOutdated for one that is spent."""
        owed = {item.run_id for item in self._tools.store.snapshot().owed}
        displaced = {action.subject.run_id for action in self._plan.actions if action.subject}
        # What is left of a reviewed plan was looked at just now: if it is done, another apply of it was quicker.
        # Runs that still work are followed, also of a plan of which nothing else is left.
        again = bool(self._plan.actions) and not self._plan.reviewed
        begun = performed(self._tools.store, self._plan.key)
        self._begun_at_work = begun.working
        left = any(action.digest not in begun.done for action in self._plan.actions)
        if again and not left and not begun.working and owed.isdisjoint(displaced):
            raise PlanOutdated("This plan is spent: all of its actions are done. Plan again.")
        self._tools.recorder.begin(self._plan, self._approved(begun))
        for override in self._options.overrides:
            self._tools.recorder.override(override)

    def _approved(self, begun: Performed) -> list[Action]:
        """What the state does not know yet of a plan that was reviewed: under its digest only that is ever done."""
        if not self._plan.reviewed:
            return []
        reviewed = (*self._plan.actions, *self._options.reviewed)
        # An owed cancel was decided before: the digest does not cover it, so a file may call anything one.
        return [item for item in reviewed if not item.deposed and item.digest not in begun.known]

    def _todo(self) -> list[Action]:
        """Which actions are still to be done; what a plan has done already counts as done."""
        done = performed(self._tools.store, self._plan.key).done
        return [action for action in self._plan.actions if action.digest not in done]

    def _buy(self, actions: Sequence[Action]) -> list[Action]:
        """Submit as many as may be submitted now; returns what is left over."""
        if not actions or not self._may_go_on():
            return list(actions)
        left = self._purchases.wave(actions)
        if self._purchases.unknown and len(left) < len(actions):
            self._settle()
        return left

    def _others(self, actions: Sequence[Action]) -> None:
        """Everything that buys nothing. What stops a run is done only when it rests."""
        if not actions:
            return
        fresh = self._purchases.look(actions)
        for action in actions:
            if self._tools.interruption() or not self._purchases.sound(action, fresh):
                continue
            self._tools.tell(Started(action))
            try:
                self._other(action, fresh)
            except ServiceError as error:
                self._teller.failed(action, "error", str(error))

    def _other(self, action: Action, fresh: Fresh) -> None:
        tools, recorder = self._tools, self._tools.recorder
        match action.kind:
            case Kind.UPDATE:
                recorder.update(action, fresh.snapshot.instances[action.address])
                self._teller.done(action, "its lifecycle is recorded")
            case Kind.REUSE:
                (attempt,) = tools.store.attempts_of_runs([str(action.reused_run)])
                recorder.reuse(action, attempt)
                self._teller.done(action, f"run {action.reused_run} is used again")
                if not is_final(attempt.status):
                    self._follower.add([target(action, str(action.reused_run))])
            case Kind.MOVE:
                recorder.move(str(action.moved_from), action.address, action.reason, action)
                self._teller.done(action, f"{action.reason}; its run is the same")
            case Kind.IMPORT:
                self._adopt(action)
            case Kind.FORGET:
                recorder.forget(action, "forgotten")
                self._teller.done(action, "forgotten; nothing changed on the service")
            case Kind.CANCEL | Kind.DELETE:
                self._ender.end(action)
            case Kind.CREATE | Kind.REPLACE | Kind.RETRY:
                raise AssertionError("a purchase is submitted, never done here")

    def _adopt(self, action: Action) -> None:
        """A run that exists becomes the address's."""
        tools, run_id = self._tools, str(action.reused_run)
        run = tools.client.get_run(run_id)
        owners = tools.store.attempts_of_runs([run_id])
        if run is None or owners:
            why = f"belongs to {owners[0].address} by now" if owners else "is gone"
            self._teller.failed(action, "outdated", f"run {run_id} {why}")
            return
        tools.recorder.adopt_existing(action, run, tools.store.attempts([action.address]))
        self._teller.done(action, f"run {run_id} ({run.status}) is adopted")
        if not run.status.final:
            self._follower.add([target(action, run_id)])

    def _watch_standing(self) -> None:
        """Current runs that work are followed, or, where nobody waits, looked at once. One that came to rest while
        nobody looked is recorded; the plan has told it already, so it is no ending of this apply.
        """
        snapshot, expected = self._tools.store.snapshot(), self._at_work()
        standing = standing_runs(snapshot)
        if self._options.wait_seconds != 0:
            self._follower.add(target for target in standing if target.address in expected)
        if left := [target for target in standing if target.run_id not in self._follower.active]:
            try:
                endings = self._follower.once(left)
            except (ServiceRefused, ServiceUnreachable) as error:
                # What was bought is recorded; the next apply looks again.
                self._tools.tell(Told(f"Runs of before were not looked at: {error}"))
            else:
                self._ender.settle([ending for ending in endings if ending.address in expected])

    def _at_work(self) -> set[str]:
        """Addresses whose runs the plan saw at work, or did not know."""
        found = {i.address for i in self._plan.unchanged if i.progress and not is_final(i.progress.status)}
        found |= {a.address for a in self._plan.actions if a.subject and not is_final(a.subject.status)}
        found |= {unmet.address for unmet in self._plan.unmet if unmet.kind == "unknown"}
        return {*found, *self._begun_at_work}

    def _may_go_on(self) -> bool:
        late = self._deadline is not None and time.monotonic() >= self._deadline and self._options.wait_seconds != 0
        return not (self._teller.report.stopped or self._tools.interruption() or late)


def _reason(action: Action) -> str:
    """Why a purchase still waits."""
    if action.depends_on:
        return f"it waits for {', '.join(action.depends_on[:_NAMED])}{' …' if len(action.depends_on) > _NAMED else ''}"
    return "as many runs as max_active are at work"
