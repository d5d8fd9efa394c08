"""Records and writes with sensible values, and helpers that start real processes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

from state.records import AttemptRecord, EventRecord, InstanceRecord, OwedRecord, Phase, SpecRecord

ROOT = Path(__file__).parents[2]
URL = "https://service.example"
T0, T1, T2, T3 = (f"2025-01-01T00:00:0{second}+00:00" for second in range(4))


def attempt(attempt_id: str = "a1", address: str = "run.x", number: int = 1, **changes: Any) -> AttemptRecord:
    values: dict[str, Any] = {
        "attempt_id": attempt_id,
        "address": address,
        "number": number,
        "phase": Phase.PREPARED,
        "request_digest": "d" * 64,
        "rerun": 0,
        "sent_json": '{"number_of_samples":10}',
        "inferred_json": "[]",
        "spec_id": "spec-1",
        "prepared_at": T0,
    }
    return AttemptRecord(**values | changes)


def full_attempt() -> AttemptRecord:
    """Every column has a value."""
    return attempt(
        phase=Phase.ACCEPTED,
        apply_id="apply-1",
        baseline_id="base-1",
        settled_at=T1,
        note="fine ✓",
        run_id="run-1",
        provisional=True,
        imported=True,
        status="PROCESSING",
        samples_completed=3,
        samples_failed=1,
        total_cost=0.25,
        spec_version=7,
        reported_json="{}",
        files_json="[]",
        run_created_at=T0,
        run_completed_at=T2,
        gone_at=T3,
    )


def instance(address: str = "run.x", attempt_id: str | None = None) -> InstanceRecord:
    return InstanceRecord(address=address, attempt_id=attempt_id, lifecycle_json="{}", recorded_at=T0)


def owed(run_id: str = "run-1", owed_at: str = T0) -> OwedRecord:
    return OwedRecord(run_id=run_id, address="run.x", reason="replaced", owed_at=owed_at)


def event(event_id: str = "e1", address: str | None = "run.x") -> EventRecord:
    return EventRecord(event_id=event_id, at=T0, type="created", address=address, message="hello")


def spec(spec_id: str = "spec-1", seeded: bool | None = None) -> SpecRecord:
    return SpecRecord(spec_id=spec_id, name="tickets", seeded=seeded, versions=2, content_sha256=None, seen_at=T0)


def script(code: str, *arguments: object) -> list[str]:
    """The command line of a Python process that can import the state; ``sys.argv[1:]`` are the arguments."""
    prelude = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    return [sys.executable, "-c", prelude + code, *map(str, arguments)]


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(script(code, *arguments), capture_output=True, text=True, timeout=60, check=False)


def traces(folder: Path) -> dict[str, tuple[int, str]]:
    """Each file of a folder with its time of change and a hash of its bytes."""
    return {
        file.name: (file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest())
        for file in folder.iterdir()
        if not file.name.endswith("-shm")  # an index of the log, made anew by whoever opens it
    }
