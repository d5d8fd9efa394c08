"""Two applies at once on one state: one works, the other one leaves with exit code 5, or waits if it was told to.

    python -m tests.campaign.pairs [--count 200] [--state postgres] [--seed 1] [--workers 4] [--json FILE]

Three kinds, in turn. *refused*: both start at once while the service holds its answers back, so that the first is
surely at work. *waiting*: the same with ``--lock-timeout 30s``. *following*: the first one's runs do not finish; a
second apply submits what was added meanwhile, and both see the end. On one file both work in one folder; with a state
in PostgreSQL they are two machines (:mod:`tests.campaign.machines`).
"""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.project import Project, run
from tests.campaign.figures import Figures, finish, options
from tests.campaign.machines import HOSTS, Machine, has_namespaces
from tests.campaign.states import States, campaign_states
from tests.campaign.subject import APPLY, Nursery, Subject, Wanted
from tests.service import FakeService

COUNT = 200
KINDS = ("refused", "waiting", "following")
_FIRST = {"run.a": 10, "run.b": 11, "run.c": 12}
_MORE = _FIRST | {"run.d": 13, "run.e": 14}
_LONG = 60.0


@dataclass(slots=True)
class Tally:
    """What all workers counted."""

    codes: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    pairs: int = 0
    bought: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)


@dataclass(slots=True)
class Two(Subject):
    """A subject that two people work on, ``other`` the second one: the same folder, or another machine."""

    other: Project | None = None

    @property
    def seconds(self) -> Project:
        return self.other or self.project

    def declare(self, sizes: dict[str, int]) -> None:
        declared = [run(address.removeprefix("run."), samples) for address, samples in sizes.items()]
        for project in (self.project, self.seconds):
            project.declare(*declared, apply="parallelism = 2")


def _at_once(subject: Two, chance: random.Random, *more: str) -> Iterator[tuple[Project, int, str]]:
    """Two applies: while creates are held, one of them has some in flight. Yields for each whose it was, its exit code,
    and what it said.
    """
    service, projects = subject.service, [subject.project, subject.seconds]
    chance.shuffle(projects)
    with service.creates_held():
        pair = [projects[0].start(*APPLY, *more)]
        time.sleep(chance.choice((0.0, 0.0, 0.1, 0.3, 0.6)))
        pair.append(projects[1].start(*APPLY, *more))
        service.wait_for(lambda: len(service.creates) >= 2)
        if not more:  # the one that is refused leaves while the other one is still held
            _until(lambda: any(process.poll() is not None for process in pair))
        else:
            time.sleep(chance.random())
    for project, process in zip(projects, pair, strict=True):
        yield project, _ended(process, subject), subject.told[-1]


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LONG
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain")
        time.sleep(0.02)


def _ended(process: subprocess.Popen[str], subject: Subject) -> int:
    out, err = process.communicate(timeout=_LONG)
    subject.told.append(f"exited with {process.returncode}:\n{out}{err}")
    return process.returncode


def refused(subject: Two, chance: random.Random) -> tuple[str, dict[str, int], list[str]]:
    """Without ``--lock-timeout``: exit codes 0 and 5."""
    subject.declare(_FIRST)
    ended = list(_at_once(subject, chance))
    codes = sorted(code for _, code, _ in ended)
    found = [] if codes == [0, 5] else [f"exit codes {codes}, not 0 and 5"]
    for project, code, text in ended:
        other = subject.seconds if project is subject.project else subject.project
        if code == 5 and isinstance(other, Machine) and f"@{other.host} (process " not in text:
            found.append(f"who was refused is not told that {other.host} has the lock: {text}")
    return _said("refused", codes), _FIRST, found


def waiting(subject: Two, chance: random.Random) -> tuple[str, dict[str, int], list[str]]:
    """With ``--lock-timeout``: the second one finds everything done."""
    subject.declare(_FIRST)
    codes = sorted(code for _, code, _ in _at_once(subject, chance, "--lock-timeout", "30s"))
    return _said("waiting", codes), _FIRST, [] if codes == [0, 0] else [f"exit codes {codes}, not 0 and 0"]


def following(subject: Two, chance: random.Random) -> tuple[str, dict[str, int], list[str]]:
    """The first one has given the lock back and follows."""
    service = subject.service
    service.polls = None
    subject.declare(_FIRST)
    first = subject.project.start(*APPLY)
    service.wait_for(lambda: len(service.runs) == len(_FIRST))
    _until(lambda: any(request.method == "GET" and request.at > service.creates[-1].at for request in service.requests))
    subject.declare(_MORE)
    second = subject.seconds.start(*APPLY)
    service.wait_for(lambda: len(service.runs) == len(_MORE) or second.poll() is not None)
    found = [] if first.poll() is None else ["the first apply did not follow"]
    found += [] if len(service.runs) == len(_MORE) else ["the second apply did not submit while the first one followed"]
    for run_id in service.run_ids:
        service.finish(run_id)
    codes = [_ended(first, subject), _ended(second, subject)]
    return _said("following", codes), _MORE, found + ([] if codes == [0, 0] else [f"exit codes {codes}, not 0 and 0"])


def _said(kind: str, codes: list[int]) -> str:
    return f"{kind}: exit codes {codes[0]} and {codes[1]}"


_PAIRS = {"refused": refused, "waiting": waiting, "following": following}


def _two(folder: Path, service: FakeService, nursery: Nursery, states: States) -> Two:
    if states.name == "sqlite":
        project = Project(folder, service.url)
        return Two(project, service, nursery, states.make(project))
    first, second = (Machine(folder / host, service.url, host) for host in HOSTS)
    state = states.make(first)
    second.env["RECONCILER_STATE_URL"] = first.env["RECONCILER_STATE_URL"]
    return Two(first, service, nursery, state, other=second)


def pair(
    kind: str, folder: Path, nursery: Nursery, states: States, chance: random.Random, tally: Tally, name: str
) -> None:
    """One pair on a state of its own."""
    with FakeService() as service:
        subject = _two(folder, service, nursery, states)
        try:
            how, sizes, found = _PAIRS[kind](subject, chance)
            found += subject.converge(rounds=1)
            found += subject.problems(Wanted(sizes))
            if subject.other and subject.other.run("plan", "--detailed-exitcode").returncode != 0:
                found.append("the second one has something left to do")
        finally:
            subject.project.close()
            subject.seconds.close()
        if len(service.creates) != len(sizes):
            found.append(f"{len(service.creates)} create calls for {len(sizes)} runs")
    subject.state.drop()
    with tally.guard:
        tally.pairs += 1
        tally.bought += len(service.runs)
        tally.codes[how] += 1
        tally.violations += [f"{name}, {kind}: {text}" for text in found]
    if found:
        print(f"--- {name}, {kind}: {found}", *subject.told, sep="\n", file=sys.stderr)


def campaign(count: int, seed: int, workers: int, folder: Path, states: States) -> Figures:
    """``count`` pairs."""
    tally, numbers, started = Tally(), itertools.count(), time.monotonic()

    def work(_: int) -> None:
        with Nursery() as nursery:
            while True:
                with tally.guard:
                    number = next(numbers)
                if number >= count:
                    return
                own = folder / f"pair-{number}"
                own.mkdir()
                chance = random.Random(f"{seed}/{number}")
                try:
                    pair(KINDS[number % len(KINDS)], own, nursery, states, chance, tally, f"pair {number}")
                except Exception as problem:  # noqa: BLE001 a pair that breaks is a violation, and the others go on
                    with tally.guard:
                        tally.violations.append(f"pair {number}: {type(problem).__name__}: {problem}")

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    figures = Figures(f"Pairs of concurrent applies, state in {states.name} (seed {seed})", violations=tally.violations)
    figures.counts = {"pairs": tally.pairs, "runs bought": tally.bought, "seconds": time.monotonic() - started}
    if states.name == "postgres":
        own = "a UTS namespace each" if has_namespaces() else "told to Python"
        figures.counts["machines"] = f"two, with homes, checkouts and names of their own ({own})"
    figures.by_point = dict(sorted(tally.codes.items()))
    return figures


def main() -> int:
    """Run the pairs."""
    parser = options("Pairs of concurrent applies on one state.", COUNT)
    parser.add_argument("--workers", type=int, default=4, help="pairs at once (default 4)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pairs-") as folder, campaign_states(chosen.state) as states:
        return finish(chosen, campaign(chosen.count, chosen.seed, chosen.workers, Path(folder), states))


if __name__ == "__main__":
    sys.exit(main())
