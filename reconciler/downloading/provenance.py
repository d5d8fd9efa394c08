"""The file beside each run's files that says where they come from: ``provenance.json``, described by a JSON Schema in
``docs/provenance.schema.json``. It holds no secret and no link.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict

from reconciler import __version__
from reconciler.dataframer.observation import observation
from reconciler.model.run import Run
from state.records import ApplyRecord, AttemptRecord

FORMAT_VERSION: Final = "1.0"
NAME: Final = "provenance.json"


class FileRecord(Struct, frozen=True):
    """One file of a run. ``path`` is relative to the folder ``files`` beside the provenance file."""

    path: str
    sha256: str  # hex
    size_bytes: int
    listed_as: str  # its name on the service, or in the archive
    file_id: str | None = None  # None for a file of the archive
    file_type: str | None = None


class Provenance(Struct, frozen=True):
    """What a provenance file says, as far as a later download needs it. ``told`` is all of it."""

    address: str
    run_id: str
    files: tuple[FileRecord, ...]
    told: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(one.size_bytes for one in self.files)


class Origin(Struct, frozen=True):
    """What is recorded of a run, apart from its files."""

    attempt: AttemptRecord
    applied: ApplyRecord | None  # the command that asked for it; None for one that was imported
    base_url: str
    lineage: str


def provenance(origin: Origin, run: Run, files: Iterable[FileRecord], source: str, at: str) -> dict[str, Any]:
    """The content of the file. ``source``: ``files`` or ``archive``; ``at``: ISO 8601 in UTC."""
    attempt, applied = origin.attempt, origin.applied
    sent = json.loads(attempt.sent_json)
    inferred = json.loads(attempt.inferred_json)
    seen = observation(run, at)
    return {
        "format_version": FORMAT_VERSION,
        "tool": {"name": "reconciler", "version": __version__},
        "address": attempt.address,
        "run_id": run.id,
        "service": origin.base_url,
        "state": origin.lineage,
        "attempt": {
            "number": attempt.number,
            "rerun": attempt.rerun,
            "imported": attempt.imported,
            "provisional": attempt.provisional,
        },
        "spec": {"id": run.spec_id or attempt.spec_id, "name": run.spec_name, "version": run.spec_version},
        "parameters": {
            "declared": {name: value for name, value in sent.items() if name not in inferred},
            "sent": sent,
            "effective": json.loads(seen.reported_json or "null"),
        },
        "status": run.status.value,
        "samples_completed": run.samples_completed,
        "samples_failed": run.samples_failed,
        "total_cost_usd": run.total_cost,
        "run_created_at": run.created_at,
        "run_completed_at": run.completed_at,
        "applied": None
        if applied is None
        else {
            "command": applied.command,
            "at": applied.started_at,
            "user": applied.user,
            "host": applied.host,
            "git_commit": applied.git_commit,
            "git_branch": applied.git_branch,
            "git_dirty": applied.git_dirty,
            "plan_id": applied.plan_id,
            "plan_digest": applied.plan_digest,
        },
        "downloaded_at": at,
        "source": source,
        "files": [asdict(one) for one in files],
    }


def with_files(told: dict[str, Any], files: Iterable[FileRecord], at: str) -> dict[str, Any]:
    """The same file after some of its files were fetched again."""
    return {**told, "downloaded_at": at, "files": [asdict(one) for one in files]}


def written(told: dict[str, Any]) -> bytes:
    """As it is stored: ASCII, so that it is read alike everywhere."""
    return (json.dumps(told, indent=2, ensure_ascii=True) + "\n").encode()


def read(data: bytes) -> Provenance | None:
    """What a provenance file says, or None for what is none, or one of a later format."""
    try:
        told = json.loads(data)
        if not str(told["format_version"]).startswith("1."):
            return None
        known = set(FileRecord.__struct_fields__)
        files = tuple(FileRecord(**{k: v for k, v in one.items() if k in known}) for one in told["files"])
        whole = all(
            isinstance(one.path, str)
            and isinstance(one.sha256, str)
            and isinstance(one.size_bytes, int)
            and isinstance(one.listed_as, str)
            for one in files
        )
        found = Provenance(told["address"], told["run_id"], files, told)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return found if whole and isinstance(found.address, str) and isinstance(found.run_id, str) else None
