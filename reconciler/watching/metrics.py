"""What Prometheus reads. Counters count happenings; gauges are read from the newest status when they are asked for.
Every series is there from the start, and no label has a name of a run or an address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from reconciler import __version__
from reconciler.model.changes import Kind
from reconciler.model.run import RunStatus, moment, normalise_status
from reconciler.watching.consent import Caps
from reconciler.watching.happenings import Applied, Followed, Happening, Passed, Refused, Stumbled
from reconciler.watching.status import Hold, Part, Status

OUTCOMES: Final = ("unchanged", "held", "applied", "failed", "standby")
CLASSES: Final = ("ServiceUnreachable", "ServiceRefused", "AccountMismatch", "ServiceError", "rejected", "other")
_SECONDS: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0)


class Metrics:
    """An observer; ``registry`` has everything and is nobody else's. ``caps``: their sizes are shown where there are
    such; ``dropped``: how many messages of webhooks were given up.
    """

    def __init__(
        self, status: Callable[[], Status], caps: Caps | None = None, dropped: Callable[[], int] = lambda: 0
    ) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "reconciler_reconcile_duration_seconds", "Passes", buckets=_SECONDS, registry=self.registry
        )
        self._passes = self._counter("reconciles", "Passes by outcome", "outcome", OUTCOMES)
        self._actions = self._counter("actions", "Actions performed", "kind", Kind)
        self._failures = self._counter("failures", "Failures of what the controller depends on", "part", Part)
        self._errors = self._counter("api_errors", "Failures of the service", "class", CLASSES)
        self._revisions = self._counter("revisions", "Revisions seen", "result", ("followed", "refused"))
        self.registry.register(_Gauges(status, caps or Caps(), dropped))

    def __call__(self, happened: Happening) -> None:
        """See ``Observer``."""
        match happened:
            case Passed():
                self._seconds.observe(happened.seconds)
                self._passes.labels(_one_of(happened.outcome, OUTCOMES, "failed")).inc()
            case Applied():
                for kind, count in happened.done.items():
                    if kind in list(Kind):
                        self._actions.labels(kind).inc(count)
            case Stumbled():
                self._failures.labels(happened.part).inc()
                if happened.part is Part.SERVICE:
                    self._errors.labels(_one_of(happened.kind, CLASSES, "other")).inc()
            case Followed():
                self._revisions.labels("followed").inc()
            case Refused():
                self._revisions.labels("refused").inc()

    def _counter(self, name: str, about: str, label: str, values: Iterable[str]) -> Counter:
        counter = Counter(f"reconciler_{name}", about, [label], registry=self.registry)
        for value in values:
            counter.labels(value)
        return counter


def _one_of(value: str, values: tuple[str, ...], other: str) -> str:
    return value if value in values else other


class _Gauges(Collector):
    def __init__(self, status: Callable[[], Status], caps: Caps, dropped: Callable[[], int]) -> None:
        self._status, self._caps, self._dropped = status, caps, dropped

    def collect(self) -> Iterator[Metric]:
        now, caps = self._status(), self._caps
        info = {
            "revision": now.revision or "",
            "branch": now.branch,
            "mode": now.mode.value,
            "environment": now.environment,
            "version": __version__,
        }
        yield InfoMetricFamily("reconciler", "What is followed, and how", value=info)
        yield _gauge("leader", "1: this replica works", float(now.leader))
        yield _gauge(
            "last_success_timestamp_seconds", "When a pass ended without trouble", moment(now.last_success) or 0.0
        )
        runs = dict.fromkeys(map(str, RunStatus), 0)
        for word, count in now.runs.items():
            runs[normalise_status(word)] += count
        yield _family("runs", "Recorded current runs", "status", runs)
        planned = now.planned
        pending = {str(kind): planned.actions.get(kind, 0) if planned else 0 for kind in Kind}
        yield _family("pending_actions", "Actions of the newest plan", "kind", pending)
        yield _gauge("unmet", "Addresses whose expectations are not met", float(planned.unmet if planned else 0))
        yield _gauge("drift", "Runs that differ from what is recorded", float(planned.drift if planned else 0))
        failing = {str(part): now.troubles[part].failures if part in now.troubles else 0 for part in Part}
        yield _family("consecutive_failures", "Failures in a row", "part", failing)
        held = {str(why): int(now.held is not None and now.held.why is why) for why in Hold}
        yield _family("held", "1: the plan waits for this", "why", held)
        everything = any(not one.scope for one in now.suspended)
        yield _gauge("suspended", "1: everything is suspended", float(everything))
        patterns = sum(bool(one.scope) for one in now.suspended)
        yield _gauge("suspended_patterns", "Patterns of addresses that are suspended", float(patterns))
        yield CounterMetricFamily(
            "reconciler_webhook_dropped", "Messages of webhooks that were given up", value=self._dropped()
        )
        yield _gauge("window_seconds", "The caps' sliding window", caps.window)
        for name, spent, most in (
            ("runs", now.spent.runs, caps.runs),
            ("samples", now.spent.samples, caps.samples),
            ("usd", now.spent.cost, caps.cost),
        ):
            yield _gauge(f"window_spent_{name}", "Bought within the window", float(spent))
            if most is not None:
                yield _gauge(f"window_cap_{name}", "The most that may be bought within the window", float(most))


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"reconciler_{name}", about, value=value)


def _family(name: str, about: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(f"reconciler_{name}", about, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
