"""What became of submissions whose outcome is unknown. Pure: listings and times in, a verdict for each out.

A wrong adoption would leave a run without an owner and buy another one, so a run is adopted only where every way of
explaining what the service shows gives it to that submission.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.applying.claims import Claim, Pending, claims_of, doubted, fits, near_runs
from reconciler.model.plan import Candidate, Outlook
from reconciler.model.run import Run
from state.records import AttemptRecord

SETTLE_SECONDS: Final = 60.0
DEAD_SECONDS: Final = 900.0


class Patience(Struct, frozen=True):
    """How long after a deadline: until a run may be adopted, and until nothing more can come."""

    settle: float = SETTLE_SECONDS
    dead: float = DEAD_SECONDS
    lists: int = 2  # whole ones, after the dead time, before anything counts as absent


class Standing(Enum):
    """What can be said of a submission."""

    WAITING = "waiting"
    ADOPT = "adopt"
    AMBIGUOUS = "ambiguous"
    ABSENT = "absent"


class Verdict(Struct, frozen=True):
    """``run``: the one that it is, or, while waiting, that it may be; only ADOPT says that it is to be followed.
    ``confirmed``: the adoption is for good. ``until``: when more will be known, None where only a person helps.
    ``dead_at``: from when on the submission can't be executed any more.
    """

    standing: Standing
    why: str
    run: Run | None = None
    confirmed: bool = False
    candidates: tuple[Run, ...] = ()
    until: float | None = None
    dead_at: float = 0.0


def outlook(attempt: AttemptRecord, verdict: Verdict, *, resubmits: bool = False) -> Outlook:
    """What a plan or a report says of a submission. ``resubmits``: absent ones are sent again without a question."""
    if resubmits and verdict.standing is Standing.ABSENT:
        return Outlook(verdict.standing.value, f"{verdict.why}; sent again by itself, as resubmit_absent_after allows")
    candidates = tuple(
        Candidate(run.id, run.status, run.samples_completed, run.created_at, run.created_by_email)
        for run in sorted(verdict.candidates, key=lambda run: run.created_at or "")
    )
    decidable = verdict.until is None and verdict.standing in (Standing.AMBIGUOUS, Standing.ABSENT)
    words = in_words(attempt.address, verdict)
    return Outlook(verdict.standing.value, words, candidates, decidable, attempt.prepared_at)


def in_words(address: str, verdict: Verdict) -> str:
    """What will become of a submission and when, or what a person has to decide."""
    text = verdict.why
    if verdict.candidates:
        shown = [f"{run.id} {run.status}, made {run.created_at or 'at an unknown time'}" for run in verdict.candidates]
        text += f" ({'; '.join(shown)})"
    if verdict.until is not None:
        return f"{text}; looked at again after {moment(verdict.until)}"
    match verdict.standing:
        case Standing.AMBIGUOUS:
            return f"{text}; decide with `reconciler resolve '{address}'` and --adopt RUN_ID, --resubmit or --abandon"
        case Standing.ABSENT:
            return f"{text}; decide with `reconciler resolve '{address}'` and --resubmit, --abandon or --adopt RUN_ID"
        case _:
            return text


def moment(at: float) -> str:
    """Seconds since the epoch for people."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def settle(
    pendings: Sequence[Pending],
    candidates: Mapping[str, Sequence[Run]],
    now: float,
    complete_at: Sequence[float],
    patience: Patience,
) -> dict[str, Verdict]:
    """A verdict for each pending submission. ``candidates`` by attempt id, in full; ``complete_at``: when listings were
    seen that were whole.

    Until the dead time a run that fits is enough to follow it provisionally. For good it is adopted only if no run
    that the service may have rewritten (a near one) could be the submission's as well.
    """
    runs = {run.id: run for found in candidates.values() for run in found}
    fitting = {p.attempt_id: [run.id for run in candidates[p.attempt_id] if fits(p, run)] for p in pendings}
    claims = claims_of(pendings, fitting)
    doubts = doubted(pendings, fitting, near_runs(pendings, candidates, fitting))
    verdicts = {}
    for pending in pendings:
        claim = claims[pending.attempt_id]
        if now >= pending.deadline + patience.dead:
            claim = doubts.get(pending.attempt_id, claim)
        verdict = _judge(pending, claim, runs, now, complete_at, patience)
        verdicts[pending.attempt_id] = replace(verdict, dead_at=pending.deadline + patience.dead)
    return verdicts


def _judge(
    pending: Pending,
    claim: Claim,
    runs: Mapping[str, Run],
    now: float,
    complete_at: Sequence[float],
    patience: Patience,
) -> Verdict:
    settle_at, dead_at = pending.deadline + patience.settle, pending.deadline + patience.dead
    complete = sum(1 for moment in complete_at if moment >= dead_at)
    if claim.own is not None:
        own = runs[claim.own]
        if now < settle_at:
            return Verdict(Standing.WAITING, f"run {own.id} fits; another may still appear", own, until=settle_at)
        if now >= dead_at and complete:
            return Verdict(Standing.ADOPT, f"run {own.id} is the only one that fits", own, confirmed=True)
        said = f"run {own.id} fits, and is followed; certain once nothing else can appear"
        return Verdict(Standing.ADOPT, said, own, until=dead_at)
    if claim.disputed:
        until = None if claim.for_good or now >= dead_at else dead_at
        shown = tuple(runs[run_id] for run_id in claim.disputed)
        return Verdict(Standing.AMBIGUOUS, claim.why, candidates=shown, until=until)
    if now < dead_at:
        return Verdict(Standing.WAITING, "no run that fits is listed yet", until=dead_at)
    if complete < patience.lists:
        return Verdict(Standing.WAITING, "no run fits; a whole list is needed twice", until=now)
    return Verdict(Standing.ABSENT, "no run fits, and none can appear any more")
