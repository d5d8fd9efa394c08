"""Which run belongs to which submission, as far as that is certain. Pure.

Submissions that can't be told apart (the same body, and the same runs fit them) are one *group* with a size, so a
hundred equal submissions cost no more than one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

Group = tuple[Hashable, tuple[str, ...]]  # the kind of its submissions, and the runs that fit them


def groups_of(fits: Mapping[str, Sequence[str]], kinds: Mapping[str, Hashable]) -> Counter[Group]:
    """Groups with their sizes."""
    return Counter((kinds[submission], tuple(sorted(runs))) for submission, runs in fits.items())


def matching_size(groups: Mapping[Group, int], without: tuple[Hashable, str] | None = None) -> int:
    """How many submissions can have a run of their own at the most (augmenting paths). ``without``: a kind and a run
    that must not go together.
    """
    owner: dict[str, Group] = {}

    def place(group: Group, tried: set[str]) -> bool:
        kind, runs = group
        for run in runs:
            if run in tried or (kind, run) == without:
                continue
            tried.add(run)
            if run not in owner or (owner[run] != group and place(owner[run], tried)):
                owner[run] = group
                return True
        return False

    return sum(place(group, set()) for group, size in groups.items() for _ in range(min(size, len(group[1]))))


def components(groups: Mapping[Group, int]) -> list[list[Group]]:
    """Groups that hang together by runs that fit several of them."""
    by_run: dict[str, list[Group]] = {}
    for group in groups:
        for run in group[1]:
            by_run.setdefault(run, []).append(group)
    found: list[list[Group]] = []
    seen: set[Group] = set()
    for first in groups:
        if first in seen:
            continue
        seen.add(first)
        component, queue = list[Group](), [first]
        while queue:
            group = queue.pop()
            component.append(group)
            fresh = [other for run in group[1] for other in by_run[run] if other not in seen]
            seen.update(fresh)
            queue += dict.fromkeys(fresh)
        found.append(component)
    return found


def certain_runs(groups: Mapping[Group, int]) -> dict[Hashable, list[str]]:
    """For each kind the runs that every maximum matching gives to a submission of it."""
    size = matching_size(groups)
    alike: dict[frozenset[Group], list[str]] = {}  # runs that fit the same groups are equally certain
    for run in dict.fromkeys(run for _, runs in groups for run in runs):
        alike.setdefault(frozenset(group for group in groups if run in group[1]), []).append(run)
    certain: dict[Hashable, list[str]] = {}
    for fitting, runs in alike.items():
        for kind in dict.fromkeys(kind for kind, _ in fitting):
            if matching_size(groups, without=(kind, runs[0])) < size:
                certain.setdefault(kind, []).extend(runs)
    return certain
