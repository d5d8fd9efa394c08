"""The rows of the state, one frozen class a table; the field names are the column names.

Times are ISO 8601 texts in UTC. Columns that end in ``_json`` hold canonical JSON (sorted keys, no spaces): the state
keeps them for its callers and never looks inside. No record holds a secret.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from msgspec import Struct, field


class Phase(StrEnum):
    """Where one submission stands. Each is committed durably before the next step starts."""

    PREPARED = "PREPARED"  # decided, certainly not sent
    SENDING = "SENDING"  # the request may be on its way; found later, it means UNKNOWN
    ACCEPTED = "ACCEPTED"  # the service answered with a run id
    REJECTED = "REJECTED"  # the service refused; certainly no run
    UNKNOWN = "UNKNOWN"  # it may have been executed; never sent again
    ABANDONED = "ABANDONED"  # a person decided to give an unknown submission up


OPEN_PHASES = frozenset({Phase.SENDING, Phase.UNKNOWN})


class Meta(Struct, frozen=True):
    """What the database says of itself."""

    schema_version: int
    lineage: str  # random, made once with the database
    serial: int  # rises with every recorded decision
    base_url: str  # the service that the recorded runs live on
    created_at: str


class InstanceRecord(Struct, frozen=True):
    """One address that is recorded as wanted. Forgetting drops this row, never an attempt."""

    table: ClassVar[str] = "instances"
    key: ClassVar[str] = "address"

    address: str
    attempt_id: str | None  # the attempt whose run is current
    lifecycle_json: str
    recorded_at: str


class AttemptRecord(Struct, frozen=True):
    """One submission of a request, and what became of its run."""

    table: ClassVar[str] = "attempts"
    key: ClassVar[str] = "attempt_id"

    attempt_id: str
    address: str
    number: int  # 1, 2, … for each address
    phase: Phase
    request_digest: str
    rerun: int
    sent_json: str  # the body as sent, less secrets
    inferred_json: str  # names of the sent fields that nobody declared
    spec_id: str
    prepared_at: str
    apply_id: str | None = None
    baseline_id: str | None = None
    settled_at: str | None = None  # when it became ACCEPTED, REJECTED, UNKNOWN or ABANDONED
    note: str | None = None  # the service's words, or what went wrong
    run_id: str | None = None  # at most one attempt has it
    provisional: bool = False  # adopted by inference, not final yet
    imported: bool = False  # nothing was sent by us: compare with what the service reports
    status: str | None = None  # of the run, normalised
    samples_completed: int | None = None
    samples_failed: int | None = None
    total_cost: float | None = None  # US dollars
    spec_version: int | None = None  # as the service reports it
    reported_json: str | None = None  # the service's runtime_params
    files_json: str | None = None  # the service's generated_files
    run_created_at: str | None = None
    run_completed_at: str | None = None
    gone_at: str | None = None  # a GET of this id was answered 404


class BaselineRecord(Struct, frozen=True):
    """The runs that were there before a wave of submissions."""

    table: ClassVar[str] = "baselines"
    key: ClassVar[str] = "baseline_id"

    baseline_id: str
    taken_at: str
    service_date: str | None  # the service's own clock
    spec_ids_json: str
    run_ids_json: str  # ids of every run of those specs
    newest_run_id: str | None  # of any spec: proves that a later listing is whole


class OwedRecord(Struct, frozen=True):
    """A run that is to be stopped or removed, promised together with the decision that displaced it."""

    table: ClassVar[str] = "owed"
    key: ClassVar[str] = "run_id"

    run_id: str
    address: str
    reason: str
    owed_at: str
    paid_at: str | None = None


class ApplyRecord(Struct, frozen=True):
    """One command that recorded something: who, when, from which commit."""

    table: ClassVar[str] = "applies"
    key: ClassVar[str] = "apply_id"

    apply_id: str
    command: str
    started_at: str
    user: str
    host: str
    plan_id: str | None = None
    plan_digest: str | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None
    git_branch: str | None = None


class PlanActionRecord(Struct, frozen=True):
    """An action of a saved plan that was begun (by an attempt) or done."""

    table: ClassVar[str] = "plan_actions"
    key: ClassVar[str] = "plan_action_id"

    plan_action_id: str  # plan_id + ":" + action_digest
    plan_id: str
    action_digest: str
    address: str
    attempt_id: str | None = None
    done_at: str | None = None


class SpecRecord(Struct, frozen=True):
    """What was last seen of a spec; a cache, no decision."""

    table: ClassVar[str] = "specs"
    key: ClassVar[str] = "spec_id"

    spec_id: str
    name: str | None
    seeded: bool | None  # made from a seed dataset
    versions: int | None
    content_sha256: str | None
    seen_at: str


class EventRecord(Struct, frozen=True):
    """One thing that happened, for people."""

    table: ClassVar[str] = "events"
    key: ClassVar[str] = "event_id"

    event_id: str
    at: str
    type: str
    apply_id: str | None = None
    address: str | None = None
    attempt_id: str | None = None
    run_id: str | None = None
    message: str = ""


# The mark that tells whether runs which the state does not know were looked for: "due", "passed", or "fresh" where
# somebody said that this state knows nothing of them on purpose.
UNTRACKED = "untracked"
# The mark that names the project which uses a workspace that nobody named.
PROJECT = "project"


class MarkRecord(Struct, frozen=True):
    """A fact about the state as a whole: a check that was passed, a consent. No decision about a run."""

    table: ClassVar[str] = "marks"
    key: ClassVar[str] = "name"

    name: str
    value: str
    at: str


class ApprovalRecord(Struct, frozen=True):
    """A person approved a plan, for a controller to apply. It stays when it is revoked."""

    table: ClassVar[str] = "approvals"
    key: ClassVar[str] = "digest"

    digest: str  # of the plan
    at: str
    user: str
    host: str
    reason: str | None = None
    until: str | None = None  # it counts no more from then on
    revoked_at: str | None = None


class SuspensionRecord(Struct, frozen=True):
    """Something that a controller leaves alone. It stays when it is ended."""

    table: ClassVar[str] = "suspensions"
    key: ClassVar[str] = "scope"

    scope: str  # a pattern of addresses; empty: everything
    at: str
    user: str
    host: str
    reason: str
    until: str | None = None  # it counts no more from then on
    ended_at: str | None = None
    ended_by: str | None = None


class JournalRecord(Struct, frozen=True):
    """One committed step of one submission, in order of ``seq``."""

    table: ClassVar[str] = "journal"
    key: ClassVar[str] = "seq"

    seq: int
    attempt_id: str
    phase: Phase
    at: str
    note: str | None


Record = (
    InstanceRecord
    | AttemptRecord
    | BaselineRecord
    | OwedRecord
    | ApplyRecord
    | PlanActionRecord
    | SpecRecord
    | EventRecord
    | MarkRecord
    | ApprovalRecord
    | SuspensionRecord
)
RECORD_TYPES: tuple[type[Record], ...] = (
    InstanceRecord,
    AttemptRecord,
    BaselineRecord,
    OwedRecord,
    ApplyRecord,
    PlanActionRecord,
    SpecRecord,
    EventRecord,
    MarkRecord,
    ApprovalRecord,
    SuspensionRecord,
)
Row = Record | JournalRecord
# In the order in which a whole state is handed over: no row points at one that comes later.
ROW_TYPES: tuple[type[Row], ...] = (
    AttemptRecord,
    *(kind for kind in RECORD_TYPES if kind is not AttemptRecord),
    JournalRecord,
)


class Snapshot(Struct, frozen=True):
    """One consistent read of what planning needs, without the history."""

    meta: Meta
    instances: dict[str, InstanceRecord]  # by address
    current: dict[str, AttemptRecord]  # by address: the attempt that the instance points at
    open: dict[str, AttemptRecord]  # by address: a submission that is SENDING, UNKNOWN or provisional
    owed: tuple[OwedRecord, ...]  # not paid yet, oldest first
    specs: dict[str, SpecRecord]  # by spec id
    marks: dict[str, MarkRecord] = field(default_factory=dict)  # by name
    # The database's server was started since a mark was made: it may be an older copy of what it was.
    restarted: bool = False


class Holder(Struct, frozen=True):
    """Who holds the lock."""

    user: str
    host: str
    pid: int
    command: str
    since: str
    lock_id: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (process {self.pid}, {self.command!r}, since {self.since})"
