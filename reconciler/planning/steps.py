"""The builders of everything that a plan holds: one place for what is done, what is shown, and why."""

from __future__ import annotations

from reconciler.model.address import Address
from reconciler.model.changes import Action, FieldChange, Kind, Precondition, Progress
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.plan import Drift, NoChange, Outlook, Unmet
from reconciler.model.request import Instance, Lifecycle, Request
from reconciler.planning.comparison import Comparison, compare, drift, sent_fields, sent_request, standing_of
from state.records import AttemptRecord, InstanceRecord, Phase

Decision = Action | NoChange | Unmet | Drift | Diagnostic


def keep(
    instance: Instance, current: AttemptRecord, comparison: Comparison, record: InstanceRecord | None
) -> list[Decision]:
    """Rows 3 and 4: nothing to do, with what a reader should know."""
    found: list[Decision] = [no_change(instance, current, record)]
    if current.gone_at:
        said = f"Run {current.run_id} satisfied it, and is gone from the service by now; nothing is bought again."
        found.append(
            Diagnostic(Severity.WARNING, "A finished run is gone", said, "", instance.address, instance.source)
        )
    if comparison.extra:
        said = (
            f"Run {current.run_id} was asked for {', '.join(comparison.extra)} as well, which is not declared any more."
        )
        found.append(
            Diagnostic(Severity.NOTICE, "Declared less than sent", said, "", instance.address, instance.source)
        )
    changed = drift(current)
    if changed:
        found.append(Drift(instance.address, str(current.run_id), changed))
    return found


def kept(
    instance: Instance, current: AttemptRecord, comparison: Comparison, record: InstanceRecord | None
) -> list[Decision]:
    """Row 7 with on_change = "keep"."""
    said = f'{why_replace(comparison)}; on_change = "keep" leaves run {current.run_id} as it is.'
    return [
        no_change(instance, current, record),
        Diagnostic(Severity.NOTICE, "A change that buys nothing", said, "", instance.address, instance.source),
    ]


def no_change(instance: Instance, current: AttemptRecord, record: InstanceRecord | None) -> NoChange | Action:
    """As declared; where only the lifecycle differs from the recorded one, an update of that."""
    update = lifecycle_update(instance, current, record)
    seen = progress(current, instance.request.samples)
    return update or NoChange(instance.address, instance.source, seen, instance.request)


def lifecycle_update(instance: Instance, current: AttemptRecord, record: InstanceRecord | None) -> Action | None:
    """An update, if the lifecycle differs from the recorded one."""
    before = Lifecycle.from_json(record.lifecycle_json) if record else instance.lifecycle
    if before == instance.lifecycle:
        return None
    return Action(
        Kind.UPDATE,
        instance.address,
        "its lifecycle changed",
        Precondition(),  # a lifecycle may be recorded whatever becomes of the run
        instance.source,
        lifecycle=instance.lifecycle,
        lifecycle_before=before,
        subject=progress(current, instance.request.samples),
    )


def reuse(instance: Instance, reused: AttemptRecord, current: AttemptRecord | None) -> Action:
    """Row 5."""
    why = f"run {reused.run_id} ({reused.status or 'working'}) was bought for this request before; it costs nothing"
    return _taken(Kind.REUSE, instance, reused, current, why, instance.source)


def adopted(instance: Instance, run: AttemptRecord, current: AttemptRecord | None, source: Source) -> Action:
    """A run that was made elsewhere; ``source`` is the block that says so."""
    why = f"run {run.run_id} ({run.status}) is adopted; it costs nothing"
    return _taken(Kind.IMPORT, instance, run, current, why, source)


def _taken(
    kind: Kind,
    instance: Instance,
    taken: AttemptRecord,
    current: AttemptRecord | None,
    why: str,
    source: Source,
) -> Action:
    """A run that is there already takes the place of the current one."""
    return Action(
        kind,
        instance.address,
        why,
        Precondition(current.run_id if current else None, standing_of(current)),
        source,
        before=sent_request(current) if current else None,
        after=instance.request,
        changes=compare(instance.request, current).changes if current else (),
        lifecycle=instance.lifecycle,
        subject=progress(current),
        reused_run=taken.run_id,
    )


def buy(
    instance: Instance,
    kind: Kind,
    why: str,
    current: AttemptRecord | None,
    comparison: Comparison,
    retried: AttemptRecord | None = None,
) -> Action:
    """Create, replace or retry; ``current`` is what it displaces."""
    return Action(
        kind,
        instance.address,
        why,
        Precondition(current.run_id if current else None, standing_of(current)),
        instance.source,
        before=sent_request(current) if current else None,
        after=instance.request,
        changes=(*comparison.changes, *_dropped(comparison, current)),
        lifecycle=instance.lifecycle,
        kept_version=_version(current or retried),
        secrets=instance.secrets,
        subject=progress(current or retried),
    )


def _version(attempt: AttemptRecord | None) -> int | None:
    """The version that was sent, else the one that the service reports."""
    if attempt is None:
        return None
    sent = sent_fields(attempt).get("spec_version")
    return sent if isinstance(sent, int) else attempt.spec_version


def _dropped(comparison: Comparison, current: AttemptRecord | None) -> tuple[FieldChange, ...]:
    before: Request | None = sent_request(current) if current and comparison.extra else None
    return tuple(FieldChange(name, before.get(name), None) for name in comparison.extra) if before else ()


def unknown(
    address: Address, attempt: AttemptRecord, busy: bool, instance: Instance | None, foreseen: Outlook | None
) -> Unmet:
    """Row 1. ``foreseen``: what will become of it."""
    if attempt.phase is Phase.SENDING and busy:
        why = "is being submitted by an apply that is at work"
    else:
        known = (foreseen or Outlook()).why
        why = f"its submission of {attempt.prepared_at} has an unknown outcome: {known}"
        status = f" ({attempt.status}, {attempt.samples_completed or 0:,} samples)" if attempt.status else ""
        why += f"; provisionally run {attempt.run_id}{status}" if attempt.run_id else ""
    return Unmet(address, "unknown", why, instance.source if instance else None, attempt.run_id, foreseen)


def unmet(instance: Instance, kind: str, why: str, current: AttemptRecord) -> Unmet:
    """Rows 8 and 9, when nothing is done by itself."""
    text = f"run {current.run_id} {why}" if current.run_id else why
    return Unmet(instance.address, kind, text, instance.source, current.run_id)


def why_create(history: tuple[AttemptRecord, ...]) -> str:
    """Why a run is bought for the first time."""
    last = history[-1] if history else None
    if last is not None and last.phase is Phase.REJECTED:
        return "not bought yet (the service refused it before)"
    return (
        "was forgotten before, with another request" if any(attempt.run_id for attempt in history) else "not bought yet"
    )


def why_replace(comparison: Comparison) -> str:
    """Why a run is bought instead of another."""
    changed = [f"{change.field} {_shown(change.before)} → {_shown(change.after)}" for change in comparison.changes]
    return ", ".join([*changed, *(f"{name} not declared any more" for name in comparison.extra)])


def _shown(value: object) -> str:
    return "unset" if value is None else ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def progress(attempt: AttemptRecord | None, samples: int | None = None) -> Progress | None:
    """How far a run is, if there is one; ``samples``: how many were asked for, if the caller knows."""
    if attempt is None or attempt.run_id is None:
        return None
    asked = samples or sent_request(attempt).samples or None
    status, cost = attempt.status or "PENDING", attempt.total_cost or None
    return Progress(attempt.run_id, status, attempt.samples_completed, asked, cost)
