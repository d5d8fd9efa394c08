"""What a plan must know of specs: names to ids, whether there is a seed dataset, and what a run is made from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from reconciler.dataframer.catalogue import close_names
from reconciler.model.changes import Action
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.errors import ServiceRefused
from reconciler.model.request import Instance
from reconciler.model.run import Run, Spec
from state.records import SpecRecord

if TYPE_CHECKING:
    from reconciler.dataframer.client import Client

Where = Callable[[str, str], Source | None]


class Specs(Struct, frozen=True):
    """What is known: ids by name, seededness by id, and what was fetched in full."""

    ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seeded: Mapping[str, bool] = field(default_factory=dict)
    newest: Mapping[str, int] = field(default_factory=dict)  # the highest version that is known to exist
    reported: Mapping[str, int] = field(default_factory=dict)  # the highest among the listed runs
    fetched: Mapping[str, Spec] = field(default_factory=dict)


def remembered(records: Mapping[str, SpecRecord], listed: Iterable[Run]) -> Specs:
    """What the state remembers, and what the listed runs tell by the way."""
    ids: dict[str, tuple[str, ...]] = {}
    for record in records.values():
        if record.name is not None:
            ids[record.name] = (*ids.get(record.name, ()), record.spec_id)
    seeded = {record.spec_id: record.seeded for record in records.values() if record.seeded is not None}
    newest = {record.spec_id: record.versions for record in records.values() if record.versions}
    reported: dict[str, int] = {}
    for run in listed:
        if run.spec_id:
            seeded[run.spec_id] = run.dataset_id is not None
            reported[run.spec_id] = max(reported.get(run.spec_id, 0), run.spec_version or 0)
    return Specs(ids, seeded, _highest(newest, reported), reported)


def _highest(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {key: highest for key in {*one, *other} if (highest := max(one.get(key, 0), other.get(key, 0)))}


def look_up_names(client: Client, specs: Specs, instances: Iterable[Instance]) -> Specs:
    """One list call, if any declaration names its spec."""
    if not any(instance.spec_name for instance in instances):
        return specs
    ids: dict[str, tuple[str, ...]] = {}
    seeded = dict(specs.seeded)
    for spec in client.list_specs():
        ids[spec.name] = (*ids.get(spec.name, ()), spec.id)
        seeded[spec.id] = spec.seeded
    return replace(specs, ids=ids, seeded=seeded)


def fetch_specs(client: Client, specs: Specs, spec_ids: Iterable[str]) -> tuple[Specs, list[Diagnostic]]:
    """These specs in full, each once."""
    fetched, found = dict(specs.fetched), list[Diagnostic]()
    for spec_id in dict.fromkeys(spec_ids):
        if spec_id in fetched:
            continue
        spec = client.get_spec(spec_id)
        if spec is None:
            found.append(_missing(client, spec_id))
        else:
            fetched[spec_id] = spec
    seeded = {**specs.seeded, **{spec_id: spec.seeded for spec_id, spec in fetched.items()}}
    newest = _highest(specs.newest, {spec_id: spec.versions or 0 for spec_id, spec in fetched.items()})
    return replace(specs, seeded=seeded, newest=newest, fetched=fetched), found


def resolved(
    client: Client | None, specs: Specs, instances: Collection[Instance]
) -> tuple[list[Instance], Specs, list[Diagnostic]]:
    """Instances with their specs, after asking for names, followed versions and seed datasets that are not known.
    Without a client: from what is known alone.
    """
    if client is None:
        named, found = resolve(instances, specs)
        return named, specs, found
    specs = look_up_names(client, specs, instances)
    asking = [
        item.request.spec_id or next(iter(specs.ids.get(item.spec_name or "", ())), "")
        for item in instances
        if item.follows_latest or (item.legacy_revisions and item.request.spec_id not in specs.seeded)
    ]
    specs, found = fetch_specs(client, specs, filter(None, asking))
    named, more = resolve(instances, specs)
    return named, specs, found + more


def resolve(instances: Iterable[Instance], specs: Specs) -> tuple[list[Instance], list[Diagnostic]]:
    """Instances with a spec id, and with the legacy switch expanded for their spec; errors for names that are none."""
    resolved, found = list[Instance](), list[Diagnostic]()
    for instance in instances:
        request = instance.request
        if instance.spec_name is not None:
            ids = specs.ids.get(instance.spec_name, ())
            if len(ids) == 1:
                request = replace(request, fields=(("spec_id", ids[0]), *request.fields))
            else:
                found.append(_unresolved(instance, instance.spec_name, ids, specs))
                continue
        if instance.legacy_revisions and specs.seeded.get(request.spec_id) is False:
            types = tuple(name for name in request.list_of("revision_types") if name != "distinguishability")
            request = request.having("revision_types", types)
        if instance.follows_latest:
            newest = specs.newest.get(request.spec_id)
            if newest is None:
                found.append(_no_version(instance))
                continue
            request = request.having("spec_version", newest)
        resolved.append(instance if request is instance.request else replace(instance, request=request))
    return resolved, found


def inferred_version(action: Action, specs: Specs) -> int | None:
    """The version that a purchase would take when none is declared: the number of the spec's versions. None where
    runs report a higher one, for then the count can't be trusted; the service decides, and it is read back.
    """
    if action.after is None or action.after.get("spec_version") is not None:
        return None
    spec = specs.fetched.get(action.after.spec_id)
    count = spec.versions if spec else None
    return count if count and count >= specs.reported.get(action.after.spec_id, 0) else None


def check_purchase(action: Action, specs: Specs, where: Where) -> list[Diagnostic]:
    """What only the service knows, and would refuse: asked before anything is bought. ``where`` finds the line of a
    field of an address.
    """
    spec = specs.fetched.get(action.after.spec_id) if action.after else None
    if spec is None or action.after is None:
        return []
    found = []
    if spec.status not in ("SUCCEEDED", "READY", ""):
        why = f": {spec.error}" if spec.error else ""
        said = f'The spec "{spec.name}" ({spec.id}) is {spec.status}{why}; only a spec that SUCCEEDED makes runs.'
        found.append(_error(action, "The spec is not ready", said, "Wait for it or mend it, then plan again."))
    if "distinguishability" in action.after.list_of("revision_types") and not spec.seeded:
        said = f'revision_types names distinguishability, but the spec "{spec.name}" has no seed dataset.'
        place = where(action.address, "revision_types") or action.source
        fix = "Remove it from revision_types."
        summary = "distinguishability needs a seed dataset"
        found.append(Diagnostic(Severity.ERROR, summary, said, fix, action.address, place))
    return found


def _error(action: Action, summary: str, detail: str, fix: str) -> Diagnostic:
    return Diagnostic(Severity.ERROR, summary, detail, fix, action.address, action.source)


def _no_version(instance: Instance) -> Diagnostic:
    said = f'spec_version = "latest", but nothing says how many versions spec {instance.request.spec_id} has.'
    fix = "Plan with the network, or pin a number."
    return Diagnostic(Severity.ERROR, "Unknown spec version", said, fix, instance.address, instance.source)


def _missing(client: Client, spec_id: str) -> Diagnostic:
    """A spec that can't be fetched is an error if the service lists its specs and this is none of them."""
    try:
        listed = {spec.id.lower(): spec for spec in client.list_specs()}
    except ServiceRefused:
        said = f"The service answers 404 for spec {spec_id}, and lists no specs: it will decide."
        return Diagnostic(Severity.WARNING, "The spec could not be checked", said)
    known = ", ".join(f"{spec.name} ({spec.id})" for spec in list(listed.values())[:5]) or "none"
    said = f"The service has no spec {spec_id} for this key. It lists: {known}."
    return Diagnostic(Severity.ERROR, "Unknown spec", said, "Correct spec_id or [specs], or use the right key.")


def _unresolved(instance: Instance, name: str, ids: tuple[str, ...], specs: Specs) -> Diagnostic:
    if ids:
        said = f'{len(ids)} specs are named "{name}": {", ".join(ids)}.'
        fix = "Write spec_id with the one that you mean."
        return Diagnostic(Severity.ERROR, "Ambiguous spec name", said, fix, instance.address, instance.source)
    near = close_names(name, specs.ids, cutoff=0.6)
    guess = f' Did you mean "{near[0]}"?' if near else ""
    said = f'No spec is named "{name}".{guess}'
    fix = "Correct spec_name; names are looked up on the service (offline: among those seen before)."
    return Diagnostic(Severity.ERROR, "Unknown spec name", said, fix, instance.address, instance.source)
