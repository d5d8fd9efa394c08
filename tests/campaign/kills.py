"""Real SIGKILLs of the real command line at every point of the journal; then it converges, and nothing is bought twice.

    python -m tests.campaign.kills [--count 1000] [--state postgres [--cut]] [--seed 1] [--workers 4] [--json FILE]

Each case leads a project to a point, kills the process there, mostly kills the next one as well at any point whatever,
and then applies until there is nothing left to do. Points are visited in turn, so each gets its share. With ``--cut``
the process lives on, and loses its session with the state's server instead.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaign.figures import Figures, finish, options
from tests.campaign.points import Point, points
from tests.campaign.scenarios import SCENARIOS, Workshop
from tests.campaign.states import States, campaign_states
from tests.campaign.subject import APPLY, Nursery, Subject
from tests.service import FakeService

COUNT = 1000
_SECOND_KILL = 0.8  # how often the next process dies as well
_FARTHEST = 40  # points that an apply passes, roughly: where a second kill may fall
_OWED = ("owed cancel, before its first byte", "after ACCEPTED, cancel owed")


@dataclass(slots=True)
class Tally:
    """What all workers counted."""

    kills: int = 0
    cases: int = 0
    broken: int = 0  # cases that came to no end; counted, or a campaign would have none either
    applies: int = 0
    resolves: int = 0
    left_over: int = 0
    planned: Counter[str] = field(default_factory=Counter)  # kills at the point that a case is about
    met: Counter[str] = field(default_factory=Counter)  # every kill, by the point where it happened
    violations: list[str] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def killed(self, name: str, title: str = "") -> None:
        with self.guard:
            self.kills += 1
            self.met[name] += 1
            if title:
                self.planned[title] += 1


def kill_and_converge(
    point: Point, workshop: Workshop, chance: random.Random, tally: Tally, case: str, cut: bool = False
) -> None:
    """One case."""
    cancel_polls, nth = chance.choice(SCENARIOS[point.scenario].cancel_polls), chance.randint(1, point.most)
    subject = _killed(point, workshop, cancel_polls, nth, tally, cut)
    if subject is None and nth > 1:  # commits may be shared, so that fewer are made
        subject = _killed(point, workshop, cancel_polls, 1, tally, cut)
    if subject is None:
        with tally.guard:
            tally.violations.append(f"{case}, {point.title}: never reached")
            tally.broken += 1
        return
    found = _owed_is_shown(subject) if point.title in _OWED and not cut else []
    if chance.random() < _SECOND_KILL:
        died = (subject.cut if cut else subject.dying)(*APPLY, point="any", nth=chance.randint(1, _FARTHEST))
        if died is not None:
            tally.killed(died)
    if SCENARIOS[point.scenario].mend:
        subject.run(*SCENARIOS[point.scenario].mend)
    found += subject.converge()
    found += subject.problems(SCENARIOS[point.scenario].wanted)
    with tally.guard:
        tally.cases += 1
        tally.applies += subject.applies
        tally.resolves += subject.resolves
        tally.left_over += subject.left_over
        tally.violations += [f"{case}, {point.title}: {text}" for text in found]
    if found:
        print(f"--- {case}, {point.title}: {found}", *subject.told, sep="\n", file=sys.stderr)
    workshop.drop(subject)


def _killed(point: Point, workshop: Workshop, cancel_polls: int, nth: int, tally: Tally, cut: bool) -> Subject | None:
    """A subject whose process died (or was cut off) at this point; None if it never got there."""
    subject = workshop.make(point.scenario, cancel_polls)
    if point.first:
        died = subject.dying(*APPLY, point=point.first)
        assert died is not None, f"{point.first!r} was never reached"
        tally.killed(died)
    if point.full:
        code = subject.filling(*APPLY, point=point.full)
        assert code == 1, f"apply on a state that takes no writes exits with {code}"
    if point.ahead:
        subject.run(*point.ahead)
    hurt = subject.cut if cut else subject.dying
    died = hurt(*point.command, point=point.name, nth=nth, armed_by=point.armed_by)
    if died is None:
        workshop.drop(subject)
        return None
    tally.killed(died, point.title)
    return subject


def _owed_is_shown(subject: Subject) -> list[str]:
    """Between the acceptance and the cancel every plan shows what is owed."""
    working = [run for run in subject.service.runs.values() if run.samples in (10, 11) and run.status != "CANCELED"]
    plan = subject.run("plan", "--detailed-exitcode")
    if plan.returncode != 2 or not any(run.id in plan.stdout for run in working):
        return [f"the owed cancel is not in the plan (exit {plan.returncode})"]
    return []


def campaign(count: int, seed: int, workers: int, folder: Path, states: States, *, cut: bool = False) -> Figures:
    """At least ``count`` kills (or cuts), spread evenly over the points."""
    everything = list(points(states.name))
    random.Random(seed).shuffle(everything)
    queue = itertools.cycle(everything)
    tally, numbers = Tally(), itertools.count()
    started = time.monotonic()

    def work(worker: int) -> None:
        with FakeService() as service, Nursery() as nursery:
            own = folder / f"worker-{worker}"
            own.mkdir()
            workshop = Workshop(own, service, nursery, states)
            while True:
                with tally.guard:
                    if tally.kills + tally.broken >= count:
                        return
                    point, number = next(queue), next(numbers)
                chance = random.Random(f"{seed}/{number}")
                try:
                    kill_and_converge(point, workshop, chance, tally, f"case {number}", cut)
                except Exception as problem:  # noqa: BLE001 a case that breaks is a violation, and the others go on
                    with tally.guard:
                        tally.violations.append(f"case {number}, {point.title}: {type(problem).__name__}: {problem}")
                        tally.broken += 1

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    what = "A lost session" if cut else "SIGKILL"
    title = f"{what} at every point of the journal, state in {states.name} (seed {seed})"
    figures = Figures(title, violations=tally.violations)
    figures.counts = {
        "cuts" if cut else "kills": tally.kills,
        "different points met": len(tally.met),
        "points aimed at": len(tally.planned),
        "fewest at one of them": min(tally.planned.values(), default=0),
        "cases": tally.cases,
        "applies until all was done": tally.applies,
        "exits with 0, though more is to do": tally.left_over,
        "decided with resolve": tally.resolves,
        "seconds": time.monotonic() - started,
    }
    figures.by_point = {f"{name}": tally.met[name] for name in sorted(tally.met)}
    if tally.cases >= len(everything):
        missing = [point.title for point in everything if not tally.planned[point.title]]
        figures.violations += [f"nothing happened at: {title}" for title in missing]
    return figures


def main() -> int:
    """Run the campaign."""
    parser = options("Real SIGKILLs at every point of the journal.", COUNT)
    parser.add_argument("--workers", type=int, default=2 * (os.cpu_count() or 1), help="cases at once")
    parser.add_argument("--cut", action="store_true", help="end sessions instead of processes (postgres)")
    chosen = parser.parse_args()
    if chosen.cut and chosen.state != "postgres":
        parser.error("--cut needs --state postgres")
    with tempfile.TemporaryDirectory(prefix="kills-") as folder, campaign_states(chosen.state) as states:
        figures = campaign(chosen.count, chosen.seed, chosen.workers, Path(folder), states, cut=chosen.cut)
        return finish(chosen, figures)


if __name__ == "__main__":
    sys.exit(main())
