"""Every point at which a process can die with a difference, and the situation that leads there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.campaign.subject import APPLY, MATCH, RESUBMIT

Command = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """``name`` as the launcher tells it; ``most``: the trap may shut at the first to the ``most``-th time."""

    name: str
    scenario: str
    most: int = 1
    armed_by: str = ""
    first: str = ""  # another point: die there before, so that there is something to settle
    full: str = ""  # another point: from there on the state takes no writes (the disk is full), in an apply before
    ahead: Command = ()  # a command that runs to its end before
    command: Command = APPLY
    label: str = ""  # where the name alone does not say it

    @property
    def title(self) -> str:
        """For the table."""
        return self.label or self.name


# What is committed, the situation that leads to it, and how often.
_COMMITS: tuple[tuple[str, str, int], ...] = (
    ("begin", "new runs", 1),
    ("specs", "new runs", 1),
    ("PREPARED", "new runs", 1),
    ("SENDING", "new runs", 3),
    ("ACCEPTED", "new runs", 3),
    ("observed", "new runs", 1),
    ("PREPARED again", "refused for now", 1),
    ("REJECTED", "refused", 1),
    ("UNKNOWN", "answer lost", 1),
    ("adopted provisionally", "answer lost, long wait", 1),
    ("adopted", "answer lost", 1),
    ("ACCEPTED, cancel owed", "working runs replaced", 2),
    ("adopted, cancel owed", "working runs replaced, answer lost", 1),
    ("paid", "working runs replaced", 2),
    ("cancelled", "working run taken out", 1),
    ("forgotten", "finished run taken out", 1),
    ("deleted", "run to be deleted", 1),
    ("reused", "change taken back", 1),
    ("updated", "lifecycle changed", 1),
    ("moved", "renamed", 1),
    ("ACCEPTED, cancel owed", "renamed while it works, and changed", 1),
    ("SENDING", "in order", 3),
    ("ACCEPTED", "in order", 3),
    ("adopted", "in order, answer lost", 1),
)
# "inside": nothing is decided; "committing": COMMIT is on its way, and nobody has heard of it.
_STAGES = {"sqlite": ("before", "inside", "after"), "postgres": ("before", "inside", "committing", "after")}


def points(kind: str = "sqlite") -> Iterator[Point]:
    """All of them for this kind of state, in the order of a submission's life."""
    yield from _sqlite() if kind == "sqlite" else _postgres()
    yield from _commits(_STAGES[kind])
    yield from _calls()


def _sqlite() -> Iterator[Point]:
    for stage in ("file opened", "its log switched on", "half its tables made", "its tables not committed"):
        yield Point(f"state, {stage}", "new runs", label=f"a new state: {stage}")
    for stage in ("its log switched on", "a table altered", "its tables not committed"):
        yield Point(f"state, {stage}", "older state", label=f"an older state: {stage}")
    yield Point("lock, taken or about to be given back", "new runs", most=2)


def _postgres() -> Iterator[Point]:
    for stage in ("session opened", "half its tables made", "its tables not committed", "its tables made",
                  "its workspace made"):  # fmt: skip
        yield Point(f"state, {stage}", "new runs", label=f"a new state: {stage}")
    for stage in ("the server's alone", "taken", "about to be given back", "given back"):
        yield Point(f"lock, {stage}", "new runs")


def _commits(stages: Sequence[str]) -> Iterator[Point]:
    met: set[str] = set()
    for what, scenario, most in _COMMITS:
        for stage in stages:
            name = f"{stage} {what}"
            yield Point(name, scenario, most, label=f"{scenario}: {name}" if name in met else "")
            met.add(name)
    for stage in stages:
        yield Point(f"{stage} left behind", "new runs", first="create, executed")
        yield Point(f"{stage} resubmit", "never arrived", ahead=APPLY, command=RESUBMIT)
        yield Point(f"{stage} imported", "state lost", most=2, command=MATCH)
        for scenario, what in (("new runs", "adopted"), ("working runs replaced", "adopted, cancel owed")):
            label = f"a rescued id, {scenario}: {stage} {what}"
            yield Point(f"{stage} {what}", scenario, full="create, answered", label=label)


def _calls() -> Iterator[Point]:
    for stage in ("before its first byte", "head sent", "sent", "executed", "answered"):
        yield Point(f"create, {stage}", "new runs", 3)
    for stage in ("before its first byte", "sent", "executed"):
        yield Point(f"cancel, {stage}", "working runs replaced", 2, label=f"owed cancel, {stage}")
        yield Point(f"cancel, {stage}", "working run taken out", label=f"cancel, {stage}")
        yield Point(f"delete, {stage}", "run to be deleted")
    for stage in ("before its first byte", "answered"):
        yield Point(f"list, {stage}", "new runs", armed_by="after begin", label=f"baseline, {stage}")
        yield Point(f"get, {stage}", "new runs", 3, armed_by="after ACCEPTED", label=f"following, {stage}")
        yield Point(f"list, {stage}", "answer lost", armed_by="after UNKNOWN", label=f"settling, listing {stage}")
        yield Point(f"get, {stage}", "answer lost", armed_by="after UNKNOWN", label=f"settling, candidate {stage}")
