"""What the state says before anything is planned, and what the operator lets the controller do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from reconciler.clock import now
from reconciler.consenting import approved, suspended
from reconciler.model.run import is_final
from reconciler.planning.estimate import CONSIDERED, estimator
from reconciler.project import Project
from reconciler.watching.consent import Caps, Moment
from reconciler.watching.happenings import Ending, Rested
from reconciler.watching.spending import spending
from reconciler.watching.status import NOTHING_SPENT, Mode, Spent, Suspended
from state.records import ApprovalRecord, AttemptRecord, SuspensionRecord


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator lets the controller do. ``denied``: why nothing is done at a moment; empty where it may be."""

    mode: Mode
    prune: bool = False
    caps: Caps = field(default_factory=Caps)
    denied: Callable[[datetime], str] = lambda at: ""


@dataclass(frozen=True, slots=True)
class Known:
    """What the state says before anything is planned."""

    runs: Mapping[str, int]
    spent: Spent
    unpriced: int
    suspended: tuple[Suspended, ...]
    approvals: tuple[ApprovalRecord, ...]  # that count now, newest first
    addresses: frozenset[str]
    current: Mapping[str, AttemptRecord] = field(default_factory=dict)  # by address

    @property
    def scopes(self) -> list[str]:
        """The patterns of addresses that are suspended."""
        return [item.scope for item in self.suspended if item.scope]

    @property
    def everything(self) -> Suspended | None:
        """That everything is suspended."""
        return next((item for item in self.suspended if not item.scope), None)


def moment_of(known: Known, rules: Rules, approval: ApprovalRecord | None) -> Moment:
    """What counts at this moment for a plan, and whether that is approved."""
    return Moment(
        spent=known.spent,
        unpriced=known.unpriced,
        denied=rules.denied(datetime.now(UTC)),
        suspended=known.everything,
        approved=approval is not None and approval.digest in {one.digest for one in known.approvals},
    )


def known_of(project: Project, caps: Caps) -> Known:
    """Read it. Raises StateError."""
    store = project.open_state_if_any()
    if store is None:
        return Known({}, NOTHING_SPENT, 0, (), (), frozenset())
    with closing(store):
        at = now()
        snapshot = store.snapshot()
        spent, unpriced = spending(store.bought_since(_before(caps.window)), estimator(store.newest_runs(CONSIDERED)))
        return Known(
            dict(Counter(map(_standing, snapshot.current.values()))),
            spent,
            unpriced,
            tuple(map(_suspended, suspended(store.suspensions(), at))),
            tuple(approved(store, at)),
            frozenset(snapshot.instances),
            snapshot.current,
        )


def said_of(project: Project) -> Known:
    """What people say now, and nothing else: quick, whatever the size of the state. Raises StateError."""
    store = project.open_state_if_any()
    if store is None:
        return Known({}, NOTHING_SPENT, 0, (), (), frozenset())
    with closing(store):
        at = now()
        said = tuple(map(_suspended, suspended(store.suspensions(), at)))
        return Known({}, NOTHING_SPENT, 0, said, tuple(approved(store, at)), frozenset())


def rested(before: Known, after: Known) -> Rested | None:
    """Which current runs came to rest between two looks; None: none did."""
    endings = []
    for address, was in before.current.items():
        now_is = after.current.get(address)
        if now_is is None or now_is.run_id != was.run_id or was.run_id is None or _rests(was) or not _rests(now_is):
            continue
        endings.append(Ending(address, was.run_id, _standing(now_is), now_is.samples_completed, now_is.total_cost))
    return Rested(tuple(endings)) if endings else None


def _rests(attempt: AttemptRecord) -> bool:
    return bool(attempt.gone_at) or is_final(attempt.status)


def _suspended(record: SuspensionRecord) -> Suspended:
    return Suspended(record.scope, record.reason, f"{record.user}@{record.host}", record.at, record.until)


def _standing(attempt: AttemptRecord) -> str:
    return "GONE" if attempt.gone_at else attempt.status or "UNKNOWN"


def _before(seconds: float) -> str:
    at = datetime.now(UTC) - timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
