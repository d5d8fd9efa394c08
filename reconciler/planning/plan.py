"""Stage 6: decisions to a plan. What forbids the plan is said here, as error diagnostics of the plan itself."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from reconciler import __version__
from reconciler.model.changes import Action, FieldChange, Kind
from reconciler.model.diagnostics import Diagnostic, Severity, ordered
from reconciler.model.limits import Limit
from reconciler.model.plan import NO_CHECKOUT, Plan, Revision
from reconciler.model.request import Instance
from reconciler.planning.diff import Decisions
from reconciler.planning.estimate import Estimator, unknown_cost
from reconciler.planning.limits import advice, check_limits
from reconciler.planning.specs import Specs, Where, check_purchase, inferred_version
from state.records import Meta

_ENDING = frozenset({Kind.REPLACE, Kind.CANCEL, Kind.DELETE, Kind.FORGET})


class Circumstances(Struct, frozen=True):
    """What a plan was made of besides decisions. ``timestamp``: ISO 8601; ``meta`` is None before the state exists."""

    base_url: str
    timestamp: str
    refreshed: bool
    meta: Meta | None
    where: Where
    heading: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    mode: str = "normal"
    environment: str = ""
    estimate: Estimator = unknown_cost
    revision: Revision = NO_CHECKOUT


def plan(
    instances: Collection[Instance],
    decisions: Decisions,
    specs: Specs,
    diagnostics: Iterable[Diagnostic],
    around: Circumstances,
) -> Plan:
    """Put a plan together, with everything that forbids it."""
    completed = (_completed(action, specs, around.estimate) for action in decisions.actions)
    actions = tuple(sorted(completed, key=_order))
    found = [*diagnostics, *decisions.diagnostics]
    for action in actions:
        found.extend(check_purchase(action, specs, around.where) if action.buys else ())
        found.extend(_protected(action, instances))
    standing = sum(1 for action in actions if not action.deposed) + len(decisions.unmet)
    if not instances and standing and around.mode == "normal":
        found.append(_empty(standing))
    limits = check_limits(around.limits, actions)
    found += advice(limits)
    return Plan(
        plan_id=str(uuid.uuid4()),
        tool_version=__version__,
        timestamp=around.timestamp,
        base_url=around.base_url,
        lineage=around.meta.lineage if around.meta else "",
        serial=around.meta.serial if around.meta else 0,
        refreshed=around.refreshed,
        actions=actions,
        unchanged=decisions.unchanged,
        unmet=decisions.unmet,
        drift=decisions.drift,
        diagnostics=tuple(ordered(found)),
        heading=around.heading,
        specs=tuple(specs.fetched.values()),
        limits=limits,
        mode=around.mode,
        environment=around.environment,
        revision=around.revision,
    )


def _order(action: Action) -> tuple[int, str, int, int]:
    """Waves in their order; within one as the files have them."""
    source, kind = action.source, list(Kind).index(action.kind)
    return (action.wave, source.file if source else "\uffff", source.line if source else 0, kind)


def _completed(action: Action, specs: Specs, estimate: Estimator) -> Action:
    """A purchase with its estimate and what only the service knows: the spec's content, and the inferred version."""
    if action.after is None or not action.buys:
        return action
    request = action.after
    spec = specs.fetched.get(request.spec_id)
    known: dict[str, Any] = {"estimate": estimate(request)}
    if spec:
        known["spec_content"] = spec.content_sha256 or ""
    # A retry buys the same thing again, so it keeps its version.
    version = action.kept_version if action.kind is Kind.RETRY else inferred_version(action, specs)
    if version is None or request.get("spec_version") is not None:
        return replace(action, **known)
    before = action.kept_version
    changed = action.kind is Kind.REPLACE and before is not None and before != version
    change = (FieldChange("spec_version", before, version),) if changed else ()
    after = request.having("spec_version", version)
    known |= {"after": after, "inferred": ("spec_version",), "changes": (*action.changes, *change)}
    return replace(action, **known)  # once: it copies two dozen fields


def _protected(action: Action, instances: Collection[Instance]) -> list[Diagnostic]:
    """``protect`` of the declaration, or, when that is gone, as it was recorded."""
    lifecycle = action.lifecycle or action.lifecycle_before
    ending = action.kind in _ENDING or action.stops
    if action.deposed or lifecycle is None or not lifecycle.protect or not ending:
        return []
    said = f"{action.address} has protect = true, and the plan would {action.kind} it: {action.reason}."
    fix = "Undo the change, or declare lifecycle = { protect = false } and apply that first."
    return [Diagnostic(Severity.ERROR, "A protected run", said, fix, action.address, action.source)]


def _empty(count: int) -> Diagnostic:
    said = f"No run is declared, and the state has {count:,}: applying this would end all of them."
    fix = "Check -C DIR and the files below runs/. To end all of them on purpose, use `reconciler destroy`."
    return Diagnostic(Severity.ERROR, "Nothing is declared", said, fix)
