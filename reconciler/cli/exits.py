"""Exit codes: 0 done · 1 error · 2 changes planned · 3 a limit · 4 the plan no longer holds · 5 locked · 6 unknown
submission · 7 a run did not succeed, was deferred or the wait timed out · 130 interrupted.
"""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

from reconciler.cli.session import Session
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.errors import (
    ConfigurationError,
    LimitExceeded,
    PlanError,
    PlanOutdated,
    ReconcilerError,
    ServiceError,
)
from reconciler.views.paint import Paint
from reconciler.views.times import local
from state.errors import StateError, StateLocked

if TYPE_CHECKING:
    from reconciler.model.events import Report
    from reconciler.model.plan import Plan

DONE, ERROR, CHANGES, LIMIT, OUTDATED, LOCKED, UNKNOWN, UNSUCCESSFUL, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 7, 130


def standing_code(plan: Plan, strict: bool) -> int:
    """The code of what an apply leaves as it stands: with ``strict`` every unmet run."""
    return UNSUCCESSFUL if strict and any(item.kind != "unknown" for item in plan.unmet) else DONE


def code_of(report: Report) -> int:
    """The code of an apply's own doings; where several fit: 130, 6, 1, 4, 7."""
    if report.interrupted:
        return INTERRUPTED
    if report.unsettled:
        return UNKNOWN
    if report.troubles("rejected", "error"):
        return ERROR
    if report.troubles("outdated"):
        return OUTDATED
    if report.unsuccessful or report.troubles("deferred") or report.timed_out or report.resubmitted:
        return UNSUCCESSFUL
    return DONE


def explain(problem: Exception, session: Session) -> int:
    """Say what went wrong, and return the code. What nobody foresaw is a bug of ours, and says so."""
    error = Paint(session.colour(sys.stderr))("error", "red", "bold")
    match problem:
        case PlanError() if sys.stdout.isatty():
            session.warn([f"{error}: The plan above has errors, so it can't be applied. Nothing was done."])
        case ConfigurationError() | PlanError():
            session.report(problem.diagnostics)
        case ServiceError():
            session.caution(f"{error}: The service: {problem}")
        case StateLocked():
            since = problem.holder.since
            session.warn([f"{error}: {str(problem).replace(since, local(since))}"])
        case PlanOutdated():
            session.caution(f"{error}: {problem}")
            session.warn(f"  {line}" for line in problem.difference)
        case ReconcilerError() | StateError():
            session.caution(f"{error}: {problem}")
        case _:
            session.warn("".join(traceback.format_exception(problem)).splitlines())
            session.warn(["This is a bug in reconciler. Nothing is lost: what was bought is in the state."])
    session.warn(getattr(problem, "__notes__", ()))
    code = _code(problem)
    if session.on_error is not None:
        found = problem.diagnostics if isinstance(problem, (ConfigurationError, PlanError)) else [_diagnostic(problem)]
        session.on_error(found, code)
    return code


def _code(problem: Exception) -> int:
    match problem:
        case StateLocked():
            return LOCKED
        case LimitExceeded():
            return LIMIT
        case PlanOutdated():
            return OUTDATED
        case _:
            return ERROR


def _diagnostic(problem: Exception) -> Diagnostic:
    known = isinstance(problem, (ReconcilerError, StateError))
    detail = "\n".join(problem.difference) if isinstance(problem, PlanOutdated) else ""
    return Diagnostic(Severity.ERROR, str(problem) if known else f"A bug in reconciler: {problem!r}", detail)
