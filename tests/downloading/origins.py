"""What is recorded of the runs of a depot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reconciler.dataframer.client import Client
from reconciler.downloading.download import download, inspect
from reconciler.downloading.provenance import Origin
from reconciler.downloading.shelf import shelf
from reconciler.model.downloads import DownloadEvent, Failed, Fetched, Kept, Noted
from state.records import ApplyRecord, AttemptRecord, Phase
from tests.state.samples import T0, T1, attempt

APPLIED = ApplyRecord("apply-1", "apply", T0, "ann", "laptop", "plan-1", "sha256:12", "c0ffee", False, "main")


def recorded(run_id: str, address: str = "run.x", **changes: Any) -> AttemptRecord:
    """An attempt whose run has SUCCEEDED."""
    values: dict[str, Any] = {
        "phase": Phase.ACCEPTED,
        "run_id": run_id,
        "status": "SUCCEEDED",
        "settled_at": T1,
        "apply_id": "apply-1",
        "sent_json": '{"number_of_samples":10,"spec_id":"spec-1","spec_version":3}',
        "inferred_json": '["spec_version"]',
    }
    return attempt(f"attempt-{run_id}", address, **(values | changes))


def origin(run_id: str, address: str = "run.x", **changes: Any) -> Origin:
    return Origin(recorded(run_id, address, **changes), APPLIED, "https://service.example", "lineage-1")


def fetch_all(
    out: Path, client: Client, *origins: Origin, threads: int = 3, patience: float = 5
) -> list[DownloadEvent]:
    """What the command does, less the state; returns what was told."""
    told: list[DownloadEvent] = []
    with shelf(out) as target:
        needed = inspect(origins, target, threads, told.append)
        if needed:
            download(needed, client, target, threads, patience, told.append)
    return told


def kinds(told: list[DownloadEvent]) -> list[tuple[str, str]]:
    """How each run ended."""
    return sorted((one.address, type(one).__name__) for one in told if isinstance(one, Kept | Fetched | Failed))


def words(told: list[DownloadEvent]) -> list[str]:
    """What people are told besides."""
    return [f"{one.address}: {one.text if isinstance(one, Noted) else one.why}" for one in told
            if isinstance(one, Noted | Failed)]  # fmt: skip


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, less what lists them."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("provenance.json", ".download.lock")
    }
