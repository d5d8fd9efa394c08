"""Loads a case: a project, what is recorded, what the service lists; and plans it without network, clock or disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconciler.config.expand import expand
from reconciler.config.load import load
from reconciler.config.validate import validate
from reconciler.dataframer.observation import absence, observation
from reconciler.dataframer.parse import parse_run
from reconciler.model.plan import Plan
from reconciler.model.request import Lifecycle, Request, by_address, canonical_json
from reconciler.planning.decide import Wishes, decide
from reconciler.planning.diff import needs_history
from reconciler.planning.estimate import estimator
from reconciler.planning.imports import adopt, due
from reconciler.planning.moves import move
from reconciler.planning.plan import Circumstances, plan
from reconciler.planning.refresh import Observed, lay_over
from reconciler.planning.specs import Specs, remembered, resolve
from state.memory.store import MemoryStore
from state.records import AttemptRecord, InstanceRecord, OwedRecord, Phase, SpecRecord
from state.writes import Put, Write

SPEC = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
AT = "2026-01-01T00:00:00.000Z"


def make_plan(case: Path) -> Plan:
    """The plan of a case folder: ``project/`` and ``state.json``."""
    recorded = json.loads((case / "state.json").read_text("utf-8"))
    loaded = load(case / "project")
    desired = validate(loaded, expand(loaded))
    assert desired.valid, desired.diagnostics
    store = fill(recorded)
    snapshot, observed = store.snapshot(), _observed(recorded)
    specs = remembered(snapshot.specs, observed.listed or ())
    instances, found = resolve(desired.instances, specs)
    busy, replace = bool(recorded.get("busy")), tuple(recorded.get("replace", ()))
    moves = move(snapshot, desired.moved)
    snapshot = moves.snapshot
    first = lay_over(snapshot, (), observed, busy)
    needy = [*needs_history(instances, first, replace), *(owed.address for owed in snapshot.owed)]
    history = moves.history(store.attempts(moves.addresses(needy))) if needy else []
    now = lay_over(snapshot, history, observed, busy)
    owners = moves.history(store.attempts_of_runs(block.run_id for block in desired.imports))
    runs = {run.id: run for run in observed.listed or ()}
    wanted = due(desired.imports, owners)
    missing = {block.run_id: runs.get(block.run_id) for block in wanted.blocks.values()}
    adoptions = adopt(wanted, by_address(instances), now, missing, AT)
    wishes = Wishes(replace, recorded.get("target", ()), recorded.get("exclude", ()))
    decisions, forbidding = decide(instances, now, moves, adoptions, wishes)
    limits, estimate = desired.settings.limits, estimator(store.newest_runs(100))
    around = Circumstances("emulator", AT, True, snapshot.meta, desired.where, limits=limits, estimate=estimate)
    return plan(instances, decisions, Specs(), [*desired.diagnostics, *found, *forbidding], around)


def fill(recorded: Mapping[str, Any]) -> MemoryStore:
    """A store that holds what a case records."""
    store = MemoryStore("emulator", lineage="00000000-0000-4000-8000-000000000000", created_at=AT)
    numbers: dict[str, int] = {}
    writes: list[Write] = []
    for item in recorded.get("attempts", ()):
        numbers[item["address"]] = numbers.get(item["address"], 0) + 1
        writes.append(Put(_attempt(item, numbers[item["address"]])))
    for address, item in recorded.get("instances", {}).items():
        lifecycle = Lifecycle(**item.get("lifecycle", {})).to_json()
        writes.append(Put(InstanceRecord(address, item.get("attempt"), lifecycle, AT)))
    writes += [Put(OwedRecord(item["run"], item["address"], item["reason"], AT)) for item in recorded.get("owed", ())]
    for spec_id, item in recorded.get("specs", {}).items():
        writes.append(Put(SpecRecord(spec_id, item.get("name"), item.get("seeded"), item.get("versions"), None, AT)))
    store.commit(writes)
    return store


def _attempt(item: Mapping[str, Any], number: int) -> AttemptRecord:
    sent = {"spec_id": SPEC, **item.get("sent", {})}
    inferred = item.get("inferred", [])
    declared = {name: value for name, value in sent.items() if name not in inferred}
    rerun = item.get("rerun", 0)
    return AttemptRecord(
        attempt_id=item["id"],
        address=item["address"],
        number=number,
        phase=Phase(item.get("phase", "ACCEPTED")),
        request_digest=Request.of(declared, rerun).digest,
        rerun=rerun,
        sent_json=canonical_json({} if item.get("imported") else sent),
        inferred_json=canonical_json(inferred),
        spec_id=SPEC,
        prepared_at=AT,
        run_id=item.get("run"),
        provisional=item.get("provisional", False),
        imported=item.get("imported", False),
        status=item.get("status"),
        samples_completed=item.get("samples_completed"),
        total_cost=item.get("total_cost"),
        spec_version=item.get("spec_version"),
        reported_json=canonical_json(item["reported"]) if "reported" in item else None,
        gone_at=AT if item.get("gone") else None,
    )


def _observed(recorded: Mapping[str, Any]) -> Observed:
    runs = [parse_run(item) for item in recorded.get("listed", ())]
    listed = tuple(run for run in runs if run is not None)
    reports = {run.id: observation(run, AT) for run in listed}
    reports |= {run_id: absence(run_id, AT) for run_id in recorded.get("answered_404", ())}
    return Observed(AT, reports, listed)
