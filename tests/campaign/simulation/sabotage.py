"""The protocol with one of its parts taken out: what a campaign has to notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from reconciler.applying.claims import Pending
from reconciler.applying.record import Recorder
from reconciler.applying.settle import Examiner, Settler
from reconciler.applying.settling import Standing, Verdict
from reconciler.applying.submission import Commit
from state.records import AttemptRecord, Phase


def _no_settling() -> Any:
    """What is unknown counts as not bought, and is sent again."""

    def record(self: Settler, attempt: AttemptRecord, verdict: Verdict) -> None:
        self._recorder.resubmit(attempt, "nobody looked")

    return patch.object(Settler, "_record", record)


def _no_baseline() -> Any:
    """Runs that were there before count as candidates."""
    original = Examiner._pending

    def pending(self: Examiner, attempt: AttemptRecord) -> Pending:
        return replace(original(self, attempt), baseline=frozenset())

    return patch.object(Examiner, "_pending", pending)


def _no_intent() -> Any:
    """SENDING is not made durable before the request leaves."""
    original = Recorder.phase

    def commit(self: Recorder, *effects: Commit) -> None:
        if kept := [effect for effect in effects if effect.phase is not Phase.SENDING]:
            original(self, *kept)

    return patch.object(Recorder, "phase", commit)


def _first_that_fits() -> Any:
    """Of several runs that fit, the first is taken."""
    original = Settler._record

    def record(self: Settler, attempt: AttemptRecord, verdict: Verdict) -> None:
        if verdict.standing is Standing.AMBIGUOUS and not self._examiner.store.attempts_of_runs(
            [verdict.candidates[0].id]
        ):
            verdict = replace(verdict, standing=Standing.ADOPT, run=verdict.candidates[0], confirmed=True)
        original(self, attempt, verdict)

    return patch.object(Settler, "_record", record)


SABOTAGES: dict[str, Callable[[], Any]] = {
    "settling": _no_settling,
    "baseline": _no_baseline,
    "intent": _no_intent,
    "certainty": _first_that_fits,
}


@contextmanager
def without(part: str | None) -> Iterator[None]:
    """Run with this part of the protocol disabled (None: whole)."""
    if part is None:
        yield
        return
    with SABOTAGES[part]():
        yield
