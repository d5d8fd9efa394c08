"""What lets a plan be applied may be withdrawn meanwhile: that is looked at under the lock, and while it is applied."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from reconciler.applying.interruption import Interruption
from reconciler.model.address import matching
from reconciler.model.errors import ReconcilerError
from reconciler.model.plan import Plan
from reconciler.project import Project
from reconciler.watching.consent import Caps, consent
from reconciler.watching.known import Known, Rules, known_of, moment_of, said_of
from reconciler.watching.status import Held, Hold
from state.errors import StateError
from state.records import ApprovalRecord

_LOOK_SECONDS = 3.0
_END_SECONDS = 1.0  # a state may hang, and nobody waits for its answer any more
_ANYTHING = Caps()


class Withdrawn(ReconcilerError):
    """A plan may not be applied any more. Nothing of it was done."""

    def __init__(self, held: Held) -> None:
        self.held = held
        super().__init__(held.message)


@dataclass(frozen=True, slots=True)
class Consents:
    """A plan, and what let it be applied when it was made."""

    project: Project
    plan: Plan
    rules: Rules
    known: Known
    approval: ApprovalRecord | None
    leads: Callable[[], bool]

    def check(self) -> None:
        """Raises Withdrawn, StateError."""
        if (held := self._held(known_of(self.project, self.rules.caps), self.rules.caps)) is not None:
            raise Withdrawn(held)

    def withdrawn(self) -> str:
        """Why no more of it may be done; empty where it may. What it bought itself counts against no cap. A state that
        fails says nothing: whoever applies meets it as well.
        """
        with suppress(StateError):
            if (held := self._held(said_of(self.project), _ANYTHING)) is not None:
                return held.message
        return ""

    def _held(self, known: Known, caps: Caps) -> Held | None:
        if not self.leads():
            return Held(Hold.LOCKED, "this replica leads no more")
        moment = moment_of(known, self.rules, self.approval)
        return consent(self.plan, self.rules.mode, self.rules.prune, caps, moment) or self._newly_suspended(known)

    def _newly_suspended(self, now_known: Known) -> Held | None:
        addresses = {str(name) for one in self.plan.actions for name in (one.address, one.moved_from) if name}
        before = set(self.known.scopes)
        for found in now_known.suspended:
            if found.scope and found.scope not in before and matching(found.scope, addresses):
                return Held(Hold.SUSPENDED, f"{found.scope} is suspended by {found.by} since {found.since}")
        return None


class _Either(Interruption):
    """Stops for what another one stops for, and for reasons of its own."""

    def __init__(self, other: Interruption) -> None:
        self._other, self.own, self.heard = other, "", other.heard

    @property
    def reason(self) -> str:  # type: ignore[override]
        return self._other.reason or self.own


@contextmanager
def stopped_by(
    interruption: Interruption, look: Callable[[], str], seconds: float | None = None
) -> Iterator[Interruption]:
    """An interruption for this block, which ``look`` sets off as well as soon as it says why. A thread asks it."""
    stop, ended = _Either(interruption), threading.Event()

    def ask() -> None:
        while not ended.wait(_LOOK_SECONDS if seconds is None else seconds):
            if why := look():
                stop.own = why
                return

    thread = threading.Thread(target=ask, name="consents", daemon=True)
    thread.start()
    try:
        yield stop
    finally:
        ended.set()
        thread.join(_END_SECONDS)
