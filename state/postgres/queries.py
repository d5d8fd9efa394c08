"""What is read of a state in PostgreSQL: statements, and the functions that make records of their rows."""

from __future__ import annotations

from typing import Any, TypeVar

from state.records import (
    UNTRACKED,
    ApplyRecord,
    AttemptRecord,
    EventRecord,
    InstanceRecord,
    MarkRecord,
    Meta,
    OwedRecord,
    Row,
    Snapshot,
    SpecRecord,
)
from state.rows import columns, decoder

R = TypeVar("R", bound=Row)

APPLY, INSTANCE, ATTEMPT, OWED, SPEC, EVENT, MARK = (
    decoder(ApplyRecord),
    decoder(InstanceRecord),
    decoder(AttemptRecord),
    decoder(OwedRecord),
    decoder(SpecRecord),
    decoder(EventRecord),
    decoder(MarkRecord),
)
_WIDTH = len(columns(InstanceRecord))


def names(kind: type[R], prefix: str = "") -> str:
    """The columns of a record's table, for a SELECT; ``prefix`` is that of the table's alias."""
    return ", ".join(f'{prefix}"{name}"' for name in columns(kind))


def rows_sql(kind: type[R], table: str, condition: str = "", order: str = "") -> str:
    """Rows of a workspace (the first argument)."""
    more = f" AND {condition}" if condition else ""
    return f"SELECT {names(kind)} FROM reconciler.{table} WHERE workspace = %s{more}" + (
        f" ORDER BY {order}" if order else ""
    )


def attempts_by(key: str) -> str:
    """The attempts of a workspace (the first argument) with these values in a column (the second), each by the index.

    ``= ANY`` would leave the choice to the planner, who takes the whole history of the workspace instead where his
    statistics are missing or old. OFFSET 0 keeps him from that.
    """
    return f"""
        SELECT {names(AttemptRecord, "found.")}
        FROM (SELECT %s::integer AS workspace) AS own CROSS JOIN unnest(%s::text[]) AS wanted (key)
        CROSS JOIN LATERAL (SELECT * FROM reconciler.attempts AS a
                            WHERE a.workspace = own.workspace AND a.{key} = wanted.key OFFSET 0) AS found"""


_IN_ORDER = "address, number, attempt_id"
ATTEMPTS_SQL = rows_sql(AttemptRecord, "attempts", "", _IN_ORDER)
ATTEMPTS_OF_ADDRESSES_SQL = f"{attempts_by('address')} ORDER BY {_IN_ORDER}"
ATTEMPTS_OF_RUNS_SQL = f"{attempts_by('run_id')} ORDER BY {_IN_ORDER}"
DONE_SQL = """
    SELECT DISTINCT p.action_digest FROM reconciler.plan_actions AS p
    LEFT JOIN reconciler.attempts AS a ON a.workspace = p.workspace AND a.attempt_id = p.attempt_id
    WHERE p.workspace = %s AND p.action_digest = ANY(%s) AND (p.done_at IS NOT NULL OR a.phase = 'ACCEPTED')"""


_HEAD_SQL = f"""
    SELECT json_build_object(
        'meta', (SELECT json_build_array(w.lineage, w.serial, w.base_url, w.created_at)
                 FROM reconciler.workspaces AS w WHERE w.workspace = %(workspace)s),
        'owed', (SELECT json_agg(json_build_array({names(OwedRecord, "o.")}) ORDER BY o.owed_at, o.seq)
                 FROM reconciler.owed AS o WHERE o.workspace = %(workspace)s AND o.paid_at IS NULL),
        'specs', (SELECT json_agg(json_build_array({names(SpecRecord, "s.")}))
                  FROM reconciler.specs AS s WHERE s.workspace = %(workspace)s),
        'marks', (SELECT json_agg(json_build_array({names(MarkRecord, "m.")}, m.server))
                  FROM reconciler.marks AS m WHERE m.workspace = %(workspace)s))"""
_NONE = ", ".join(["NULL"] * _WIDTH)
# One statement, and so one consistent view without a transaction. OFFSET 0 keeps the planner from reading the whole
# history instead of the few attempts that are pointed at, whatever its statistics say.
SNAPSHOT_SQL = f"""
SELECT 1 AS part, NULL::json AS head, {names(InstanceRecord, "i.")}, {names(AttemptRecord, "a.")}
FROM reconciler.instances AS i
LEFT JOIN LATERAL (SELECT * FROM reconciler.attempts AS t
                   WHERE t.workspace = i.workspace AND t.attempt_id = i.attempt_id OFFSET 0) AS a ON true
WHERE i.workspace = %(workspace)s
UNION ALL
(SELECT 2, NULL, {_NONE}, {names(AttemptRecord, "a.")} FROM reconciler.attempts AS a
 WHERE a.workspace = %(workspace)s AND (a.phase IN ('SENDING', 'UNKNOWN') OR a.provisional)
 ORDER BY a.address, a.number, a.attempt_id)
UNION ALL
SELECT 0, ({_HEAD_SQL}), {_NONE}, {", ".join(["NULL"] * len(columns(AttemptRecord)))}
"""
ELSEWHERE_SQL = """
WITH own AS (SELECT %s::integer AS workspace)
SELECT a.run_id, w.name FROM own JOIN reconciler.workspaces AS w ON w.workspace <> own.workspace
CROSS JOIN unnest(%s::text[]) AS wanted (run_id)
CROSS JOIN LATERAL (SELECT t.run_id FROM reconciler.attempts AS t
                    WHERE t.workspace = w.workspace AND t.run_id = wanted.run_id OFFSET 0) AS a"""
BOUGHT_SQL = (
    rows_sql(AttemptRecord, "attempts", "prepared_at >= %s AND phase NOT IN ('PREPARED', 'REJECTED')")
    + f" AND NOT imported ORDER BY {_IN_ORDER}"
)
APPLIES_SQL = rows_sql(ApplyRecord, "applies", "apply_id = ANY(%s)")
META_SQL = "SELECT lineage, serial, base_url, created_at FROM reconciler.workspaces WHERE workspace = %s"
NEWEST_SQL = (
    rows_sql(AttemptRecord, "attempts", "run_id IS NOT NULL AND gone_at IS NULL")
    + " ORDER BY coalesce(run_created_at, settled_at, prepared_at) DESC, attempt_id DESC LIMIT %s"
)
ADDRESSES_SQL = """
WITH own AS (SELECT %s::integer AS workspace)
SELECT i.address FROM own JOIN reconciler.instances AS i USING (workspace)
UNION SELECT a.address FROM own JOIN reconciler.attempts AS a USING (workspace)
UNION SELECT e.address FROM own JOIN reconciler.events AS e USING (workspace) WHERE e.address IS NOT NULL
ORDER BY 1"""
# LIMIT NULL is none.
NEWEST_ATTEMPTS_SQL = rows_sql(AttemptRecord, "attempts", "", "prepared_at DESC, attempt_id DESC LIMIT %s")
NEWEST_ATTEMPTS_OF_SQL = f"{attempts_by('address')} ORDER BY prepared_at DESC, attempt_id DESC LIMIT %s"
NEWEST_EVENTS_SQL = rows_sql(EventRecord, "events", "", "seq DESC LIMIT %s")
# Each by its index, whatever the planner thinks (see ``attempts_by``).
NEWEST_EVENTS_OF_SQL = f"""
WITH own AS (SELECT %s::integer AS workspace, %s::text[] AS addresses),
     wanted AS (SELECT own.workspace, address FROM own CROSS JOIN unnest(own.addresses) AS address)
SELECT {names(EventRecord)} FROM (
    SELECT found.* FROM wanted
    CROSS JOIN LATERAL (SELECT * FROM reconciler.events AS e
                        WHERE e.workspace = wanted.workspace AND e.address = wanted.address OFFSET 0) AS found
    UNION
    SELECT found.* FROM wanted
    CROSS JOIN LATERAL (SELECT a.attempt_id FROM reconciler.attempts AS a
                        WHERE a.workspace = wanted.workspace AND a.address = wanted.address OFFSET 0) AS theirs
    CROSS JOIN LATERAL (SELECT * FROM reconciler.events AS e
                        WHERE e.workspace = wanted.workspace AND e.attempt_id = theirs.attempt_id OFFSET 0) AS found
) AS one ORDER BY seq DESC LIMIT %s"""


def snapshot(rows: list[tuple[Any, ...]], schema_version: int, server: str) -> Snapshot:
    """A snapshot of what SNAPSHOT_SQL gave. ``server``: the present start of it, for which marks hold."""
    instances: dict[str, InstanceRecord] = {}
    current: dict[str, AttemptRecord] = {}
    opened: dict[str, AttemptRecord] = {}
    head: dict[str, Any] = {}
    key = 2 + _WIDTH
    for row in rows:
        if row[0] == 1:
            address = row[2]
            instances[address] = INSTANCE(row[2:key])
            if row[key] is not None:
                current[address] = ATTEMPT(row[key:])
        elif row[0] == 2:
            attempt = ATTEMPT(row[key:])
            opened[attempt.address] = attempt  # the newest of an address comes last
        else:
            head = row[1]
    specs = map(SPEC, head["specs"] or ())
    marks = head["marks"] or ()
    return Snapshot(
        meta=Meta(schema_version, *head["meta"]),
        instances=instances,
        current=current,
        open=opened,
        owed=tuple(map(OWED, head["owed"] or ())),
        specs={spec.spec_id: spec for spec in specs},
        marks={mark[0]: MARK(mark[:-1]) for mark in marks},
        restarted=any(mark[0] == UNTRACKED and mark[-1] != server for mark in marks),
    )
