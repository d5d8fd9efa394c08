"""What became of submissions whose outcome is unknown. Pure: listings and times in, a verdict for each out.

A wrong adoption would leave a run without an owner and buy another one, so a run is adopted only where every way of
explaining what the service shows gives it to that submission.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from reconciler.applying.matching import certain_runs, components, groups_of
from reconciler.dataframer.fields import LIST_FIELDS, NEVER_REPORTED
from reconciler.model.request import canonical_json, normal
from reconciler.model.run import Run

SETTLE_SECONDS: Final = 60.0
DEAD_SECONDS: Final = 900.0
CLOCK_TOLERANCE: Final = 300.0  # between our baseline and the service's created_at
# The service reports null for these where the stage is off.
_NULLED: Final = (
    "revision_model",
    "max_revision_cycles",
    "max_examples_in_prompt",
    "generation_thinking_budget",
    "outline_thinking_budget",
    "revision_thinking_budget",
)


@dataclass(frozen=True, slots=True)
class Pending:
    """One submission that is not certain. Times in seconds since the epoch; ``deadline``: its POST was over by then."""

    attempt_id: str
    address: str
    body: Mapping[str, Any]  # as sent, less secrets
    baseline: frozenset[str]  # runs of its spec that were there before
    not_before: float  # the service's clock: a run that is older is not ours
    deadline: float
    run_id: str | None = None  # adopted provisionally

    @property
    def kind(self) -> Hashable:
        """Equal for submissions that can't be told apart."""
        return canonical_json({name: normal(value) for name, value in self.body.items()})


@dataclass(frozen=True, slots=True)
class Patience:
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


@dataclass(frozen=True, slots=True)
class Verdict:
    """``confirmed``: the adoption is for good. ``until``: when more will be known, None where only a person helps."""

    standing: Standing
    why: str
    run: Run | None = None
    confirmed: bool = False
    candidates: tuple[Run, ...] = ()
    until: float | None = None


def in_words(address: str, verdict: Verdict) -> str:
    """What will become of a submission and when, or what a person has to decide."""
    text = verdict.why
    if verdict.candidates:
        text += f" ({', '.join(run.id for run in verdict.candidates)})"
    if verdict.until is not None:
        moment = datetime.fromtimestamp(verdict.until, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return f"{text}; looked at again after {moment}"
    match verdict.standing:
        case Standing.AMBIGUOUS:
            return f"{text}; decide: `reconciler resolve '{address}'` with --adopt RUN_ID, --abandon or --resubmit"
        case Standing.ABSENT:
            return f"{text}; decide: `reconciler resolve '{address}'` with --resubmit or --abandon"
        case _:
            return text


def is_candidate(pending: Pending, run: Run, created_at: float | None) -> bool:
    """Whether a listed run may be the submission's at all; its parameters are compared later."""
    version = pending.body.get("spec_version")
    return (
        run.id not in pending.baseline
        and run.spec_id is not None
        and run.spec_id.lower() == pending.body.get("spec_id")
        and (version is None or run.spec_version is None or run.spec_version == version)
        and (created_at is None or created_at >= pending.not_before - CLOCK_TOLERANCE)
    )


def fits(pending: Pending, run: Run) -> bool:
    """Every field that was sent equals what the run reports."""
    reported = run.runtime_params
    if reported is None:
        return False
    for name, value in pending.body.items():
        if name in NEVER_REPORTED:
            continue
        said = run.spec_version if name == "spec_version" else reported.get(name)
        if said is None and name in _NULLED:
            continue
        if name in LIST_FIELDS:
            said = said or []
        if normal(said) != normal(value):
            return False
    return True


def settle(
    pendings: Sequence[Pending],
    candidates: Mapping[str, Sequence[Run]],
    now: float,
    complete_at: Sequence[float],
    patience: Patience,
) -> dict[str, Verdict]:
    """A verdict for each pending submission. ``candidates`` by attempt id, in full; ``complete_at``: when listings were
    seen that were whole.
    """
    runs = {run.id: run for found in candidates.values() for run in found}
    fitting = {p.attempt_id: [run.id for run in candidates[p.attempt_id] if fits(p, run)] for p in pendings}
    taken = {run_id for found in fitting.values() for run_id in found}
    groups = groups_of(fitting, {pending.attempt_id: pending.kind for pending in pendings})
    verdicts: dict[str, Verdict] = {}
    for component in components(groups):
        sizes = {group: groups[group] for group in component}
        members = [p for p in pendings if (p.kind, tuple(sorted(fitting[p.attempt_id]))) in sizes]
        rivals = sorted({run_id for _, found in component for run_id in found})
        if len(rivals) > len(members):
            said = f"{len(rivals)} runs fit {len(members)} submission(s)"
            shown = tuple(runs[run_id] for run_id in rivals)
            verdicts |= {p.attempt_id: Verdict(Standing.AMBIGUOUS, said, candidates=shown) for p in members}
            continue
        certain = certain_runs(sizes)
        for kind in dict.fromkeys(pending.kind for pending in members):
            equals = [pending for pending in members if pending.kind == kind]
            mine = certain.get(kind, [])
            owned = _deal(equals, mine)
            for pending in equals:
                found = fitting[pending.attempt_id]
                disputed = [runs[run_id] for run_id in found if run_id not in mine]
                near = [run for run in candidates[pending.attempt_id] if run.id not in taken and _near(pending, run)]
                own = runs.get(owned.get(pending.attempt_id, ""))
                verdicts[pending.attempt_id] = _judge(pending, own, disputed, near, now, complete_at, patience)
    return verdicts


def _deal(members: Sequence[Pending], certain: Sequence[str]) -> dict[str, str]:
    """Give a kind's runs to its members; one that was adopted before keeps its run."""
    dealt = {pending.attempt_id: pending.run_id for pending in members if pending.run_id in certain and pending.run_id}
    left = [run_id for run_id in certain if run_id not in dealt.values()]
    for pending in members:
        if pending.attempt_id not in dealt and left:
            dealt[pending.attempt_id] = left.pop(0)
    return dealt


def _judge(
    pending: Pending,
    own: Run | None,
    disputed: Sequence[Run],
    near: Sequence[Run],
    now: float,
    complete_at: Sequence[float],
    patience: Patience,
) -> Verdict:
    settle_at, dead_at = pending.deadline + patience.settle, pending.deadline + patience.dead
    complete = sum(1 for moment in complete_at if moment >= dead_at)
    if own is not None:
        if now < settle_at:
            return Verdict(Standing.WAITING, f"run {own.id} fits; another may still appear", until=settle_at)
        if complete:
            return Verdict(Standing.ADOPT, f"run {own.id} is the only one that fits", own, confirmed=True)
        said = f"run {own.id} fits, and is followed; certain once nothing else can appear"
        return Verdict(Standing.ADOPT, said, own, until=dead_at)
    if disputed:
        said = "runs fit it that fit other submissions as well"
        until = dead_at if now < dead_at else None
        return Verdict(Standing.AMBIGUOUS, said, candidates=tuple(disputed), until=until)
    if now < dead_at:
        return Verdict(Standing.WAITING, "no run that fits is listed yet", until=dead_at)
    if near:
        said = "a run of its spec and size differs in what the service reports"
        return Verdict(Standing.AMBIGUOUS, said, candidates=tuple(near))
    if complete < patience.lists:
        return Verdict(Standing.WAITING, "no run fits; a whole list is needed twice", until=now)
    return Verdict(Standing.ABSENT, "no run fits, and none can appear any more")


def _near(pending: Pending, run: Run) -> bool:
    """The same spec and sample count, as far as the service reports them."""
    samples = None if run.runtime_params is None else run.runtime_params.get("number_of_samples")
    return samples is None or samples == pending.body.get("number_of_samples")
