"""An hour of the controller in two minutes: the service, the remote and the state's server fail in turns.

    python -m tests.campaign.controller [--minutes 60] [--speed 30] [--replicas 2] [--json FILE]

Everything is real: git over HTTP, a service over HTTP, PostgreSQL, and ``reconciler watch`` as processes of which only
the pace is changed. During each fault a commit is pushed that declares one more run. Afterwards nobody does anything:
it must be ready again within the longest wait that its back-off allows, have bought what was pushed once, and have made
no more passes, requests, git processes and sessions than its back-off allows. What it holds, of memory, threads, files
and children, does not grow.
"""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from reconciler.watching.backoff import Pace
from tests.acceptance.project import Project, run
from tests.acceptance.watching import Repository, Watcher
from tests.campaign.controlled import pace_at
from tests.campaign.faults import FAULTS, Fault, Moody, World
from tests.campaign.figures import Figures, finish, options, table
from tests.campaign.states import PostgresState, PostgresStates, campaign_states
from tests.campaign.tempest import TIMEOUTS
from tests.watching.hosting import Host

HOLD = 120.0  # seconds that a fault lasts, before they are compressed
FIRST = 100  # samples of the first run; each next one has one more
_SLACK = 8.0  # seconds, real ones: a call that hangs is given up, a server starts, a machine is slow
_REQUESTS, _SESSIONS = 8, 6  # of a single pass at most
_PROCESSES = 14  # beside one for each pass: two revisions are fetched
_GROWTH = 6_000_000  # bytes, of each
_ENV = {"RECONCILER_SETTLE_SECONDS": "0.1", "RECONCILER_DEAD_SECONDS": "0.5"}
_GIT = '#!/bin/sh\necho "$$" >> {counted}\nPATH={path} exec git "$@"\n'


@dataclass(frozen=True, slots=True)
class Counted:
    """What the replicas have done so far."""

    passes: int
    requests: int
    processes: int
    sessions: int

    def since(self, before: Counted) -> Counted:
        return Counted(
            self.passes - before.passes, self.requests - before.requests, self.processes - before.processes,
            self.sessions - before.sessions,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Weight:
    """What processes hold between two passes."""

    memory: int
    threads: int
    files: int
    children: int


def tries(pace: Pace, seconds: float) -> int:
    """How often a part that fails is tried at most in so many seconds."""
    return 1 + int(math.log2(seconds / (pace.first * (1 - pace.jitter)) + 1)) + int(seconds // pace.longest)


def allowed(pace: Pace, seconds: float, parts: int, replicas: int) -> Counted:
    """What controllers may do in so many seconds of a fault of so many parts and of what comes after it, with one new
    commit, which begins every wait anew.
    """
    passes = replicas * (
        math.ceil(seconds / (pace.interval * (1 - pace.jitter))) + 2 * parts * tries(pace, seconds / 2) + 2
    )
    return Counted(passes, _REQUESTS * passes, replicas * _PROCESSES + passes, _SESSIONS * passes)


class Hour:
    """The controller and all that it depends on. Use it in a ``with``."""

    def __init__(self, folder: Path, states: PostgresStates, speed: float, replicas: int, eager: bool) -> None:
        self.speed, self.pace, self.replicas = speed, pace_at(speed), replicas
        self.pushed: list[int] = []
        self.watchers: list[_Controlled] = []
        self.service, self.host = Moody(), Host(folder)
        self._folder, self._states, self._eager = folder, states, eager
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self.service)
        self._open.enter_context(self.host)
        self.project = Project(self._folder, self.service.url)
        self._open.callback(self.project.close)
        self._states.server.settings["log_connections"] = "on"
        self._states.server.restart()
        self.state: PostgresState = self._states.make(self.project)
        self.project.env |= {"RECONCILER_STATE_URL": self.state.url(**TIMEOUTS)} | _ENV
        self._counted = self._folder / "processes"
        self._counted.touch()
        wrapper = self._folder / "bin" / "git"
        wrapper.parent.mkdir()
        wrapper.write_text(_GIT.format(counted=self._counted, path=self.project.env["PATH"]))
        wrapper.chmod(0o755)
        self.repository = Repository(self.project)
        self.push()
        self.world = World(self.service, self.host, self.state, self.push)
        words = [str(self.speed), *(["eager"] if self._eager else [])]
        for number in range(self.replicas):
            one = _Controlled(self.project, self.repository, self.host, f"watcher{number}", words, wrapper.parent)
            one.start()
            self.watchers.append(one)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def push(self) -> None:
        """Commit one more run."""
        self.pushed.append(FIRST + len(self.pushed))
        declared = [run(f"r{samples}", samples) for samples in self.pushed]
        self.repository.push(*declared, limits='[apply]\nresubmit_absent_after = "1s"\n')

    def counted(self) -> Counted:
        passes = sum(event["type"] == "watch_passed" for one in self.watchers for event in list(one.everything))
        processes = len(self._counted.read_bytes().splitlines())
        return Counted(passes, len(self.service.requests), processes, self._log().count(": user=team database="))

    def _log(self) -> str:
        return "\n".join(line for line in self.state.server.log().splitlines() if "connection authorized" in line)

    def weight(self) -> Weight:
        """Of all replicas together."""
        found = [one.weight() for one in self.watchers]
        return Weight(*(sum(getattr(one, name) for one in found) for name in Weight.__slots__))

    def well(self) -> bool:
        """Whether each is ready and without trouble, and one leads, which has bought everything that was pushed."""
        try:
            ready = [httpx.get(f"{one.url}/readyz", trust_env=False).status_code for one in self.watchers]
            found = [one.get("status").json() for one in self.watchers]
        except httpx.HTTPError:
            return False
        leading = [status for status in found if status["leader"]]
        if len(leading) != 1 or ready != [200] * len(found):
            return False
        planned = leading[0]["planned"] or {"actions": {"none yet": 1}}
        quiet = not any(planned["actions"].values()) and sum(leading[0]["runs"].values()) == len(self.pushed)
        right = [status["revision"] == self.repository.commit and not status["troubles"] for status in found]
        return quiet and all(right)

    def recovers(self, within: float) -> float | None:
        """Seconds until all is well; None if it is not in time."""
        begun = time.monotonic()
        while time.monotonic() < begun + within:
            if self.well():
                return time.monotonic() - begun
            time.sleep(0.02)
        return None

    def cpu(self) -> float:
        return sum(sum(one.process_info.cpu_times()[:4]) for one in self.watchers)

    def wrong(self) -> Iterator[str]:
        """A sentence for whatever was bought twice, or not, or is not recorded."""
        bought = sorted(made.samples for made in self.service.runs.values())
        if bought != self.pushed:
            yield f"bought {bought}, not {self.pushed}"
        self.project.root = self.watchers[0].root
        recorded = sorted(item["run_id"] for item in self.project.output())
        if recorded != sorted(self.service.run_ids):
            yield f"recorded are {len(recorded)} runs of {len(self.service.run_ids)}"
        yield from self.state.problems()


class _Controlled(Watcher):
    """One replica."""

    def __init__(
        self, project: Project, repository: Repository, host: Host, name: str, words: list[str], path: Path
    ) -> None:
        env = {"PATH": f"{path}:{project.env['PATH']}"}
        super().__init__(project, repository, name, env=env, url=host.url(repository.remote.name))
        self.command = [sys.executable, "-m", "tests.campaign.controlled", str(self.folder), *words]

    @property
    def process_info(self) -> psutil.Process:
        assert self.process is not None
        return psutil.Process(self.process.pid)

    def weight(self) -> Weight:
        """The least of some looks: between two passes."""
        process = self.process_info
        looks = []
        for _ in range(20):
            looks.append((len(process.children(True)), process.num_threads(), process.num_fds()))
            time.sleep(0.01)
        children, threads, files = min(looks)
        return Weight(process.memory_info().rss, threads, files, children)


def hour(
    folder: Path, states: PostgresStates, faults: list[Fault], speed: float, replicas: int = 1, eager: bool = False
) -> Figures:
    """These faults, one after another."""
    figures = Figures(f"{replicas} replicas of the controller at {speed:g} times their pace")
    rows: list[tuple[str, ...]] = [
        ("", "seconds", "passes", "of", "requests", "of", "git", "of", "sessions", "of", "well after")
    ]
    weights: list[Weight] = []
    begun = time.monotonic()
    with Hour(folder, states, speed, replicas, eager) as going:
        if going.recovers(_SLACK + going.pace.interval) is None:
            figures.violations.append(f"it did not start well: {_how(going)}")
            faults = []
        for fault in faults:
            row, broken = _endures(going, fault)
            rows.append(row)
            figures.violations += [f"{fault.name}: {text}" for text in broken]
            weights.append(going.weight())
            if any("not well" in text for text in broken):
                break
        seconds = time.monotonic() - begun
        total = going.counted()
        cpu = going.cpu()
        for one in going.watchers:
            code = one.end()
            if code != 0:
                figures.violations.append(f"it exited with {code}: {_last_words(one.everything)}")
        figures.violations += list(going.wrong())
    figures.violations += list(grown(weights, replicas))
    figures.counts = {
        "minutes": seconds * speed / 60, "real seconds": seconds, "faults": len(weights), "runs": len(going.pushed),
        "passes": total.passes, "requests to the service": total.requests, "git processes": total.processes,
        "sessions": total.sessions, "seconds of CPU": cpu,
        "MB at first": weights[0].memory / 1e6, "MB at last": weights[-1].memory / 1e6,
        "threads, files, children": f"{weights[-1].threads}, {weights[-1].files}, {weights[-1].children}",
    } if weights else {}  # fmt: skip
    figures.lines = table(rows)
    return figures


def _endures(going: Hour, fault: Fault) -> tuple[tuple[str, ...], list[str]]:
    """One fault: its figures, and a sentence for each promise that was broken."""
    pace, held = going.pace, HOLD / going.speed
    before, begun = going.counted(), time.monotonic()
    with fault.strikes(going.world):
        if not fault.pushes:
            going.push()
        time.sleep(held)
    lasted = time.monotonic() - begun
    # A wait that has begun is at most about as long as all before it.
    longest = min(pace.longest, lasted + pace.first) * (1 + pace.jitter) / (1 - pace.jitter)
    well = going.recovers(longest + 2 * pace.interval + _SLACK)
    seconds = time.monotonic() - begun
    did, may = going.counted().since(before), allowed(pace, seconds, fault.parts, going.replicas)
    pairs = [(name, getattr(did, name), getattr(may, name)) for name in Counted.__slots__]
    broken = [f"{count:,} {name}, of at most {most:,}" for name, count, most in pairs if count > most]
    if well is None:
        broken.append(f"not well {seconds - lasted:.1f} s after it: {_how(going)}")
    told = [text for _, count, most in pairs for text in (f"{count:,}", f"{most:,}")]
    return (fault.name, f"{seconds:.1f}", *told, "never" if well is None else f"{well:.1f} s"), broken


def _how(going: Hour) -> str:
    told = []
    for one in going.watchers:
        try:
            told.append(one.get("status").text)
        except httpx.HTTPError:
            told.append(f"it does not answer. {_last_words(one.everything)}")
    return f"{told}, and the service has {len(going.service.runs)} runs of {len(going.pushed)}"


def _last_words(events: list[dict[str, Any]]) -> str:
    return "".join(event.get("@message", "") for event in events[-30:] if event["type"] == "text")


def grown(weights: list[Weight], replicas: int = 1) -> Iterator[str]:
    """What the processes hold at the end, beside what they held once each part had failed."""
    warm, rest = weights[3:6], weights[6:]
    if len(rest) < 3:
        return
    memory = statistics.median(one.memory for one in rest[-3:]) - statistics.median(one.memory for one in warm)
    if memory > replicas * _GROWTH:
        yield f"memory grew by {memory:,.0f} bytes: {[one.memory for one in weights]}"
    for name in ("threads", "files", "children"):
        first, last = (max(getattr(one, name) for one in some) for some in (warm, rest[-3:]))
        if last > first:
            yield f"{name} grew from {first} to {last}: {[getattr(one, name) for one in weights]}"


def main() -> int:
    parser = options("An hour of the controller, compressed, with faults in turns.", 0, ("postgres",))
    parser.add_argument("--minutes", type=float, default=60.0, help="that the controller sees (default 60)")
    parser.add_argument("--speed", type=float, default=30.0, help="times the usual pace (default 30)")
    parser.add_argument("--replicas", type=int, default=2, help="that work on the state (default 2)")
    chosen = parser.parse_args()
    count = chosen.count or max(1, round(chosen.minutes * 60 / (HOLD * 1.4)))
    faults = [FAULTS[number % len(FAULTS)] for number in range(count)]
    with tempfile.TemporaryDirectory(prefix="hour-") as folder, campaign_states("postgres") as states:
        assert isinstance(states, PostgresStates)
        return finish(chosen, hour(Path(folder), states, faults, chosen.speed, chosen.replicas))


if __name__ == "__main__":
    sys.exit(main())
