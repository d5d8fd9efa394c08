"""What is under way when the process dies: declarations before and after, and how the service answers."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.project import Project, run, said
from tests.campaign.older import make_older
from tests.campaign.states import SqliteState, State, States
from tests.campaign.subject import APPLY, MATCH, Nursery, Subject, Wanted
from tests.service import FakeService, Run, answers

Declarations = tuple[str, ...]
SOON = {"RECONCILER_SETTLE_SECONDS": "0.1", "RECONCILER_DEAD_SECONDS": "0.8"}


def _fair(service: FakeService) -> None:
    """Nothing goes wrong but the process."""


def _lost(samples: int) -> Callable[[FakeService], None]:
    return lambda service: service.script_create(answers.failed_after_creating(500), samples=samples)


def _rests(samples: int) -> Callable[[FakeService], None]:
    return lambda service: service.finish(service.run_of(samples).id)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One situation. ``before``: applied one after the other, without waiting, once for all cases."""

    now: Declarations
    wanted: Wanted
    before: tuple[Declarations, ...] = ()
    working: bool = True  # what ``before`` bought still works
    then: Callable[[FakeService], None] = _fair  # after each of ``before``
    answers: Callable[[FakeService], None] = _fair  # to what is submitted now
    cancel_polls: tuple[int, ...] = (0,)  # looks until a cancel is done
    older: bool = False  # the state that ``before`` made is one of the product's first version
    lost: bool = False  # the state that ``before`` made; the runs are still there
    mend: tuple[str, ...] = ()  # what a person types after the crash, before the next apply
    env: dict[str, str] = field(default_factory=dict)


_A, _B, _C = run("a", 10), run("b", 11), run("c", 12)
_THREE = Wanted({"run.a": 10, "run.b": 11, "run.c": 12})
_REPLACED = Wanted({"run.a": 20, "run.b": 21}, stopped=frozenset({10, 11}))
_ONLY_B = {"run.b": 11}
_TWENTY, _TWENTY_ONE = run("a", 20), run("b", 21)
_MOVED = '[[moved]]\nfrom = "run.a"\nto = "run.z"\n'
_Z = run("z", 10)
_AFTER_A, _AFTER_B = run("b", 11, depends_on=["run.a"]), run("c", 12, depends_on=["run.b"])
_DELETING = run("a", 10, lifecycle={"on_remove": "delete"})

SCENARIOS = {
    "new runs": Scenario((_A, _B, _C), _THREE),
    "refused for now": Scenario(
        (_A, _B, _C), _THREE, answers=lambda service: service.script_create(answers.slow_down("0"), samples=10)
    ),
    "refused": Scenario(
        (_A, _B, _C), _THREE, answers=lambda service: service.script_create(answers.refused(400), samples=10)
    ),
    "answer lost": Scenario((_A, _B, _C), _THREE, answers=_lost(10)),
    "answer lost, long wait": Scenario((_A, _B), Wanted({"run.a": 10, "run.b": 11}), answers=_lost(10),
                                       env={"RECONCILER_DEAD_SECONDS": "2.4"}),
    "never arrived": Scenario(
        (_A, _B), Wanted({"run.a": 10, "run.b": 11}),
        answers=lambda service: service.script_create(answers.dropped(creates=False), samples=10),
    ),
    "working runs replaced": Scenario((_TWENTY, _TWENTY_ONE), _REPLACED, before=((_A, _B),), cancel_polls=(0, 2)),
    "working runs replaced, answer lost": Scenario(
        (_TWENTY, _TWENTY_ONE), _REPLACED, before=((_A, _B),), answers=_lost(20), cancel_polls=(0, 2)
    ),
    "working run taken out": Scenario(
        (_B,), Wanted(_ONLY_B, stopped=frozenset({10})), before=((_A, _B),), then=_rests(11), cancel_polls=(0, 2)
    ),
    "finished run taken out": Scenario(
        (_B,), Wanted(_ONLY_B, rested=frozenset({10})), before=((_A, _B),), working=False
    ),
    "run to be deleted": Scenario(
        (_B,), Wanted(_ONLY_B, removed=frozenset({10})), before=((_DELETING, _B),), then=_rests(11), cancel_polls=(0, 2)
    ),
    "change taken back": Scenario(
        (_A,), Wanted({"run.a": 10}, stopped=frozenset({20})), before=((_A,), (_TWENTY,)), then=_rests(10)
    ),
    "older state": Scenario((_TWENTY, _TWENTY_ONE), _REPLACED, before=((_A, _B),), older=True),
    "state lost": Scenario(
        (_A, _B), Wanted({"run.a": 10, "run.b": 11}), before=((_A, _B),), working=False, lost=True, mend=MATCH
    ),
    "renamed": Scenario((_Z, _C, _MOVED), Wanted({"run.z": 10, "run.c": 12}), before=((_A,),), working=False),
    "renamed while it works, and changed": Scenario(
        (run("z", 20), _C, _MOVED), Wanted({"run.z": 20, "run.c": 12}, stopped=frozenset({10})), before=((_A,),),
        cancel_polls=(0, 2),
    ),
    "in order": Scenario((_A, _AFTER_A, _AFTER_B), _THREE),
    "in order, answer lost": Scenario((_A, _AFTER_A, _AFTER_B), _THREE, answers=_lost(11)),
    "lifecycle changed": Scenario(
        (run("a", 10, lifecycle={"protect": True}),), Wanted({"run.a": 10}), before=((_A,),), working=False
    ),
}  # fmt: skip


@dataclass(slots=True)
class _Base:
    """A scenario's past: a folder and a state to copy, and the runs of the service."""

    folder: Path
    runs: dict[str, Run]
    state: State


class Workshop:
    """Makes subjects, each in a folder of its own. A scenario's past is made once, by real applies, and copied."""

    def __init__(self, folder: Path, service: FakeService, nursery: Nursery, states: States) -> None:
        self._folder = folder
        self._states = states
        self._nursery = nursery
        self._service = service
        self._bases: dict[str, _Base] = {}
        self._made = 0

    def make(self, name: str, cancel_polls: int = 0) -> Subject:
        """The subject of a scenario, ready to be hurt."""
        scenario, service = SCENARIOS[name], self._service
        if scenario.before and name not in self._bases:
            self._bases[name] = self._past(name)
        self._reset(polls=1)
        subject = self._subject(f"case-{self._made}", self._bases.get(name))
        self._made += 1
        service.cancel_polls = cancel_polls
        subject.project.declare(*scenario.now)
        subject.project.env |= SOON | scenario.env
        if scenario.older:
            assert isinstance(subject.state, SqliteState)
            make_older(subject.state.database)
        if scenario.lost:
            subject.state.lose()
        scenario.answers(service)
        return subject

    def drop(self, subject: Subject) -> None:
        """Remove a subject's folder and state."""
        subject.state.drop()
        shutil.rmtree(subject.project.folder)

    def _reset(self, polls: int | None) -> None:
        service = self._service
        service.runs, service.requests, service.polls, service.cancel_polls = {}, [], polls, 0
        service.unscript()

    def _past(self, name: str) -> _Base:
        scenario, service = SCENARIOS[name], self._service
        self._reset(polls=None if scenario.working else 1)
        subject = self._subject(f"base-{len(self._bases)}", None)
        for declarations in scenario.before:
            subject.project.declare(*declarations)
            done = subject.run(*APPLY, *(["--no-wait"] if scenario.working else []))
            assert done.returncode == 0, said(done)
            scenario.then(service)
        return _Base(subject.project.folder, copy.deepcopy(service.runs), subject.state)

    def _subject(self, name: str, base: _Base | None) -> Subject:
        folder = self._folder / name
        folder.mkdir()
        project = Project(folder, self._service.url)
        if base is not None:
            shutil.rmtree(folder)
            shutil.copytree(base.folder, folder)
            self._service.runs = copy.deepcopy(base.runs)
        state = self._states.make(project, base.state if base else None)
        return Subject(project, self._service, self._nursery, state)
