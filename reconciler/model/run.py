"""What the service says: runs, specs, and the words of their statuses."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct


def moment(text: str | None) -> float | None:
    """Seconds since the epoch of an ISO 8601 text; a time without a zone is UTC. None for what is no time."""
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


class RunStatus(StrEnum):
    """Life of a run; the last three are final."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"

    @property
    def final(self) -> bool:
        """Whether it never changes again."""
        return self in FINAL


FINAL = frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELED})
_ALIASES = {
    "IN_PROGRESS": RunStatus.PROCESSING,
    "RUNNING": RunStatus.PROCESSING,
    "CANCELLED": RunStatus.CANCELED,
    "COMPLETED": RunStatus.SUCCEEDED,
}
_KNOWN = {status.value: status for status in RunStatus} | _ALIASES


def normalise_status(word: object) -> RunStatus:
    """The status that a word stands for. A word that nobody knows means: still working."""
    return _KNOWN.get(word.upper(), RunStatus.PROCESSING) if isinstance(word, str) else RunStatus.PROCESSING


def is_known_status(word: str) -> bool:
    """Whether the word is one that this version knows."""
    return word.upper() in _KNOWN


def is_final(status: str | None) -> bool:
    """Whether a recorded status is final; None is not."""
    return status in FINAL


class Run(Struct, frozen=True):
    """A run as the service reports it; None is what it did not say. ``created_by_email`` is for people only."""

    id: str
    status: RunStatus
    status_word: str
    spec_id: str | None = None
    spec_name: str | None = None
    spec_version: int | None = None
    dataset_id: str | None = None
    samples_completed: int | None = None
    samples_failed: int | None = None
    total_cost: float | None = None
    created_at: str | None = None
    completed_at: str | None = None
    created_by_email: str | None = None
    runtime_params: dict[str, Any] | None = None  # only a GET of this run brings it
    generated_files: list[dict[str, Any]] | None = None  # likewise


class Spec(Struct, frozen=True):
    """A spec as the service reports it. ``versions`` and ``content_sha256`` come with a GET only."""

    id: str
    name: str
    status: str
    seeded: bool  # made from a seed dataset
    dataset_name: str | None = None
    error: str | None = None
    versions: int | None = None
    content_sha256: str | None = None
