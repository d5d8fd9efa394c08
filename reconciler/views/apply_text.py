"""What an apply tells, as plain lines, and its closing words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reconciler.model.changes import Kind
from reconciler.model.events import Done, Event, Failed, Progressed, Report, Started, Submitted, Told
from reconciler.model.money import dollars
from reconciler.model.run import RunStatus
from reconciler.views.paint import Paint, one_line, wrapped

_PAST = {
    Kind.CREATE: "created",
    Kind.REPLACE: "replaced",
    Kind.RETRY: "retried",
    Kind.CANCEL: "cancelled",
    Kind.FORGET: "forgotten",
    Kind.DELETE: "deleted",
    Kind.REUSE: "reused",
    Kind.UPDATE: "updated",
    Kind.MOVE: "moved",
    Kind.IMPORT: "imported",
}
_STYLES = {RunStatus.SUCCEEDED: "green", RunStatus.FAILED: "red", RunStatus.CANCELED: "yellow"}


class PlainLines:
    """At most one line a run and change of status, for pipes and logs."""

    def __init__(self, paint: Paint) -> None:
        self._paint = paint
        self._status: dict[str, RunStatus] = {}

    def line(self, event: Event) -> str | None:
        """The line of an event, or None where it would say nothing new."""
        said = self._said(event)
        return None if said is None else one_line(said)

    def _said(self, event: Event) -> str | None:
        match event:
            case Started():
                return None
            case Submitted():
                return f"{event.address}: {_PAST[event.kind]}, run {event.run_id}"
            case Progressed():
                if self._status.get(event.run_id) is event.status:
                    return None
                self._status[event.run_id] = event.status
                return f"{event.address}: {self._progress(event)}"
            case Done():
                return f"{event.address}: {event.message}"
            case Failed():
                return self._paint(f"{event.address}: {event.message}", "red")
            case Told():
                return event.message

    def _progress(self, event: Progressed) -> str:
        words = self._paint(event.status.value, *([_STYLES[event.status]] if event.status in _STYLES else []))
        if event.samples_completed is None:
            return words
        of = f" of {event.samples:,}" if event.samples else ""
        failed = f", {event.samples_failed:,} failed" if event.samples_failed else ""
        cost = f", {dollars(event.total_cost)}" if event.status.final and event.total_cost is not None else ""
        seconds = f" after {event.elapsed:.0f} s" if event.status.final else ""
        return f"{words}{seconds}, {event.samples_completed:,}{of} samples{failed}{cost}"


def closing_lines(report: Report, paint: Paint, width: int | None = None) -> Iterator[str]:
    """The closing line, and what a person has to know or do. ``width``: of the terminal, where it is one."""
    lines = map(one_line, _closing(report, paint))
    return lines if width is None else (part for line in lines for part in wrapped(line, width))


def _closing(report: Report, paint: Paint) -> Iterator[str]:
    done = [f"{report.done[kind]:,} {_PAST[kind]}" for kind in Kind if report.done.get(kind)]
    rest = Counter("gone" if ending.status is None else ending.status.value.lower() for ending in report.endings)
    ends = [f"{rest[word]:,} {word}" for word in ("succeeded", "failed", "canceled", "gone") if rest[word]]
    working = [f"{report.unfinished:,} still working"] if report.unfinished else []
    pending = {unsettled.address for unsettled in report.unsettled}  # counted there, not once more as a failure
    troubles = Counter(
        failure.trouble for failure in report.failures if failure.trouble != "unknown" or failure.address not in pending
    )
    failed = [f"{count:,} {_TROUBLES[trouble]}" for trouble, count in troubles.items()]
    failed += [f"{len(report.unsettled):,} unknown"] if report.unsettled else []
    title = (
        "Apply incomplete"
        if troubles or report.unsettled or report.resubmitted or report.interrupted
        else "Apply complete"
    )
    first = ", ".join(done) or "nothing changed"
    second = ", ".join([*ends, *working, *failed])
    line = f"{title}: {first}.{f' {second}.' if second else ''}"
    yield paint(line, "bold", "red" if troubles else "green")
    cost = sum(ending.total_cost or 0.0 for ending in report.endings)
    if cost:
        yield f"The runs that came to rest cost {dollars(cost)}."
    yield from _advice(report)


_TROUBLES = {
    "rejected": "refused",
    "unknown": "unknown",
    "deferred": "not submitted",
    "outdated": "outdated",
    "error": "not done",
}


def _advice(report: Report) -> Iterator[str]:
    for unsettled in report.unsettled:
        yield f"! {unsettled.address}: nobody knows yet whether it was bought; {unsettled.outlook.why}"
    if report.unsettled:
        yield "What is unknown is never sent again by itself; `reconciler apply` looks again."
    for address in report.resubmitted:
        yield f"{address}: nothing came of its submission; the next plan buys it."
    if report.troubles("outdated"):
        yield "Something changed since the plan was made. Plan again, and review that."
    if report.stopped:
        yield f"Submitting ended early: {report.stopped}. What was not sent is sent by the next apply."
    if report.interrupted:
        yield (
            f"Interrupted ({report.interrupted}). Runs that were bought go on at the service and are recorded; "
            "`reconciler apply` goes on where this stopped."
        )
    elif report.timed_out:
        yield "The wait timed out; the runs go on at the service. `reconciler apply` follows them again."
    elif report.unfinished:
        yield "The runs go on at the service; `reconciler apply` follows them, `reconciler refresh` looks once."
