"""Two applies at once on one state: one works, the other one leaves with exit code 5, or waits if it was told to.

    python -m tests.campaign.pairs [--count 200] [--seed 1] [--workers 4] [--json FILE]

Three kinds, in turn. *refused*: both start at once while the service holds its answers back, so that the first is
surely at work. *waiting*: the same with ``--lock-timeout 30s``. *following*: the first one's runs do not finish; a
second apply submits what was added meanwhile, and both see the end.
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


def _declare(project: Project, sizes: dict[str, int]) -> None:
    declared = [run(address.removeprefix("run."), samples) for address, samples in sizes.items()]
    project.declare(*declared, apply="parallelism = 2")


def _at_once(subject: Subject, chance: random.Random, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Two applies: while creates are held, one of them has some in flight. Yields the pair, the worker first."""
    project, service = subject.project, subject.service
    with service.creates_held():
        pair = [project.start(*APPLY, *more)]
        time.sleep(chance.choice((0.0, 0.0, 0.1, 0.3, 0.6)))
        pair.append(project.start(*APPLY, *more))
        service.wait_for(lambda: len(service.creates) >= 2)
        if not more:  # the one that is refused leaves while the other one is still held
            _until(lambda: any(process.poll() is not None for process in pair))
        else:
            time.sleep(chance.random())
    yield from pair


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


def refused(subject: Subject, chance: random.Random) -> tuple[str, dict[str, int], list[str]]:
    """Without ``--lock-timeout``: exit codes 0 and 5."""
    _declare(subject.project, _FIRST)
    codes = sorted(_ended(process, subject) for process in _at_once(subject, chance))
    return _said("refused", codes), _FIRST, [] if codes == [0, 5] else [f"exit codes {codes}, not 0 and 5"]


def waiting(subject: Subject, chance: random.Random) -> tuple[str, dict[str, int], list[str]]:
    """With ``--lock-timeout``: the second one finds everything done."""
    _declare(subject.project, _FIRST)
    codes = sorted(_ended(process, subject) for process in _at_once(subject, chance, "--lock-timeout", "30s"))
    return _said("waiting", codes), _FIRST, [] if codes == [0, 0] else [f"exit codes {codes}, not 0 and 0"]


def following(subject: Subject, chance: random.Random) -> tuple[str, dict[str, int], list[str]]:
    """The first one has given the lock back and follows."""
    project, service = subject.project, subject.service
    service.polls = None
    _declare(project, _FIRST)
    first = project.start(*APPLY)
    service.wait_for(lambda: len(service.runs) == len(_FIRST))
    _until(lambda: any(request.method == "GET" and request.at > service.creates[-1].at for request in service.requests))
    _declare(project, _MORE)
    second = project.start(*APPLY)
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


def pair(kind: str, folder: Path, nursery: Nursery, chance: random.Random, tally: Tally, name: str) -> None:
    """One pair on a state of its own."""
    with FakeService() as service:
        subject = Subject(Project(folder, service.url), service, nursery)
        try:
            how, sizes, found = _PAIRS[kind](subject, chance)
            found += subject.converge(rounds=1)
            found += subject.problems(Wanted(sizes))
        finally:
            subject.project.close()
        if len(service.creates) != len(sizes):
            found.append(f"{len(service.creates)} create calls for {len(sizes)} runs")
    with tally.guard:
        tally.pairs += 1
        tally.bought += len(service.runs)
        tally.codes[how] += 1
        tally.violations += [f"{name}, {kind}: {text}" for text in found]
    if found:
        print(f"--- {name}, {kind}: {found}", *subject.told, sep="\n", file=sys.stderr)


def campaign(count: int, seed: int, workers: int, folder: Path) -> Figures:
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
                    pair(KINDS[number % len(KINDS)], own, nursery, chance, tally, f"pair {number}")
                except Exception as problem:  # noqa: BLE001 a pair that breaks is a violation, and the others go on
                    with tally.guard:
                        tally.violations.append(f"pair {number}: {type(problem).__name__}: {problem}")

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    figures = Figures(f"Pairs of concurrent applies (seed {seed})", violations=tally.violations)
    figures.counts = {"pairs": tally.pairs, "runs bought": tally.bought, "seconds": time.monotonic() - started}
    figures.by_point = dict(sorted(tally.codes.items()))
    return figures


def main() -> int:
    """Run the pairs."""
    parser = options("Pairs of concurrent applies on one state.", COUNT)
    parser.add_argument("--workers", type=int, default=4, help="pairs at once (default 4)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pairs-") as folder:
        return finish(chosen, campaign(chosen.count, chosen.seed, chosen.workers, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
