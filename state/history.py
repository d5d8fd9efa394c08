"""Attempts and events as one sequence, which every store gives alike."""

from __future__ import annotations

from collections.abc import Sequence

from state.records import AttemptRecord, EventRecord

Entry = AttemptRecord | EventRecord


def moment(entry: Entry) -> str:
    """When it happened: an attempt when it was prepared."""
    return entry.prepared_at if isinstance(entry, AttemptRecord) else entry.at


def in_order(
    newest_attempts: Sequence[AttemptRecord], newest_events: Sequence[EventRecord], limit: int | None
) -> list[Entry]:
    """The newest ``limit`` of both, oldest first. Both come newest first; what one command did at one moment stays in
    the order in which it was recorded, an attempt before its events.
    """
    merged: list[Entry] = [*reversed(newest_attempts), *reversed(newest_events)]
    merged.sort(key=moment)
    return merged if limit is None else merged[max(0, len(merged) - limit) :]
