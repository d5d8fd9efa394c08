"""The controller's loop: when it looks at the remote, at the state and at the service, and which replica does.

One pass: the remote's newest commit, taken if it can be read; the lead; then the project itself. A part that fails is
left alone for a while, and the others go on. Everything else (HTTP, webhooks) only reads ``status``, or pokes.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from reconciler.applying.interruption import Interruption
from reconciler.clock import now
from reconciler.model.errors import ConfigurationError, SecretError, ServiceError, ServiceRefused, UsageError
from reconciler.model.plan import Revision
from reconciler.project import Project
from reconciler.watching.backoff import Backoff, Pace
from reconciler.watching.election import Lead, Memory, lead
from reconciler.watching.following import Following
from reconciler.watching.happenings import (
    Followed,
    Happening,
    Led,
    Observer,
    Passed,
    Recovered,
    Refused,
    Stumbled,
    Waits,
)
from reconciler.watching.known import Known, Rules, known_of, rested
from reconciler.watching.place import Place, RemoteError
from reconciler.watching.reconcile import Outcome, reconcile, settle
from reconciler.watching.remote import SourceRefused
from reconciler.watching.status import NOTHING_SPENT, Held, Mode, Part, Status, Trouble
from state.errors import StateError

ALIVE_SECONDS: Final = 600.0  # a pass over the largest projects, or the longest call, takes less without a sign of life
_SLICE_SECONDS = 0.25


class Controller:
    """Works in one thread: whoever calls :meth:`run`. ``status`` may be read from any, ``poke`` called from any."""

    def __init__(
        self,
        following: Following,
        place: Place,
        environment: str,
        rules: Rules,
        pace: Pace,
        interruption: Interruption,
        observers: tuple[Observer, ...] = (),
        memory: Memory | None = None,
    ) -> None:
        self._following = following
        self._place = place
        self._rules = rules
        self._pace = pace
        self._interruption = interruption
        interruption.heard = self._beats
        self._observers = observers
        self._memory = memory
        self._backoff = Backoff(pace)
        self._lead_of: Lead | None = None
        self._said: tuple[str, Held] | None = None
        self._known: Known | None = None  # while this replica leads
        self._wanted = threading.Event()
        self._handled: str | None = None  # the commit that was taken, or refused
        self._beat = time.monotonic()
        self.status = Status(rules.mode, place.branch, environment, revision=following.good())

    def alive(self) -> bool:
        """Whether the loop gave a sign of life lately."""
        return time.monotonic() - self._beat < ALIVE_SECONDS + self._pace.interval

    def poke(self) -> None:
        """Begin the next pass at once."""
        self._wanted.set()

    def run(self, *, once: bool = False) -> None:
        """Until somebody interrupts. Raises what nobody foresaw: that is a bug, and ends the process."""
        try:
            while not self._interruption():
                begun = time.monotonic()
                self._pass()
                if once:
                    return
                self._rest(begun)
        finally:
            self._resign()

    def _pass(self) -> None:
        begun = time.monotonic()
        outcome = "failed"
        self._follow()
        project = self._project()
        if project is not None and not self._interruption() and self._lead(project):
            looked = self._look(project)
            if looked is not None:
                outcome = looked.kind
        elif project is not None and self._lead_of is None and Part.STATE not in self.status.troubles:
            outcome = "standby"
            self._source_works()
        if not self.status.troubles:
            self._set(last_success=now())
        self._tell(Passed(outcome, time.monotonic() - begun))

    def _follow(self) -> None:
        """Take the newest commit of the branch, if it is another and can be read."""
        if not self._backoff.may(Part.GIT, time.monotonic()):
            return
        try:
            commit = self._following.newest()
            if commit != self._handled:
                if commit != self.status.seen:
                    before = self.status.seen or self.status.revision
                    self._tell(Followed(commit, None if before == commit else before))
                    self._backoff.reset()
                    self._set(seen=commit)
                self._take(commit)
                self._handled = commit
        except (RemoteError, OSError) as problem:
            if not self._interruption():
                self._failed(Part.GIT, problem)
            return
        self._worked(Part.GIT)

    def _take(self, commit: str) -> None:
        try:
            self._following.take(commit)
        except SourceRefused as refused:
            stays = self._following.good()
            self._trouble(Part.SOURCE, refused.problems[0])
            self._tell(Refused(commit, refused.problems, stays))
            return
        self._set(revision=commit)
        self._worked(Part.SOURCE)

    def _source_works(self) -> None:
        if self.status.revision == self._handled:  # else the newest revision is refused, which stays a trouble
            self._worked(Part.SOURCE)

    def _project(self) -> Project | None:
        """The project as it was last readable; None while there is none."""
        try:
            return self._following.project()
        except (ConfigurationError, SecretError, UsageError, OSError) as problem:
            self._failed(Part.SOURCE, problem)
            return None

    def _lead(self, project: Project) -> bool:
        """Whether this replica is the one that works."""
        if not self._backoff.may(Part.STATE, time.monotonic()):
            return False
        try:
            if self._lead_of is not None:
                if self._lead_of.holds(project):
                    return True
                self._resign()
            self._lead_of = lead(project, create=self._rules.mode is not Mode.REPORT, memory=self._memory)
        except (StateError, SecretError, UsageError, OSError) as problem:
            self._failed(Part.STATE, problem)
            return False
        self._worked(Part.STATE)
        if self._lead_of is not None:
            self._set(leader=True)
            self._tell(Led(True))
        return self._lead_of is not None

    def _leads(self, project: Project) -> bool:
        return self._lead_of is not None and self._lead_of.holds(project)

    def _resign(self) -> None:
        if self._lead_of is not None:
            self._lead_of.close()
            self._lead_of = None
            self._known = None
            # What only the leader looks at is not known any more; how the remote and the revision are, is.
            self._set(leader=False, planned=None, held=None, runs={}, spent=NOTHING_SPENT, suspended=())
            self._forget(Part.SERVICE)
            self._tell(Led(False))

    def _look(self, project: Project) -> Outcome | None:
        """Plan, and apply what may be; None if that failed."""
        at = time.monotonic()
        if not all(self._backoff.may(part, at) for part in (Part.STATE, Part.SERVICE, Part.SOURCE)):
            return None
        try:
            if self._rules.mode is not Mode.REPORT:
                if self._known is None:  # what came to rest since the last start, or another replica's last look
                    self._know(project)
                settle(project, self._observe)
            known = self._know(project)
            revision = Revision(self.status.revision, False, None, self._place.folder)
            outcome = reconcile(
                project, revision, self._rules, known, self._interruption, self._observe, partial(self._leads, project)
            )
            if outcome.kind == "applied":
                self._know(project)
        except StateError as problem:
            self._failed(Part.STATE, problem)
            return None
        except (ServiceError, SecretError) as problem:
            self._worked(Part.STATE)
            self._failed(Part.SERVICE, problem)
            return None
        except (UsageError, ConfigurationError) as problem:
            self._failed(Part.SOURCE, problem)
            return None
        self._worked(Part.STATE)
        self._source_works()
        self._set(planned=outcome.planned, held=outcome.held)
        if outcome.held is None:
            self._said = None
        if outcome.rejected:
            self._stumbled(Part.SERVICE, "rejected", outcome.rejected[0])
        else:
            self._worked(Part.SERVICE)
        return outcome

    def _know(self, project: Project) -> Known:
        """Read what the state says; that runs came to rest is told."""
        before, self._known = self._known, known_of(project, self._rules.caps)
        self._set(runs=self._known.runs, spent=self._known.spent, suspended=self._known.suspended)
        if before is not None and (ended := rested(before, self._known)) is not None:
            self._tell(ended)
        return self._known

    def _observe(self, happened: Happening) -> None:
        """What a look tells; that a plan waits, once for each plan and reason."""
        self._beats()
        if isinstance(happened, Waits):
            said = happened.planned.digest, happened.held
            if said == self._said:
                return
            self._said = said
        self._tell(happened)

    def _failed(self, part: Part, problem: Exception) -> None:
        asked = problem.wait if isinstance(problem, ServiceRefused) else None
        self._stumbled(part, type(problem).__name__, str(problem), asked or 0.0)

    def _stumbled(self, part: Part, kind: str, message: str, asked: float = 0.0) -> None:
        again = self._backoff.failed(part, time.monotonic(), asked)
        self._trouble(part, message)
        self._tell(Stumbled(part, kind, message, self._backoff.failures(part), again))

    def _trouble(self, part: Part, message: str) -> None:
        before = self.status.troubles.get(part)
        since = before.since if before else now()
        found = Trouble(message, since, before.failures + 1 if before else 1)
        self._set(troubles={**self.status.troubles, part: found})

    def _worked(self, part: Part) -> None:
        if self._forget(part):
            self._tell(Recovered(part))

    def _forget(self, part: Part) -> bool:
        """That a part fails; returns whether it did."""
        self._backoff.worked(part)
        failed = part in self.status.troubles
        if failed:
            self._set(troubles={name: found for name, found in self.status.troubles.items() if name is not part})
        return failed

    def _rest(self, begun: float) -> None:
        """Wait for the next pass after the one that began then, or for the first failing part's turn, or until somebody
        pokes or interrupts.
        """
        until = begun + self._backoff.spread(self._pace.interval)
        soonest = time.monotonic() + self._pace.least
        due = self._backoff.due(begun)
        until = max(soonest, until if due is None else min(until, due))
        self._set(next_at=_in(until - time.monotonic()))
        while not self._interruption() and (left := until - time.monotonic()) > 0:
            if self._wanted.wait(min(left, _SLICE_SECONDS)):  # a signal handler can set no event, so in slices
                self._wanted.clear()
                until = soonest

    def _beats(self) -> None:
        self._beat = time.monotonic()

    def _set(self, **changes: object) -> None:
        self._beats()
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]

    def _tell(self, happened: Happening) -> None:
        for observer in self._observers:
            observer(happened)


def _in(seconds: float) -> str:
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
