"""Following runs to their final status: one list call while many are active, single GETs when few. Needs no lock:
reports are keyed by run id and only move forward.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from msgspec import Struct

from reconciler.applying.interruption import Interruption
from reconciler.applying.record import Recorder
from reconciler.dataframer.client import Client, Parsed
from reconciler.dataframer.observation import absence, check_account, observation
from reconciler.model.errors import ServiceRefused, ServiceUnreachable
from reconciler.model.events import Ending, Event, Progressed, Told
from reconciler.model.run import Run, moment

FEW = 4  # at most so many are asked for one by one
_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.5, 15.0
_SHARE = 0.1  # a run is noticed late by at most this share of the time that it took
_FAILURES_IN_A_ROW = 20
_AT_ONCE = 10


class Target(Struct, frozen=True):
    """A run to follow."""

    address: str
    run_id: str
    samples: int | None = None
    min_samples: int = 0


class Follower:
    """Follows a changing set of runs."""

    def __init__(
        self,
        client: Client,
        recorder: Recorder,
        tell: Callable[[Event], None],
        interruption: Interruption,
        now: Callable[[], str],
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._tell = tell
        self._interruption = interruption
        self._now = now
        self._started = time.monotonic()
        self._since: dict[str, float] = {}  # when following each run began
        self._seen: dict[str, tuple[object, ...]] = {}
        self._known: dict[str, Run] = {}  # as of the last look
        self._parsed = Parsed()
        self.active: dict[str, Target] = {}

    def add(self, targets: Iterable[Target]) -> None:
        """Follow these as well."""
        added = {target.run_id: target for target in targets}
        began = time.monotonic()
        for run_id in added:
            self._since.setdefault(run_id, began)
        self.active |= added

    def until(self, enough: Callable[[int], bool], deadline: float | None) -> list[Ending]:
        """Poll until ``enough`` (given how many are active) or the deadline (monotonic seconds) or an interruption.
        Returns the runs that came to rest.
        """
        endings: list[Ending] = []
        failures = 0
        while self.active and not enough(len(self.active)) and not self._interruption():
            if deadline is not None and time.monotonic() >= deadline:
                break
            try:
                endings += self._look()
                failures = 0
            except (ServiceUnreachable, ServiceRefused) as error:
                failures += 1
                if failures >= _FAILURES_IN_A_ROW or (isinstance(error, ServiceRefused) and error.status < 500):
                    raise
                self._tell(Told(f"Following is held up, the runs go on: {error}"))
            if self.active and not enough(len(self.active)):
                self._interruption.wait(self._interval(deadline))
        return endings

    def once(self, targets: Iterable[Target]) -> list[Ending]:
        """Look at these once; those that still work are followed from then on. Returns the others."""
        before, self.active = self.active, {target.run_id: target for target in targets}
        try:
            return self._look()
        finally:
            self.active = before | self.active

    def _interval(self, deadline: float | None) -> float:
        elapsed = time.monotonic() - self._started
        seconds = min(max(elapsed * _SHARE, _SHORTEST_SECONDS), _LONGEST_SECONDS)
        return seconds if deadline is None else max(min(seconds, deadline - time.monotonic()), 0.0)

    def _look(self) -> list[Ending]:
        found = dict(self._fetch(self.active)) if len(self.active) <= FEW else self._list()
        check_account(sum(run is None for run in found.values()), len(self.active))
        resting = [run_id for run_id, run in found.items() if run is None or run.status.final]
        listed_only = [run_id for run_id in resting if (run := found[run_id]) and run.runtime_params is None]
        if listed_only:  # what it was made with, and its files: only a GET brings them
            found |= {run_id: run for run_id, run in self._fetch(listed_only) if run is not None}
        at = self._now()
        # What is as it was at the last look is recorded already, and told.
        news = {run_id: run for run_id, run in found.items() if run is None or self._is_new(run)}
        self._recorder.observe(
            [absence(run_id, at) if run is None else observation(run, at) for run_id, run in news.items()]
        )
        for run_id, run in news.items():
            if run is not None:
                self._known[run_id] = run
                self._progress(self.active[run_id], run)
        return [self._rest(run_id, found[run_id]) for run_id in resting]

    def _is_new(self, run: Run) -> bool:
        known = self._known.get(run.id)
        return run is not known and run != known  # of an item that did not change, the list has the very same value

    def _list(self) -> dict[str, Run | None]:
        found: dict[str, Run | None] = {
            run.id: run for run in self._client.list_runs(self._parsed).runs if run.id in self.active
        }
        missing = [run_id for run_id in self.active if run_id not in found]
        return found | dict(self._fetch(missing))

    def _fetch(self, run_ids: Iterable[str]) -> list[tuple[str, Run | None]]:
        wanted = list(run_ids)
        if len(wanted) <= 1:
            return [(run_id, self._client.get_run(run_id)) for run_id in wanted]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(zip(wanted, pool.map(self._client.get_run, wanted), strict=True))

    def _progress(self, target: Target, run: Run) -> None:
        seen = (run.status, run.samples_completed, run.samples_failed)
        if self._seen.get(run.id) == seen:
            return
        self._seen[run.id] = seen
        made, over = moment(run.created_at), moment(run.completed_at)
        elapsed = time.monotonic() - self._since.get(run.id, self._started)
        if run.status.final and made is not None and over is not None and over >= made:
            elapsed = over - made  # also of a run that began long before it was followed
        self._tell(
            Progressed(
                target.address,
                run.id,
                run.status,
                run.samples_completed,
                run.samples_failed,
                target.samples,
                elapsed,
                run.total_cost,
            )
        )

    def _rest(self, run_id: str, run: Run | None) -> Ending:
        target = self.active.pop(run_id)
        if run is None:
            return Ending(target.address, run_id, None)
        short = run.samples_completed is not None and run.samples_completed < target.min_samples
        return Ending(target.address, run_id, run.status, run.total_cost, short)
