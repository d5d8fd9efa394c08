"""Unknown submissions and the runs that they may be: what is compared, and what every explanation agrees on. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import force_setattr

from reconciler.applying.matching import Group, certain_runs, components, groups_of, matching_size
from reconciler.dataframer.fields import LIST_FIELDS, NEVER_REPORTED
from reconciler.model.request import canonical_json, normal
from reconciler.model.run import Run

CLOCK_TOLERANCE: Final = 300.0  # between our baseline and the service's created_at
_SHARED: Final = "runs fit it that fit other submissions as well"
_NEAR: Final = "a run of its spec and size differs in what the service reports"
# The service reports null for these where the stage is off.
_NULLED: Final = (
    "revision_model",
    "max_revision_cycles",
    "max_examples_in_prompt",
    "generation_thinking_budget",
    "outline_thinking_budget",
    "revision_thinking_budget",
)


class Pending(Struct, frozen=True):
    """One submission that is not certain. Times in seconds since the epoch; ``deadline``: its POST was over by then."""

    attempt_id: str
    address: str
    body: Mapping[str, Any]  # as sent, less secrets
    baseline: frozenset[str]  # runs of its spec that were there before
    not_before: float  # the service's clock: a run that is older is not ours
    deadline: float
    run_id: str | None = None  # adopted provisionally
    kind: Hashable = ""  # made here: equal for submissions that can't be told apart

    def __post_init__(self) -> None:
        same = canonical_json({name: normal(value) for name, value in self.body.items()})
        force_setattr(self, "kind", same)


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


def differing(pending: Pending, run: Run) -> frozenset[str] | None:
    """The fields that were sent and are reported otherwise; None where the run reports nothing."""
    reported = run.runtime_params
    if reported is None:
        return None
    found = set()
    for name, value in pending.body.items():
        if name in NEVER_REPORTED:
            continue
        said = run.spec_version if name == "spec_version" else reported.get(name)
        if said is None and name in _NULLED:
            continue
        if name in LIST_FIELDS:
            said = said or []
        if normal(said) != normal(value):
            found.add(name)
    return frozenset(found)


def fits(pending: Pending, run: Run) -> bool:
    """Every field that was sent equals what the run reports."""
    return differing(pending, run) == frozenset()


def near_runs(
    pendings: Sequence[Pending], candidates: Mapping[str, Sequence[Run]], fitting: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Runs of a submission's spec and sample count that differ in another field, which the service may have rewritten.
    A run that fits another submission which asked for just these values is that one's.
    """
    asked: dict[str, list[frozenset[str]]] = {}  # by run: the fields that the submissions which it fits sent
    for pending in pendings:
        for run_id in fitting[pending.attempt_id]:
            asked.setdefault(run_id, []).append(frozenset(pending.body))
    found: dict[str, list[str]] = {}
    for pending in pendings:
        mine = found[pending.attempt_id] = []
        for run in candidates[pending.attempt_id]:
            other = differing(pending, run) or frozenset()
            samples = (run.runtime_params or {}).get("number_of_samples")
            alike = samples in (None, pending.body.get("number_of_samples"))
            if (
                alike
                and (other or run.runtime_params is None)
                and not any(other <= names for names in asked.get(run.id, ()))
            ):
                mine.append(run.id)
    return found


class Claim(Struct, frozen=True):
    """What the runs that are there allow to say of one submission: its own run, or those that it may be."""

    own: str | None = None
    disputed: tuple[str, ...] = ()
    why: str = ""
    for_good: bool = False  # more time changes nothing


def claims_of(pendings: Sequence[Pending], fitting: Mapping[str, Sequence[str]]) -> dict[str, Claim]:
    """Match submissions with the runs that fit them: a run is one's own where every largest matching says so."""
    claims: dict[str, Claim] = {}
    for members, rivals, groups in _connected(pendings, fitting):
        if len(rivals) > len(members):
            said = f"{len(rivals)} runs fit {len(members)} submission(s)"
            claims |= {p.attempt_id: Claim(None, rivals, said, for_good=True) for p in members}
            continue
        certain = certain_runs(groups)
        for kind in dict.fromkeys(pending.kind for pending in members):
            equals = [pending for pending in members if pending.kind == kind]
            mine = certain.get(kind, [])
            owned = _deal(equals, mine, fitting)
            for pending in equals:
                may_be = tuple(run_id for run_id in fitting[pending.attempt_id] if run_id not in mine)
                claims[pending.attempt_id] = Claim(owned.get(pending.attempt_id), may_be, _SHARED)
    return claims


def doubted(
    pendings: Sequence[Pending], fitting: Mapping[str, Sequence[str]], near: Mapping[str, Sequence[str]]
) -> dict[str, Claim]:
    """Submissions of which nothing can be said for good, because a near run may be theirs, or that of one which they
    share runs with. There is no doubt where each of them has a run that fits, and no run is left over.
    """
    either = {attempt_id: [*found, *near[attempt_id]] for attempt_id, found in fitting.items()}
    claims: dict[str, Claim] = {}
    for members, rivals, _ in _connected(pendings, either):
        if not any(near[p.attempt_id] for p in members):
            continue
        exact = groups_of(
            {p.attempt_id: fitting[p.attempt_id] for p in members}, {p.attempt_id: p.kind for p in members}
        )
        if not len(rivals) == len(members) == matching_size(exact):
            claims |= {p.attempt_id: Claim(None, tuple(either[p.attempt_id]), _NEAR) for p in members}
    return claims


def _connected(
    pendings: Sequence[Pending], edges: Mapping[str, Sequence[str]]
) -> Iterator[tuple[list[Pending], tuple[str, ...], dict[Group, int]]]:
    """Submissions that hang together by runs, with those runs and their groups."""
    groups = groups_of(edges, {pending.attempt_id: pending.kind for pending in pendings})
    of_group: dict[Group, list[Pending]] = {}
    for pending in pendings:
        of_group.setdefault((pending.kind, tuple(sorted(edges[pending.attempt_id]))), []).append(pending)
    for component in components(groups):
        members = [pending for group in component for pending in of_group[group]]
        rivals = tuple(sorted({run_id for _, found in component for run_id in found}))
        yield members, rivals, {group: groups[group] for group in component}


def _deal(members: Sequence[Pending], certain: Sequence[str], fitting: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Give a kind's runs to its members, each to one that it fits: their baselines may differ. One that was adopted
    before keeps its run, if that is possible. By attempt id.
    """
    holder: dict[str, str] = {}  # of a run
    held: dict[str, str] = {}  # by a member
    of_run = {run_id: [p.attempt_id for p in members if run_id in fitting[p.attempt_id]] for run_id in certain}

    def give(run_id: str, tried: set[str]) -> bool:
        free = [member for member in of_run[run_id] if member not in held]
        for member in free[:1] or of_run[run_id]:
            if member in tried:
                continue
            tried.add(member)
            if member not in held or give(held[member], tried):
                holder[run_id], held[member] = member, run_id
                return True
        return False

    for pending in members:
        if pending.run_id in of_run and pending.attempt_id in of_run[pending.run_id]:
            holder[pending.run_id], held[pending.attempt_id] = pending.attempt_id, pending.run_id
    for run_id in certain:
        if run_id not in holder:
            give(run_id, set())
    return {member: run_id for run_id, member in holder.items()}
