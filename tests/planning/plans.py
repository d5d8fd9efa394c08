"""Actions and plans as tests want them."""

from __future__ import annotations

from typing import Any

from reconciler.model.address import Address
from reconciler.model.changes import Action, Kind, Precondition, Progress, StatusClass
from reconciler.model.diagnostics import Source
from reconciler.model.plan import NoChange, Plan
from reconciler.model.request import Lifecycle, Request

SPEC = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
AT = "2026-01-01T00:00:00.000Z"
SOURCE = Source("runs/evals.toml", 7, 1)


def request(samples: int = 10, rerun: int = 0, **fields: Any) -> Request:
    return Request.of({"spec_id": SPEC, "number_of_samples": samples, **fields}, rerun)


def action(kind: Kind = Kind.CREATE, name: str = "a", run_id: str | None = None, **more: Any) -> Action:
    """An action of ``run.NAME``; with ``run_id`` it concerns that run, which works unless ``standing`` says else."""
    standing = more.pop("standing", StatusClass.WORKING if run_id else StatusClass.NONE)
    words = {StatusClass.WORKING: "PROCESSING"}
    subject = Progress(run_id, words.get(standing, standing.upper()), 4, 10) if run_id else None
    buying = kind in (Kind.CREATE, Kind.REPLACE, Kind.RETRY, Kind.REUSE)
    given: dict[str, Any] = {
        "source": SOURCE if buying or kind is Kind.UPDATE else None,
        "before": request(5) if run_id and kind is not Kind.UPDATE else None,
        "after": request() if buying else None,
        "lifecycle": Lifecycle() if buying else None,
        "subject": subject,
        **more,
    }
    precondition = Precondition() if kind is Kind.UPDATE else Precondition(run_id, standing)
    return Action(kind, Address(f"run.{name}"), "because", precondition, **given)


def unchanged(name: str, progress: Progress | None = None) -> NoChange:
    return NoChange(Address(f"run.{name}"), SOURCE, progress, request())


def plan(*actions: Action, **more: Any) -> Plan:
    given: dict[str, Any] = {"unchanged": (), "lineage": "l", "serial": 3, "refreshed": True, **more}
    return Plan("p", "0.0", AT, "emulator", actions=actions, **given)
