"""A person decides what became of unknown submissions: the run is adopted, given up, or asked for again."""

from __future__ import annotations

from msgspec import Struct

from reconciler.applying.record import Recorder
from reconciler.applying.settle import Examiner, Settler
from reconciler.applying.settling import Standing, Verdict, in_words, moment
from reconciler.model.address import matching, nearest, spelled
from reconciler.model.errors import UsageError
from state.records import AttemptRecord


class Adopt(Struct, frozen=True):
    """This run is the one."""

    run_id: str


class Abandon(Struct, frozen=True):
    """Nothing came of it, and nothing shall: bought again only by ``rerun`` or ``--replace``."""


class Resubmit(Struct, frozen=True):
    """Nothing came of it: the next apply may send it again."""


Decision = Adopt | Abandon | Resubmit


def resolve(pattern: str, decision: Decision, examiner: Examiner, recorder: Recorder) -> list[str]:
    """Settle what a pattern names (an address, or a glob), under the state's lock; returns a line for each.

    Errors: UsageError for a decision that what the service shows does not allow.
    """
    settler = Settler(examiner, recorder)
    settler.settle()
    settled = settler.settle()  # absence needs two whole lists
    open_ones = {attempt.address: (attempt, verdict) for attempt, verdict in settled.open()}
    pattern = spelled(pattern)
    chosen = matching(pattern, sorted(open_ones))
    if not chosen:
        known = ", ".join(sorted(open_ones)) or "none"
        guess = nearest(pattern, open_ones)
        raise UsageError(f"No unknown submission is named by {pattern!r}.{guess} Unknown: {known}.")
    exact = pattern in open_ones
    match decision:
        case Adopt(run_id=run_id):
            if not exact:
                raise UsageError("--adopt takes one address, not a glob: a run belongs to one submission.")
            return [_adopt(open_ones[pattern][0], run_id, examiner, recorder)]
        case Abandon():
            for address in chosen:
                recorder.abandon(open_ones[address][0], "given up by a person")
            return [f"{address}: given up; bought again only by lifecycle.rerun or --replace" for address in chosen]
        case Resubmit():
            now = examiner.clock()
            return [_resubmit(*open_ones[address], exact=exact, now=now, recorder=recorder) for address in chosen]


def _adopt(attempt: AttemptRecord, run_id: str, examiner: Examiner, recorder: Recorder) -> str:
    run = examiner.client.get_run(run_id)
    if run is None:
        raise UsageError(f"The service has no run {run_id} for this key.")
    owners = [owner for owner in examiner.store.attempts_of_runs([run_id]) if owner.attempt_id != attempt.attempt_id]
    if owners:
        raise UsageError(f"Run {run_id} belongs to {owners[0].address} already.")
    if run.spec_id is not None and run.spec_id.lower() != attempt.spec_id:
        raise UsageError(f"Run {run_id} was made from spec {run.spec_id}, the submission asked for {attempt.spec_id}.")
    recorder.adopt(attempt, run, confirmed=True)
    return f"{attempt.address}: run {run_id} is adopted"


def _resubmit(attempt: AttemptRecord, verdict: Verdict, *, exact: bool, now: float, recorder: Recorder) -> str:
    """With a glob the absent ones only; one that is named may be ambiguous as well. Neither while the submission may
    still be executed.
    """
    allowed = (Standing.ABSENT, Standing.AMBIGUOUS) if exact else (Standing.ABSENT,)
    decided = verdict.standing in allowed and verdict.until is None
    if not decided or now < verdict.dead_at:
        if exact:
            wait = "" if now >= verdict.dead_at else f" It may still be executed until {moment(verdict.dead_at)}."
            raise UsageError(f"{attempt.address} can't be sent again yet: {in_words(attempt.address, verdict)}.{wait}")
        return f"{attempt.address}: left as it is; {in_words(attempt.address, verdict)}"
    recorder.resubmit(attempt, "to be sent again, as a person decided")
    also = f", although {len(verdict.candidates)} run(s) may be its" if verdict.candidates else ""
    return f"{attempt.address}: the next apply sends it again{also}, which buys one more run"
