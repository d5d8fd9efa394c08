"""Whether a plan keeps within the declared limits. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from reconciler.model.changes import Action
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.limits import Level, Limit, LimitResult
from reconciler.model.money import dollars, total
from reconciler.model.plan import Plan
from reconciler.model.request import Request

_SHOWN = 3


def check_limits(limits: Iterable[Limit], actions: Sequence[Action]) -> tuple[LimitResult, ...]:
    """Each limit, held against what the actions buy and stop."""
    return tuple(LimitResult(limit, *_check(limit, actions)) for limit in limits)


def advice(results: Iterable[LimitResult]) -> list[Diagnostic]:
    """A warning for each advisory limit that is exceeded."""
    return [
        Diagnostic(
            Severity.WARNING,
            "An advisory limit is exceeded",
            f"{item.limit.name}: {item.found}.",
            source=item.limit.source,
        )
        for item in results
        if not item.passed and item.limit.level is Level.ADVISORY
    ]


def overridden(plan: Plan, reasons: Mapping[str, str]) -> Plan:
    """The same plan, with the reasons (by name) why it may pass soft limits that it does not keep."""
    limits = tuple(
        replace(item, override=reasons[item.limit.name])
        if not item.passed and item.limit.level is Level.SOFT and item.limit.name in reasons
        else item
        for item in plan.limits
    )
    return replace(plan, limits=limits)


def _check(limit: Limit, actions: Sequence[Action]) -> tuple[bool, str]:
    buying = [action for action in actions if action.buys]
    if isinstance(limit.value, tuple):
        return _models(limit.name, limit.value, buying)
    match limit.name:
        case "max_new_runs":
            return _count(len(buying), limit.value, "new run")
        case "max_new_samples":
            return _count(sum(action.after.samples for action in buying if action.after), limit.value, "new sample")
        case "max_cancel":
            stopped = sum(1 for action in actions if action.stops and not action.deposed)
            return _count(stopped, limit.value, "run", " to cancel or delete")
        case "max_cost_usd":
            return _cost(limit.value, buying)
        case _:
            raise AssertionError(f"no such limit: {limit.name}")


def _count(found: int, most: float, noun: str, what: str = "") -> tuple[bool, str]:
    plural = "" if found == 1 else "s"
    return found <= most, f"{found:,} {noun}{plural}{what}, {most:,} are allowed"


def _cost(most: float, buying: Sequence[Action]) -> tuple[bool, str]:
    if not buying:
        return True, f"nothing is bought, {dollars(most)} are allowed"
    unknown = sum(1 for action in buying if action.estimate is None)
    if unknown:
        return False, f"the cost of {unknown:,} of {len(buying):,} purchases is unknown, {dollars(most)} are allowed"
    estimate = total(action.estimate for action in buying)
    usd = estimate.usd if estimate else 0.0
    return usd <= most, f"≈ {dollars(usd)} to buy, {dollars(most)} are allowed"


def _models(name: str, globs: tuple[str, ...], buying: Sequence[Action]) -> tuple[bool, str]:
    """Every model that acts must be declared: the service's defaults move."""
    wrong = dict[str, str]()
    for action in buying:
        for stage, model in _acting(action.after) if action.after else ():
            if model is None:
                wrong.setdefault(f"an undeclared {stage} acts", action.address)
            elif any(fnmatch.fnmatchcase(model, glob) for glob in globs) != (name == "allowed_models"):
                wrong.setdefault(f"{stage} {model}", action.address)
    if not wrong:
        return True, f"every model is {'allowed' if name == 'allowed_models' else 'other than these'}"
    said = [f"{what} ({address})" for what, address in wrong.items()]
    more = f", and {len(said) - _SHOWN:,} more" if len(said) > _SHOWN else ""
    listed = f"{'allowed' if name == 'allowed_models' else 'denied'}: {', '.join(globs)}"
    return False, f"{', '.join(said[:_SHOWN])}{more}; {listed}"


def _acting(request: Request) -> Iterable[tuple[str, str | None]]:
    """The models that make a run, by stage; None for one that the service chooses."""
    yield "generation_model", _text(request, "generation_model")
    if request.get("skip_outline") is not True:
        yield "outline_model", _text(request, "outline_model")
    if request.list_of("revision_types") or request.list_of("filtering_types"):
        yield "revision_model", _text(request, "revision_model")


def _text(request: Request, name: str) -> str | None:
    value = request.get(name)
    return value if isinstance(value, str) else None
