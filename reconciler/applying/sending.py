"""Performs the effects of submissions: one commit, or one create call."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from reconciler.applying.record import Prepared, Recorder
from reconciler.applying.submission import Commit
from reconciler.dataframer import wirelog
from reconciler.dataframer.client import Client
from reconciler.dataframer.outcomes import Outcome
from reconciler.dataframer.transport import NotNow
from reconciler.model.events import Event, Submitted
from reconciler.model.request import SecretRef
from reconciler.model.run import Run
from state.errors import StateError
from state.records import AttemptRecord, Phase

# Where a machine slept between the commit and the first byte, others may have settled the submission meanwhile.
MAX_DELAY_SECONDS: Final = 5.0
_BOOT_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", None)


def boot_time() -> float:
    """Seconds on a clock that goes on while the machine sleeps, where there is one; else the wall clock."""
    return time.time() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)


class Sender:
    """Used by many threads at once. ``secret`` reads a reference; values live in memory only; ``rescue`` keeps
    a run id that the state can't take, and says where; ``clock`` goes on while the machine sleeps.
    """

    def __init__(
        self,
        client: Client,
        recorder: Recorder,
        timeout: float,
        secret: Callable[[SecretRef], str],
        tell: Callable[[Event], None],
        rescue: Callable[[AttemptRecord, str], str],
        clock: Callable[[], float] = boot_time,
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._timeout = timeout
        self._secret = secret
        self._tell = tell
        self._rescue = rescue
        self._clock = clock
        self._items: dict[str, Prepared] = {}
        self._bodies: dict[str, Mapping[str, Any]] = {}
        self._committed_at: dict[str, float] = {}
        self._times: Counter[str] = Counter()  # how often each was sent
        self.accepted: dict[str, Run] = {}

    def check_secrets(self, refs: Iterable[SecretRef]) -> None:
        """Read every secret once, before anything is decided. Raises SecretError."""
        for ref in dict.fromkeys(refs):
            self._secret(ref)

    def take(self, prepared: Iterable[Prepared]) -> None:
        """Make ready to send these."""
        for item in prepared:
            request = item.action.after
            secrets = {name: self._secret(ref) for name, ref in item.action.secrets}
            self._client.conceal(secrets.values())
            self._items[item.attempt.attempt_id] = item
            self._bodies[item.attempt.attempt_id] = {**(request.body() if request else {}), **secrets}

    def body(self, attempt_id: str) -> Mapping[str, Any]:
        """What is sent for it, secrets included."""
        return self._bodies[attempt_id]

    def commit(self, *effects: Commit) -> None:
        """Make phases durable, in one transaction. The id of an accepted run that can't be recorded is rescued, and
        named in the error. Nothing is tried again: nobody may know whether a commit that failed was made.
        """
        try:
            self._recorder.phase(*effects)
        except StateError as error:
            for effect in effects:
                if effect.run is not None:
                    attempt = self._items[effect.attempt_id].attempt
                    kept = self._rescue(attempt, effect.run.id)
                    error.add_note(
                        f"Run {effect.run.id} was bought for {attempt.address}, and is not recorded yet: {kept}."
                    )
            raise
        for effect in effects:
            self._committed(effect)

    def _committed(self, effect: Commit) -> None:
        if effect.phase is Phase.SENDING:
            self._committed_at[effect.attempt_id] = self._clock()
        elif effect.phase is Phase.ACCEPTED and effect.run is not None:
            self.accepted[effect.attempt_id] = effect.run
            action = self._items[effect.attempt_id].action
            self._tell(Submitted(action.address, effect.run.id, action.kind))

    def send(self, attempt_id: str) -> Outcome:
        """One create call."""

        def before_first_byte() -> None:
            if self._clock() - self._committed_at[attempt_id] > MAX_DELAY_SECONDS:
                raise NotNow("too long after the decision to send; deciding again")

        outcome = self._client.create_run(dict(self.body(attempt_id)), self._timeout, before_first_byte)
        self._times[attempt_id] += 1
        attempt = self._items[attempt_id].attempt
        wirelog.submitted(attempt.address, attempt.number, self._times[attempt_id], type(outcome).__name__)
        return outcome
