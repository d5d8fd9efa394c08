"""What an apply tells, as one JSON object a line, which ``docs/schemas/event.schema.json`` describes."""

from __future__ import annotations

from typing import Any

from reconciler import __version__
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.events import Done, Event, Failed, Progressed, Report, Started, Submitted, Told
from reconciler.model.plan import Plan
from reconciler.views.diagnostics import diagnostic_json
from reconciler.views.paint import one_line
from reconciler.views.plan_text import summary


def version_event(at: str) -> dict[str, Any]:
    """The first line of a stream."""
    return _event("version", "info", f"reconciler {__version__}", at, reconciler=__version__)


def plan_events(plan: Plan, at: str) -> list[dict[str, Any]]:
    """What is planned, before anything is done."""
    changes = [
        _event(
            "planned_change",
            "info",
            f"{action.kind} {action.address}: {action.reason}",
            at,
            address=action.address,
            action=action.kind.value,
            reason=action.reason,
        )
        for action in plan.actions
    ]
    counts = {kind.value: count for kind, count in plan.counts().items()}
    limits = [
        {
            "name": item.limit.name,
            "level": item.limit.level.value,
            "passed": item.passed,
            "message": item.found,
            "override": item.override or None,
        }
        for item in plan.limits
    ]
    totals = _event("change_summary", "info", summary(plan), at, changes=counts, digest=plan.digest, limits=limits)
    return [*(diagnostic_event(found, at) for found in plan.diagnostics), *changes, totals]


def diagnostic_event(found: Diagnostic, at: str) -> dict[str, Any]:
    """One diagnostic."""
    level = {"error": "error", "warning": "warn", "notice": "info"}[found.severity]
    return _event("diagnostic", level, found.summary, at, diagnostic=diagnostic_json(found))


def event_json(event: Event, at: str) -> dict[str, Any]:
    """One event."""
    match event:
        case Started(action=action):
            message = f"{action.kind} {action.address}"
            return _event("apply_start", "info", message, at, address=action.address, action=action.kind.value)
        case Submitted():
            message = f"{event.address}: run {event.run_id}"
            return _event("run_submitted", "info", message, at, address=event.address, run_id=event.run_id)
        case Progressed():
            kind = "apply_complete" if event.status.final else "apply_progress"
            return _event(
                kind,
                "info",
                f"{event.address}: {event.status}",
                at,
                address=event.address,
                run_id=event.run_id,
                status=event.status.value,
                samples_completed=event.samples_completed,
                samples_failed=event.samples_failed,
                elapsed_seconds=round(event.elapsed, 3),
            )
        case Done():
            return _event(
                "apply_complete",
                "info",
                f"{event.address}: {event.message}",
                at,
                address=event.address,
                action=event.kind.value,
            )
        case Failed():
            return _event(
                "apply_errored",
                "error",
                f"{event.address}: {event.message}",
                at,
                address=event.address,
                trouble=event.trouble,
            )
        case Told():
            return _event("diagnostic", "info", event.message, at)


def summary_event(report: Report, message: str, code: int, at: str) -> dict[str, Any]:
    """The last line of a stream."""
    done = {kind.value: count for kind, count in report.done.items()}
    return _event("summary", "info" if code == 0 else "error", message, at, done=done, exit_code=code)


def _event(kind: str, level: str, message: str, at: str, **more: Any) -> dict[str, Any]:
    return {"@level": level, "@message": one_line(message), "@timestamp": at, "type": kind, **more}
