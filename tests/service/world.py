"""The runs and specs of the service, without HTTP: what exists, how it goes on, and how the API shows it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELED"})
DEFAULT_MODEL = "anthropic/claude-sonnet-4-6"


def now() -> str:
    """The service's time as the API writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Spec:
    """A spec. Its version numbers are 1 to ``versions``; the API never says them."""

    id: str
    name: str
    seeded: bool = False
    versions: int = 3
    status: str = "SUCCEEDED"
    words: str = "version"  # of its content

    def summary(self) -> dict[str, Any]:
        """As the list of specs shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "description": None,
            "status": self.status,
            "dataset_id": "99999999-2222-4333-8444-555555555555" if self.seeded else None,
            "dataset_name": "Tickets 2025" if self.seeded else None,
            "dataset_type": "SINGLE_FILE" if self.seeded else "MULTI_FILE",
            "created_at": "2026-03-01T08:00:00Z",
        }

    def full(self, versions: bool) -> dict[str, Any]:
        """As a GET shows it. Versions are listed oldest first and carry no number."""
        stamps = [f"2026-03-{day:02d}T08:00:00Z" for day in range(1, self.versions + 1)]
        texts = [f"spec:\n  description: {self.words} {number}\n" for number in range(1, self.versions + 1)]
        answer = self.summary() | {
            "updated_at": stamps[-1],
            "created_by_email": "ops@example.com",
            "error": None,
            "runtime_params": {},
            "content_yaml": texts[-1],
        }
        if versions:
            pairs = zip(texts, stamps, strict=True)
            answer["versions"] = [{"content_yaml": text, "created_at": stamp} for text, stamp in pairs]
        return answer


FILE_SIZE = 5120  # bytes of each file of a run


@dataclass(slots=True)
class Run:
    """One run. It goes one step further each time that it is looked at, unless ``polls`` is None."""

    body: dict[str, Any]
    spec: Spec
    polls: int | None  # looks until it succeeds; None: works until a test finishes it
    reported: dict[str, Any] = field(default_factory=dict)  # laid over the effective parameters
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "PENDING"
    completed: int = 0
    failed: int = 0
    cost: float | None = None
    created_at: str = field(default_factory=now)
    completed_at: str | None = None
    cancel_polls: int | None = None  # looks until a cancel that was asked for is done
    version: int = 0  # of the spec, settled when the run is made
    fate: str = "SUCCEEDED"  # how it ends

    def __post_init__(self) -> None:
        self.version = self.reported.get("spec_version", self.body.get("spec_version", self.spec.versions))

    @property
    def samples(self) -> int:
        """The number of samples that was asked for."""
        return int(self.body["number_of_samples"])

    def finish(self, status: str, completed: int | None = None, failed: int = 0, cost: float | None = None) -> None:
        """Make the run final."""
        if completed is None:
            completed = self.samples - failed if status == "SUCCEEDED" else self.completed
        self.status, self.completed, self.failed = status, completed, failed
        self.cost = 0.05 * completed if cost is None else cost
        self.completed_at = now()

    def look(self) -> None:
        """Go one step further, because somebody looks."""
        if self.status in FINAL:
            return
        if self.cancel_polls is not None:
            self.cancel_polls -= 1
            if self.cancel_polls <= 0:
                self.finish("CANCELED")
        elif self.polls is not None:
            self.polls -= 1
            if self.polls <= 0:
                self.finish(self.fate)
            else:
                self.status, self.completed = "PROCESSING", self.samples // 2
        else:
            self.status = "PROCESSING"

    def summary(self, words: Mapping[str, str]) -> dict[str, Any]:
        """As the list of runs shows it. ``words`` renames statuses."""
        spec = self.spec.summary()
        return {
            "id": self.id,
            "status": words.get(self.status, self.status),
            "spec_id": self.spec.id,
            "spec_name": self.spec.name,
            "spec_version": self.version,
            "dataset_id": spec["dataset_id"],
            "dataset_name": spec["dataset_name"],
            "dataset_type": spec["dataset_type"],
            "samples_completed": self.completed,
            "samples_failed": self.failed,
            "total_cost": self.cost,
            "created_at": self.created_at,
            "created_by_email": "ops@example.com",
            "completed_at": self.completed_at,
        }

    def full(self, words: Mapping[str, str]) -> dict[str, Any]:
        """As a GET shows it: the list's item with effective parameters and files."""
        files = []
        if self.status in FINAL:
            files = [
                {"id": f"file-{n:04d}", "path": f"sample_{n}.txt", "file_type": "text/plain", "size_bytes": FILE_SIZE}
                for n in range(1, min(self.completed, 3) + 1)
            ]
        reported = {name: value for name, value in self.reported.items() if name != "spec_version"}
        return self.summary(words) | {"runtime_params": effective(self.body) | reported, "generated_files": files}


def effective(body: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that the service settles on and reports: all but the spec's version and the credentials."""
    generation = body.get("generation_model", DEFAULT_MODEL)
    outline = body.get("outline_model", generation)
    revising = bool(body.get("revision_types") or body.get("filtering_types"))
    revision = body.get("revision_model", generation) if revising else None

    def budget(stage: str, model: str | None) -> int | None:
        thinking = model is not None and model.endswith("-thinking")
        return body.get(f"{stage}_thinking_budget", 4096) if thinking else None

    return {
        "number_of_samples": body["number_of_samples"],
        "generation_model": generation,
        "outline_model": outline,
        "revision_model": revision,
        "revision_types": body.get("revision_types", []),
        "filtering_types": body.get("filtering_types", []),
        "max_revision_cycles": body.get("max_revision_cycles", 1) if revising else None,
        "seed_shuffling_level": body.get("seed_shuffling_level", "none"),
        "max_examples_in_prompt": body.get("max_examples_in_prompt"),
        "unified_multifield": body.get("unified_multifield", False),
        "generation_thinking_budget": budget("generation", generation),
        "outline_thinking_budget": budget("outline", outline),
        "revision_thinking_budget": budget("revision", revision),
        "skip_outline": body.get("skip_outline", False),
        "tools": body.get("tools", []),
    }
