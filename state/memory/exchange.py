"""A whole content as rows, and from rows, as the memory store gives and takes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from state import exchange, rules
from state.records import ROW_TYPES, AttemptRecord, JournalRecord, Row
from state.tables import Tables


def everything(tables: Tables) -> list[Row]:
    """All rows, in the order of ``Store.export``."""
    rows: list[Row] = []
    for kind in ROW_TYPES:
        table = getattr(tables, kind.table)
        rows += table.values() if isinstance(table, dict) else table
    return rows


def gathered(rows: Iterable[Row], present: Tables) -> Tables:
    """Tables with these rows, which may take the place of ``present``. Errors: as of ``Store.replace``."""
    made = Tables()
    steps: dict[int, JournalRecord] = {}
    for row in rows:
        table: dict[Any, Any] = steps if isinstance(row, JournalRecord) else made.of(type(row))
        key = getattr(row, row.key)
        if key in table:
            raise exchange.twice(row)
        if isinstance(row, AttemptRecord):
            _check(row, made, present)
            made.load(row)
        else:
            table[key] = row
    missing = sorted(
        (attempt for key, attempt in present.attempts.items() if key not in made.attempts),
        key=lambda attempt: (attempt.address, attempt.number, attempt.attempt_id),
    )
    if missing:
        first = missing[0]
        raise exchange.lacking(first.attempt_id, first.address, first.run_id, len(missing))
    for instance in made.instances.values():
        if instance.attempt_id is not None and instance.attempt_id not in made.attempts:
            raise exchange.pointless(instance.address, instance.attempt_id)
    made.journal = [steps[seq] for seq in sorted(steps)]
    return made


def _check(attempt: AttemptRecord, made: Tables, present: Tables) -> None:
    rules.check_attempt(None, attempt)
    before = present.attempts.get(attempt.attempt_id)
    if before is not None and before.run_id not in (None, attempt.run_id) and not before.provisional:
        raise exchange.losing(before.attempt_id, before.address, before.run_id)
    if attempt.run_id is None:
        return
    other = made.runs.get(attempt.run_id) or _owner(attempt.run_id, present)
    if other is not None and other != attempt.attempt_id:
        raise exchange.taken(attempt.run_id, attempt.attempt_id, other)


def _owner(run_id: str, present: Tables) -> str | None:
    """The attempt of the present content that has this run for good."""
    key = present.runs.get(run_id)
    return None if key is None or present.attempts[key].provisional else key
