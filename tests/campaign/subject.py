"""A project that is hurt: commands that die at a point, applies that are repeated until nothing is left, and what must
hold then.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.acceptance.project import ROOT, Done, Project, said
from tests.campaign.states import PostgresState, State
from tests.service import FakeService

APPLY = ("apply", "--auto-approve", "--prune")
MATCH = ("import", "--match")
RESUBMIT = ("resolve", "run.*", "--resubmit")
LEFT_OPEN = "apply exits with 0, and has left submissions open"
_OPEN_SQL = "SELECT address FROM attempts WHERE phase IN ('SENDING', 'UNKNOWN') OR provisional"
LONG = 240  # seconds for one apply; three unknown outcomes in a row make it pause for 30


@dataclass(frozen=True, slots=True)
class Wanted:
    """What must be true in the end. Runs are told apart by their number of samples."""

    current: Mapping[str, int]  # by address
    stopped: frozenset[int] = frozenset()  # bought once, and CANCELED
    rested: frozenset[int] = frozenset()  # bought once, displaced after they had come to rest
    removed: frozenset[int] = frozenset()  # bought once, and deleted from the service

    @property
    def on_service(self) -> Counter[int]:
        """How many runs of each size the service must have."""
        return Counter([*self.current.values(), *self.stopped, *self.rested])


class Nursery:
    """Starts commands as forks of one process that has imported everything (:mod:`tests.campaign.launcher`)."""

    def __init__(self) -> None:
        self._mother = subprocess.Popen(
            [sys.executable, "-m", "tests.campaign.launcher", "--serve"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._mother.communicate()

    def run(self, args: Sequence[str], env: Mapping[str, str], folder: Path) -> Done:
        """Run a command to its end, in ``folder``, which also gets what it says."""
        assert self._mother.stdin is not None
        assert self._mother.stdout is not None
        out, err = folder / "stdout", folder / "stderr"
        order = {"args": args, "env": env, "cwd": str(folder), "out": str(out), "err": str(err), "seconds": LONG}
        print(json.dumps(order), file=self._mother.stdin, flush=True)
        code = int(self._mother.stdout.readline())
        return Done(args, code, out.read_text("utf-8"), err.read_text("utf-8"))


@dataclass(slots=True)
class Subject:
    """A project over a service."""

    project: Project
    service: FakeService
    nursery: Nursery
    state: State
    applies: int = 0
    resolves: int = 0
    left_over: int = 0  # applies that exit with 0 while the next plan still has something to do
    told: list[str] = field(default_factory=list)  # the last words of each command, for reports

    def dying(self, *args: str, point: str, nth: int = 1, armed_by: str = "") -> str | None:
        """Run a command with a trap. The name of the point where it died; None if it never got there."""
        reached, done = self._trapped(args, {}, point, nth, armed_by)
        return reached if done.returncode == -signal.SIGKILL else None

    def cut(self, *args: str, point: str, nth: int = 1, armed_by: str = "") -> str | None:
        """Run a command, and end its sessions with the state's server at a point. The point, if it got there."""
        assert isinstance(self.state, PostgresState)
        return self._trapped(args, self.state.cut(), point, nth, armed_by)[0] or None

    def filling(self, *args: str, point: str) -> int:
        """Run a command, and let the state take no more writes from a point on; its exit code."""
        code = self._start(args, {"CAMPAIGN_POINT": point, **self.state.full()}).returncode
        self.state.roomy()
        return code

    def _trapped(
        self, args: Sequence[str], deed: Mapping[str, str], point: str, nth: int, armed_by: str
    ) -> tuple[str, Done]:
        report = self.project.folder / "died-at"
        report.unlink(missing_ok=True)
        trap = {"CAMPAIGN_POINT": point, "CAMPAIGN_NTH": str(nth), "CAMPAIGN_ARMED_BY": armed_by}
        done = self._start(args, {**trap, **deed, "CAMPAIGN_REPORT": str(report)})
        return report.read_text() if report.exists() else "", done

    def run(self, *args: str) -> Done:
        """Run a command to its end."""
        return self._start(args, {})

    def _start(self, args: Sequence[str], trap: Mapping[str, str]) -> Done:
        command = ["-C", str(self.project.root), *args]
        done = self.nursery.run(command, self.project.environment(trap), self.project.folder)
        self._remember(done)
        return done

    def _remember(self, done: Done) -> None:
        self.told.append(f"{done.args[2:]} exited with {done.returncode}:\n{said(done)}")

    def converge(self, rounds: int = 10) -> Iterator[str]:
        """Apply until it and ``plan --detailed-exitcode`` exit with 0, deciding with ``resolve`` where a submission is
        open. What was wrong with it.
        """
        code: int | str = -1
        for _ in range(rounds):
            self.applies += 1
            code = self.run(*APPLY).returncode
            left_open = [row[0] for row in self.state.rows(_OPEN_SQL)]
            if code == 0 and left_open:
                yield f"{LEFT_OPEN}: {', '.join(left_open)}"
            elif code == 0:
                plan = self.run("plan", "--detailed-exitcode").returncode
                if plan == 0:
                    return
                self.left_over += 1  # a cancel that is owed since this very apply: the next one does it
                code = f"0 and plan with {plan}"
            if left_open:
                self.resolves += 1
                self.run(*RESUBMIT)
        yield f"apply still exits with {code} after {rounds} rounds"

    def recorded(self) -> set[str]:
        """Every run id in the state."""
        return {row[0] for row in self.state.rows("SELECT run_id FROM attempts WHERE run_id IS NOT NULL")}

    def problems(self, wanted: Wanted) -> Iterator[str]:
        """A sentence for everything that is not as it must be after convergence."""
        if any("Traceback (most recent call last)" in text for text in self.told):
            yield "a command ended with a traceback"
        there = Counter(run.samples for run in self.service.runs.values())
        if there != wanted.on_service:
            yield f"runs by size: wanted {dict(wanted.on_service)}, bought {dict(there)}"
        lost = set(self.service.runs) - self.recorded()
        if lost:
            yield f"not recorded: {sorted(lost)}"
        for run in self.service.runs.values():
            status = "CANCELED" if run.samples in wanted.stopped else "SUCCEEDED"
            if run.status != status:
                yield f"the run of {run.samples} samples is {run.status}, not {status}"
        current = dict(self.state.rows("SELECT address, run_id FROM current_runs"))
        shown = {address: self._samples(run_id) for address, run_id in current.items()}
        if shown != dict(wanted.current):
            yield f"current runs by size: wanted {dict(wanted.current)}, recorded {shown}"
        yield from self.state.problems()

    def _samples(self, run_id: str) -> int | None:
        run = self.service.runs.get(run_id)
        return run.samples if run else None
