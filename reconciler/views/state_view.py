"""What is recorded, for people and for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from reconciler.model.money import dollars
from reconciler.views.paint import joined, one_line
from reconciler.views.times import Clock, local
from state.records import AttemptRecord, Snapshot


def output_json(snapshot: Snapshot, addresses: Iterable[str]) -> list[dict[str, Any]]:
    """The runs of these addresses, as scripts take them."""
    return [_output(address, snapshot.current.get(address)) for address in addresses]


def _output(address: str, attempt: AttemptRecord | None) -> dict[str, Any]:
    return {
        "address": address,
        "run_id": attempt.run_id if attempt else None,
        "status": attempt.status if attempt else None,
        "samples_completed": attempt.samples_completed if attempt else None,
        "samples_failed": attempt.samples_failed if attempt else None,
        "total_cost": attempt.total_cost if attempt else None,
        "spec_id": attempt.spec_id if attempt else None,
        "spec_version": attempt.spec_version if attempt else None,
        "files": json.loads(attempt.files_json or "[]") if attempt else [],
    }


def output_text(outputs: Iterable[dict[str, Any]]) -> str:
    """A table: address, status, samples, cost, run id."""
    return _table([_HEAD, *map(_cells, outputs)])


_HEAD = ("ADDRESS", "STATUS", "SAMPLES", "COST", "RUN")


def _cells(item: dict[str, Any]) -> tuple[str, ...]:
    samples, cost = item["samples_completed"], item["total_cost"]
    return (
        one_line(item["address"]),
        one_line(item["status"] or "-"),
        "-" if samples is None else f"{samples:,}",
        "-" if cost is None else dollars(cost),
        one_line(item["run_id"] or "-"),
    )


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines) + "\n"


def list_json(snapshot: Snapshot, addresses: Iterable[str]) -> list[dict[str, Any]]:
    """As :func:`output_json`, with the time (UTC) of the last decision about the address."""
    return [
        {**_output(address, snapshot.current.get(address)), "recorded_at": snapshot.instances[address].recorded_at}
        for address in addresses
    ]


def list_text(snapshot: Snapshot, addresses: Iterable[str]) -> str:
    """A table with the times of people."""
    items = list_json(snapshot, addresses)
    clock = Clock(item["recorded_at"] for item in items)
    table = _table([(*_HEAD, "RECORDED"), *((*_cells(item), clock(item["recorded_at"])) for item in items)])
    return f"{table}{clock.note}\n" if items else table


def state_json(snapshot: Snapshot) -> dict[str, Any]:
    """The whole recorded side, less the history."""
    meta = snapshot.meta
    return {
        "format_version": "1.0",
        "lineage": meta.lineage,
        "serial": meta.serial,
        "base_url": meta.base_url,
        "schema_version": meta.schema_version,
        "instances": [
            {
                **_output(address, snapshot.current.get(address)),
                "lifecycle": json.loads(record.lifecycle_json),
                "sent": json.loads(attempt.sent_json) if (attempt := snapshot.current.get(address)) else None,
                "reported": json.loads(attempt.reported_json or "null") if attempt else None,
                "rerun": attempt.rerun if attempt else None,
                "attempt": attempt.number if attempt else None,
                "recorded_at": record.recorded_at,
            }
            for address, record in sorted(snapshot.instances.items())
        ],
        "unknown": [
            {"address": address, "phase": attempt.phase.value, "prepared_at": attempt.prepared_at, "note": attempt.note}
            for address, attempt in sorted(snapshot.open.items())
        ],
        "owed": [{"run_id": owed.run_id, "address": owed.address, "reason": owed.reason} for owed in snapshot.owed],
    }


def state_text(snapshot: Snapshot) -> str:
    """The recorded side for people."""
    meta = snapshot.meta
    lines = [f"State {meta.lineage}, serial {meta.serial}, of {meta.base_url}", ""]
    table = output_text(output_json(snapshot, sorted(snapshot.instances)))
    lines += table.splitlines() if snapshot.instances else ["No run is recorded."]
    lines += [
        f"! {address}: unknown outcome since {local(attempt.prepared_at)}" for address, attempt in snapshot.open.items()
    ]
    lines += [f"! {owed.address}: run {owed.run_id} is still to be cancelled ({owed.reason})" for owed in snapshot.owed]
    return joined(lines)
