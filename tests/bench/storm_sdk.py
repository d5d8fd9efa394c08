"""The same submissions under the same faults, through the official SDK and through ``reconciler apply``.

    python -m tests.bench.storm_sdk [--count 500] [--seed 1] [--json FILE]

5 % of the answers are lost after the run was created, 5 % are 503 without and 5 % are 429 with nothing created; which
create call meets what follows from the seed, its size and its number of tries. The SDK is used as its documentation
shows, with its own retries, from ten threads. ``reconciler`` gets ten submissions at once; apply is repeated, and
``resolve`` typed when it exits with 6, as a person would do. Waiting times of the protocol are shortened alike for
tests: what is compared is what was bought and what is known of it, not the speed.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import dataframer

from tests.acceptance.project import MODEL, Project, run
from tests.campaign.figures import Figures, finish, options, table
from tests.campaign.states import SqliteStates
from tests.campaign.storm import Climate, Weather
from tests.campaign.subject import Nursery, Subject
from tests.service import TICKETS, FakeService, answers

COUNT, FIRST, AT_ONCE = 500, 100, 10
CLIMATE: Climate = {
    "dropped after creation": (0.05, lambda chance: answers.dropped(creates=True)),
    "503": (0.05, lambda chance: answers.unavailable()),
    "429": (0.05, lambda chance: answers.slow_down("0")),
}
ENV = {"RECONCILER_SETTLE_SECONDS": "0.5", "RECONCILER_DEAD_SECONDS": "2"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one client did."""

    client: str
    wanted: int
    bought: int
    too_many: int  # runs of a submission that has one already
    missing: int  # submissions without a run
    lost: int  # runs that exist, and that the client cannot name
    seconds: float
    met: dict[str, int]

    def row(self) -> tuple[str, ...]:
        """For the table."""
        numbers = (self.wanted, self.bought, self.too_many, self.missing, self.lost)
        return (self.client, *map(str, numbers), f"{self.seconds:.1f}")


HEAD = ("client", "runs wanted", "bought", "bought too many", "missing", "ids lost", "seconds")


def _outcome(client: str, count: int, service: FakeService, known: Iterable[str], started: float) -> Outcome:
    weather = service.weather
    assert isinstance(weather, Weather)
    sizes = Counter(made.samples for made in service.runs.values())
    return Outcome(
        client=client,
        wanted=count,
        bought=len(service.runs),
        too_many=sum(number - 1 for number in sizes.values()),
        missing=count - len(sizes),
        lost=len(set(service.runs) - set(known)),
        seconds=time.monotonic() - started,
        met=dict(weather.met),
    )


def with_sdk(count: int, seed: int, folder: Path) -> Outcome:
    """``runs.create`` of the official SDK with its defaults, from ten threads; a failure is caught and left."""
    with FakeService() as service:
        service.weather = Weather(CLIMATE, seed)
        started = time.monotonic()
        client = dataframer.Dataframer(api_key=service.key, base_url=service.url)

        def create(samples: int) -> str | None:
            try:
                made = client.dataframer.runs.create(
                    spec_id=TICKETS, number_of_samples=samples, generation_model=MODEL, spec_version=3
                )
            except dataframer.APIError:
                return None
            return made.id

        with client, ThreadPoolExecutor(AT_ONCE) as pool:
            ids = list(pool.map(create, range(FIRST, FIRST + count)))
        return _outcome(f"pydataframer {dataframer.__version__}", count, service, filter(None, ids), started)


def with_reconciler(count: int, seed: int, folder: Path) -> Outcome:
    """``reconciler apply`` until there is nothing left to do."""
    with FakeService() as service, Nursery() as nursery:
        service.weather = Weather(CLIMATE, seed)
        project = Project(folder, service.url)
        project.env |= ENV
        declared = [run(f"r{n:04}", FIRST + n) for n in range(count)]
        project.declare(*declared, apply=f"parallelism = {AT_ONCE}")
        started = time.monotonic()
        subject = Subject(project, service, nursery, SqliteStates().make(project))
        for _ in subject.converge(rounds=20):
            pass  # what is wrong shows in the figures
        return _outcome("reconciler", count, service, subject.recorded(), started)


CLIENTS: tuple[Callable[[int, int, Path], Outcome], ...] = (with_sdk, with_reconciler)


def compare(count: int, seed: int, folder: Path) -> list[Outcome]:
    """Both clients, one after the other."""
    outcomes = []
    for client in CLIENTS:
        own = folder / client.__name__
        own.mkdir()
        random.seed(seed)  # the SDK draws its back-off from here
        outcomes.append(client(count, seed, own))
    return outcomes


def main() -> int:
    """Compare and print."""
    chosen = options("The official SDK and reconciler under the same faults.", COUNT).parse_args()
    with tempfile.TemporaryDirectory(prefix="storm-sdk-") as folder:
        outcomes = compare(chosen.count, chosen.seed, Path(folder))
    ours = outcomes[-1]
    figures = Figures(f"{chosen.count} submissions under the same faults (seed {chosen.seed})")
    for outcome in outcomes:
        faults = ", ".join(f"{number} {name}" for name, number in sorted(outcome.met.items()))
        figures.counts[f"{outcome.client} met"] = faults
    broken = {"bought too many": ours.too_many, "missing": ours.missing, "ids lost": ours.lost}
    figures.violations = [f"reconciler: {number} {what}" for what, number in broken.items() if number]
    print("\n".join(table([HEAD, *(outcome.row() for outcome in outcomes)])), end="\n\n")
    return finish(chosen, figures)


if __name__ == "__main__":
    sys.exit(main())
