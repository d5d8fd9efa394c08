"""Bad weather: lost answers, errors, garbage and refusals, with and without SIGKILLs at random moments.

    python -m tests.campaign.storm [--count 80] [--kills 25] [--state postgres [--faults 12]] [--storms 1] [--seed 1]
                                   [--parallelism 4] [--json FILE]

Applies are repeated, and decided with ``resolve`` when they exit with 6, as a person would. In the end the service has
exactly the declared runs, and each is recorded. A state in PostgreSQL has a storm of its own, and two machines apply at
once while it blows.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.acceptance.project import Project, run, said
from tests.campaign.figures import Figures, finish, options
from tests.campaign.machines import HOSTS, Machine
from tests.campaign.states import PostgresState, States, campaign_states
from tests.campaign.subject import APPLY, LONG, RESUBMIT, Nursery, Subject, Wanted
from tests.campaign.tempest import TIMEOUTS, Tempest
from tests.service import FakeService, answers
from tests.service.answers import Answer

COUNT, KILLS, FIRST = 80, 25, 100
ENV = {"RECONCILER_SETTLE_SECONDS": "0.2", "RECONCILER_DEAD_SECONDS": "1.0"}
FAULTS = 12
# A create call that is in flight on a machine that lost its lock must not arrive after the dead time.
_ENV_TWO = ENV | {"RECONCILER_DEAD_SECONDS": "4.0"}
_CREATE_SECONDS = 0.2  # so that a kill finds something in flight
_PATIENCE = 6.0  # seconds until a process is killed in any case

# What an answer is instead of good, and in which share of the creates.
Climate = Mapping[str, tuple[float, Callable[[random.Random], Answer]]]
STORM: Climate = {
    "dropped after creation": (0.06, lambda chance: answers.dropped(creates=True)),
    "error after creation": (0.10, lambda chance: answers.failed_after_creating(chance.choice((500, 502, 504)))),
    "garbage": (0.03, lambda chance: answers.garbage()),
    "truncated": (0.03, lambda chance: answers.truncated()),
    "dropped before creation": (0.03, lambda chance: answers.dropped(creates=False)),
    "429": (0.05, lambda chance: answers.slow_down("0")),
    "503 with Retry-After": (0.05, lambda chance: answers.unavailable("0")),
}


class Weather:
    """Answers by seed, size and try: the same for the same create call, in whatever order the calls arrive."""

    def __init__(self, climate: Climate, seed: int) -> None:
        self.met: Counter[str] = Counter()
        self._climate = climate
        self._seed = seed
        self._tries: Counter[int] = Counter()

    def __call__(self, body: Mapping[str, Any]) -> Answer | None:
        """The answer to a create call, None for a good one. Called under the service's lock."""
        samples = body["number_of_samples"]
        self._tries[samples] += 1
        chance = random.Random(f"{self._seed}/{samples}/{self._tries[samples]}")
        drawn = chance.random()
        for name, (share, make) in self._climate.items():
            if drawn < share:
                self.met[name] += 1
                return make(chance)
            drawn -= share
        return None


def storm(
    count: int, seed: int, kills: int, parallelism: int, folder: Path, states: States, faults: int = 0
) -> Figures:
    """One storm over ``count`` runs. ``faults``: of the state's server, after the kills."""
    with FakeService() as service, Nursery() as nursery:
        service.weather = weather = Weather(STORM, seed)
        machines = [Machine(folder / host, service.url, host) for host in HOSTS[: 2 if faults else 1]]
        subject = Subject(machines[0], service, nursery, states.make(machines[0]))
        names = {f"r{n:03}": FIRST + n for n in range(count)}
        declared = [run(name, samples) for name, samples in names.items()]
        for machine in machines:
            machine.env |= _ENV_TWO if faults else ENV
            machine.declare(*declared, apply=f"parallelism = {parallelism}")
        started = time.monotonic()
        service.create_delay = _CREATE_SECONDS if kills or faults else 0.0
        killed = [_kill_soon(subject, random.Random(f"{seed}/kill/{n}")) for n in range(kills)]
        tempest = _tempest(subject, machines, faults, seed) if faults else None
        violations = list(subject.converge(rounds=20))
        violations += subject.problems(Wanted({f"run.{name}": samples for name, samples in names.items()}))
        if violations:
            print(*subject.told, sep="\n", file=sys.stderr)
        bought = len(service.runs)
        also = f", {faults} faults of the server" if faults else ""
        title = f"Storm over {count} runs, state in {states.name} (seed {seed}, {kills} SIGKILLs{also})"
        figures = Figures(title, violations=violations)
        figures.counts = {
            "runs wanted": count,
            "bought": bought,
            "bought too many": max(bought - count, 0),
            "not recorded": len(set(service.runs) - subject.recorded()),
            "create calls": len(service.creates),
            "killed while submitting or settling": sum(killed),
            "killed otherwise": len(killed) - sum(killed),
            "applies until all was done": subject.applies,
            "decided with resolve": subject.resolves,
            "seconds": time.monotonic() - started,
        }
        figures.by_point = dict(weather.met)
        if tempest is not None:
            figures.by_point |= tempest.met
            last = service.creates[-1].at
            figures.counts["faults of the server before the last create call"] = sum(at < last for at in tempest.times)
        return figures


def _tempest(subject: Subject, machines: Sequence[Project], faults: int, seed: int) -> Tempest:
    """Two machines work, each in turn with ``apply`` and ``refresh``, until the storm over the server is over."""
    state, applies = subject.state, ("apply", "--auto-approve", "--lock-timeout", "2s")
    assert isinstance(state, PostgresState)
    for machine in machines:
        machine.env["RECONCILER_STATE_URL"] = state.url(**TIMEOUTS)
    with Tempest(state, subject.service, faults, f"{seed}/tempest") as tempest, ThreadPoolExecutor(2) as pool:

        def work(machine: Project) -> None:
            while tempest.blows:
                for args in (applies, applies, ("refresh",)):
                    done = machine.run(*args, timeout=LONG)
                    subject.told.append(f"{args} exited with {done.returncode}:\n{said(done)}")
                    if done.returncode == 6:
                        subject.resolves += 1
                        machine.run(*RESUBMIT, timeout=LONG)

        list(pool.map(work, machines))
    subject.project.env["RECONCILER_STATE_URL"] = state.url()
    return tempest


def _kill_soon(subject: Subject, chance: random.Random) -> bool:
    """Start an apply and kill it after a few creates, or after a while; whether the lock was held then. One that came
    to its end before is followed by another.
    """
    service = subject.service
    while True:
        process = subject.project.start(*APPLY)
        target, until = len(service.creates) + chance.randint(1, 4), time.monotonic() + _PATIENCE * chance.random()
        while process.poll() is None and len(service.creates) < target and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(chance.choice((0.0, 0.05, 0.2, 0.5)) * chance.random())
        held = subject.state.held_by(process.pid)
        process.kill()  # does nothing to one that has come to its end
        process.communicate()
        if process.returncode == -signal.SIGKILL:
            return held
        if process.returncode == 6:
            subject.resolves += 1
            subject.run(*RESUBMIT)


def main() -> int:
    """Without kills, then with them."""
    parser = options("A storm of faults over many runs, without and with SIGKILLs.", COUNT)
    parser.add_argument("--kills", type=int, default=KILLS, help=f"SIGKILLs of the second storm (default {KILLS})")
    parser.add_argument("--parallelism", type=int, default=4, help="submissions in flight at once (default 4)")
    parser.add_argument("--faults", type=int, default=FAULTS, help=f"of the server (postgres; default {FAULTS})")
    parser.add_argument("--storms", type=int, default=1, help="of each sort, each with another seed (default 1)")
    chosen = parser.parse_args()
    code, faults = 0, chosen.faults if chosen.state == "postgres" else 0
    for seed in range(chosen.seed, chosen.seed + chosen.storms):
        for kills in (0, chosen.kills):
            with tempfile.TemporaryDirectory(prefix="storm-") as folder, campaign_states(chosen.state) as states:
                done = storm(chosen.count, seed, kills, chosen.parallelism, Path(folder), states, faults)
                code |= finish(chosen, done)
                print(flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
