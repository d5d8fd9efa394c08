"""Whether a run is what a request asks for.

A declared field is compared with the value that was *sent*; one that was not sent (and every field of an imported run)
with what the service *reports*. So declaring a field with the value already in use changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Any

from msgspec import Struct

from reconciler.dataframer.fields import LIST_FIELDS, NEVER_REPORTED, RUN_FIELDS
from reconciler.model.changes import FieldChange, StatusClass, status_class
from reconciler.model.request import Instance, Lifecycle, Request, normal
from reconciler.model.run import RunStatus, is_final
from state.records import AttemptRecord, Phase


class Comparison(Struct, frozen=True):
    """``changes``: declared fields that differ, ``rerun`` included; ``extra``: fields sent that are not declared."""

    changes: tuple[FieldChange, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Everything declared is as it was asked for."""
        return not self.changes

    @property
    def exact(self) -> bool:
        """It was asked for just the declared fields."""
        return not self.changes and not self.extra


_SAME = Comparison()
_UNTOLD = frozenset(NEVER_REPORTED) - {"spec_id"}  # which the list of runs tells


def sent_fields(attempt: AttemptRecord) -> dict[str, Any]:
    """What was sent, less secrets; nothing for an imported run."""
    fields: dict[str, Any] = json.loads(attempt.sent_json)
    return fields


def sent_request(attempt: AttemptRecord) -> Request:
    """What was asked for, as a request: the sent fields that somebody declared."""
    inferred = json.loads(attempt.inferred_json)
    fields = {name: value for name, value in sent_fields(attempt).items() if name not in inferred}
    return Request.of(fields, attempt.rerun)


def compare(request: Request, attempt: AttemptRecord) -> Comparison:
    """Compare a request with what one attempt asked for."""
    if request.digest == attempt.request_digest and not attempt.imported:
        return _SAME
    sent, reported = sent_fields(attempt), _reported(attempt)
    before: dict[str, Any] = {"rerun": attempt.rerun}
    origins: dict[str, str] = {}
    for name, _ in request.fields:
        if name in sent:
            before[name] = sent[name]
        elif name in reported:
            before[name], origins[name] = reported[name], "reported"
        else:
            before[name], origins[name] = None, "unknown"
    after: dict[str, Any] = {"rerun": request.rerun, **request.body()}
    inferred = json.loads(attempt.inferred_json)
    extra = tuple(name for name in sent if name not in after and name not in inferred)
    return Comparison(field_changes(before, after, origins), extra)


def comparable(request: Request) -> dict[str, Hashable]:
    """What a request asks for, as it is compared: lists unordered, ``rerun`` among the fields."""
    return {"rerun": request.rerun, **{name: _frozen(name, value) for name, value in request.fields}}


def effective(attempt: AttemptRecord) -> dict[str, Hashable]:
    """What a run was asked for, and what the service reports where nothing was sent; as it is compared. A request fits
    the run where everything in its ``comparable`` is in here.
    """
    known = _reported(attempt) | sent_fields(attempt)
    return {"rerun": attempt.rerun, **{name: _frozen(name, value) for name, value in known.items()}}


def _frozen(name: str, value: Any) -> Hashable:
    return tuple(sorted(value or ())) if name in LIST_FIELDS else value


def needs_report(request: Request, attempt: AttemptRecord) -> bool:
    """Whether the comparison depends on a report that only a GET of the run can bring."""
    if attempt.run_id is None or attempt.reported_json is not None or attempt.gone_at is not None:
        return False
    if request.digest == attempt.request_digest and not attempt.imported:
        return False
    sent = sent_fields(attempt)
    return any(name not in sent and name not in ("spec_id", "spec_version") for name, _ in request.fields)


def drift(attempt: AttemptRecord) -> tuple[FieldChange, ...]:
    """Sent fields that the service reports differently; nulls where the service nulls are none."""
    if attempt.reported_json is None and attempt.spec_version is None:
        return ()
    reported = json.loads(attempt.reported_json) if attempt.reported_json else {}
    reported["spec_id"] = attempt.spec_id
    if attempt.spec_version is not None:
        reported["spec_version"] = attempt.spec_version
    sent = sent_fields(attempt)
    other = {
        name: value
        for name in sent
        if (value := reported.get(name)) is not None and value != sent[name] and name not in _UNTOLD
    }
    if not other:  # of nearly all of them: nothing is left to compare in detail
        return ()
    return field_changes({name: sent[name] for name in other}, other, {})


def field_changes(
    before: Mapping[str, Any], after: Mapping[str, Any], origins: Mapping[str, str]
) -> tuple[FieldChange, ...]:
    """The fields that differ, in the API's order. Lists are unordered."""
    if all(_normal(name, before.get(name)) == _normal(name, after.get(name)) for name in (*before, *after)):
        return ()
    from deepdiff import DeepDiff  # 117 ms: only for runs that differ

    tree = DeepDiff(
        {name: _normal(name, value) for name, value in before.items()},
        {name: _normal(name, value) for name, value in after.items()},
        ignore_order=True,
        view="tree",
    )
    # With list paths a name with dots or quotes stays one element.
    names = {str(item.path(output_format="list")[0]) for items in tree.values() for item in items}
    order = {name: place for place, name in enumerate(("rerun", *RUN_FIELDS))}
    return tuple(
        FieldChange(name, before.get(name), after.get(name), origins.get(name, "sent"))
        for name in sorted(names, key=lambda name: order.get(name, len(order)))
    )


def _normal(name: str, value: object) -> object:
    return normal(value or []) if name in LIST_FIELDS else normal(value)


def _reported(attempt: AttemptRecord) -> dict[str, Any]:
    reported: dict[str, Any] = json.loads(attempt.reported_json or "{}")
    if attempt.reported_json is not None:
        reported = dict.fromkeys(LIST_FIELDS) | reported
    if attempt.spec_version is not None:
        reported["spec_version"] = attempt.spec_version
    return {name: value for name, value in reported.items() if name not in NEVER_REPORTED} | {
        "spec_id": attempt.spec_id
    }


def standing_of(attempt: AttemptRecord | None) -> StatusClass:
    """The class that preconditions name."""
    if attempt is None:
        return StatusClass.NONE
    return status_class(attempt.run_id, attempt.status, attempt.gone_at is not None)


def satisfies(comparison: Comparison, attempt: AttemptRecord, lifecycle: Lifecycle) -> bool:
    """It SUCCEEDED with enough samples, and everything declared is as asked for."""
    enough = (attempt.samples_completed or 0) >= lifecycle.min_samples
    return comparison.fits and attempt.status == RunStatus.SUCCEEDED and enough


def works_on(comparison: Comparison, attempt: AttemptRecord) -> bool:
    """It is unfinished, not known to be gone, and everything declared is as asked for."""
    return comparison.fits and attempt.run_id is not None and not is_final(attempt.status) and attempt.gone_at is None


def would_do(instance: Instance, attempt: AttemptRecord) -> bool:
    """Whether a run that fits an instance's request satisfies it, or works on it."""
    fitting = Comparison()
    return satisfies(fitting, attempt, instance.lifecycle) or works_on(fitting, attempt)


def is_open(attempt: AttemptRecord) -> bool:
    """Whether its outcome is not certain yet."""
    return attempt.phase in (Phase.SENDING, Phase.UNKNOWN) or attempt.provisional
