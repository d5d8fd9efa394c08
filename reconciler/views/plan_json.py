"""A plan as JSON, in the shape that policy tools know from Terraform."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import to_builtins
from msgspec.structs import asdict

from reconciler import __version__
from reconciler.model.address import split_address
from reconciler.model.changes import Action, Kind
from reconciler.model.diagnostics import Diagnostic, Source, ordered
from reconciler.model.money import Estimate
from reconciler.model.plan import NoChange, Plan
from reconciler.model.request import Request, canonical_json, sha256
from reconciler.views.diagnostics import diagnostic_json

FORMAT_VERSION = "1.0"


def plan_json(plan: Plan) -> dict[str, Any]:
    """The whole plan, as ``docs/schemas/plan.schema.json`` describes it."""
    revision = plan.revision
    counts = {kind.value: count for kind, count in plan.counts().items()}
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": plan.tool_version,
        "lineage": plan.lineage or None,
        "serial": plan.serial,
        "digest": plan.digest,
        "plan_id": plan.plan_id,
        "timestamp": plan.timestamp,
        "git": {"commit": revision.commit, "dirty": revision.dirty, "base": revision.base},
        "environment": plan.environment or None,
        "summary": {
            **counts,
            "unchanged": len(plan.unchanged),
            "unmet": len(plan.unmet),
            "samples": plan.samples,
            "estimated_cost_usd": _usd(plan.cost, bought=plan.samples > 0),
        },
        "resource_changes": [
            *(_action(action, revision.base is not None) for action in plan.actions),
            *map(_no_change, plan.unchanged),
        ],
        "unmet": [
            {
                "address": item.address,
                "kind": item.kind,
                "reason": item.reason,
                "run_id": item.run_id,
                "outlook": to_builtins(item.outlook) if item.outlook else None,
                "source": _source(item.source),
            }
            for item in plan.unmet
        ],
        "drift": [
            {"address": item.address, "run_id": item.run_id, "changes": [asdict(change) for change in item.changes]}
            for item in plan.drift
        ],
        "diagnostics": [diagnostic_json(item) for item in plan.diagnostics],
        "limits": [
            {
                "name": item.limit.name,
                "level": item.limit.level.value,
                "value": list(item.limit.value) if isinstance(item.limit.value, tuple) else item.limit.value,
                "passed": item.passed,
                "message": item.found,
                "override": item.override or None,
                "source": _source(item.limit.source),
            }
            for item in plan.limits
        ],
        "mode": plan.mode,
    }


def failed_plan_json(diagnostics: Iterable[Diagnostic]) -> dict[str, Any]:
    """In the place of a plan that could not be made."""
    found = [diagnostic_json(item) for item in ordered(diagnostics)]
    return {"format_version": FORMAT_VERSION, "tool_version": __version__, "errored": True, "diagnostics": found}


def _usd(estimate: Estimate | None, *, bought: bool) -> float | None:
    """Dollars, or null for what is unknown; what buys nothing costs nothing."""
    if not bought:
        return 0.0
    return None if estimate is None else round(estimate.usd, 4)


def terraform_actions(action: Action) -> list[str]:
    """The action in Terraform's words."""
    match action.kind:
        case Kind.CREATE | Kind.RETRY:
            return ["create"]
        case Kind.REPLACE:
            return ["create", "delete"] if action.stops else ["forget", "create"]
        case Kind.CANCEL | Kind.DELETE:
            return ["delete"]
        case Kind.FORGET:
            return ["forget"]
        case Kind.REUSE | Kind.UPDATE | Kind.MOVE | Kind.IMPORT:
            return ["update"]


def _action(action: Action, compared: bool) -> dict[str, Any]:
    sensitive = {name: True for name, _ in action.secrets}
    after = _request(action.after)
    change = {
        "actions": terraform_actions(action),
        "before": _request(action.before),
        "after": after if after is None else after | dict.fromkeys(sensitive),
        "before_sensitive": {},
        "after_sensitive": sensitive,
    }
    if action.lifecycle_before and action.lifecycle:
        change["before"] = {"lifecycle": asdict(action.lifecycle_before)}
        change["after"] = {"lifecycle": asdict(action.lifecycle)}
    if action.kind is Kind.IMPORT:
        change["importing"] = {"id": action.reused_run}
    entry = _entry(action.address, change, action.kind.value, action.reason, action.source, action.digest)
    entry["estimated_cost_usd"] = _usd(action.estimate, bought=action.buys)
    if action.estimate is not None:
        entry["estimate_basis"] = {"runs": action.estimate.runs, "of": action.estimate.basis}
    if action.moved_from is not None:
        entry["previous_address"] = action.moved_from
    if action.depends_on:
        entry |= {"wave": action.wave, "depends_on": list(action.depends_on)}
    entry["run"] = asdict(action.subject) if action.subject else None
    if compared:
        entry["caused_by_branch"] = not action.foreign
    if action.deposed and action.subject:
        entry["deposed"] = action.subject.run_id
    return entry


def _no_change(item: NoChange) -> dict[str, Any]:
    same = _request(item.request)
    change = {
        "actions": ["no-op"],
        "before": same,
        "after": same,
        "before_sensitive": {},
        "after_sensitive": {},
    }
    digest = sha256(canonical_json(["no-op", item.address, item.request.digest]))
    entry = _entry(item.address, change, "no-op", "as declared", item.source, digest)
    return entry | {"estimated_cost_usd": 0.0, "run": asdict(item.progress) if item.progress else None}


def _entry(
    address: str, change: dict[str, Any], action: str, reason: str, source: Source | None, digest: str
) -> dict[str, Any]:
    name, key = split_address(address)
    return {
        "address": address,
        "type": "dataframer_run",
        "name": name,
        "index": key,
        "change": change,
        "action": action,
        "reason": reason,
        "source": _source(source),
        "digest": digest,
    }


def _request(request: Request | None) -> dict[str, Any] | None:
    return None if request is None else {**request.body(), "rerun": request.rerun}


def _source(source: Source | None) -> dict[str, Any] | None:
    return None if source is None else {"file": source.file, "line": source.line}
