"""What people let a controller do: approvals and suspensions, and what was bought within a window."""

from __future__ import annotations

from msgspec.structs import replace

from state.records import ApprovalRecord, Phase, SuspensionRecord
from state.store import Store
from state.writes import Put
from tests.state.samples import T0, T1, T2, T3, attempt

APPROVAL = ApprovalRecord("sha256:1", T0, "ada", "desk", "agreed", T3)
SUSPENSION = SuspensionRecord("run.x*", T0, "ada", "desk", "it is looked at")


def test_they_come_back_and_a_later_one_takes_the_place(store: Store, another: Store) -> None:
    other = ApprovalRecord("sha256:2", T1, "bob", "desk")
    store.commit([Put(APPROVAL), Put(SUSPENSION), Put(other)])
    revoked, ended = replace(APPROVAL, revoked_at=T2), replace(SUSPENSION, ended_at=T2, ended_by="bob@desk")
    store.commit([Put(revoked), Put(ended)])
    for seen in (store, another):
        assert {one.digest: one for one in seen.approvals()} == {"sha256:1": revoked, "sha256:2": other}
        assert seen.suspensions() == [ended]


def test_they_are_no_decisions_about_runs(store: Store, another: Store) -> None:
    with store.lock("apply"):
        pass
    with another.lock("apply"):
        assert store.commit([Put(APPROVAL), Put(SUSPENSION)]) == 0
    assert store.meta().serial == 0


def test_what_may_have_bought_is_counted(store: Store) -> None:
    attempts = [
        attempt("before", "run.a", phase=Phase.ACCEPTED, run_id="r0", prepared_at=T0),
        attempt("then", "run.b", phase=Phase.ACCEPTED, run_id="r1", prepared_at=T1),
        attempt("unknown", "run.c", phase=Phase.UNKNOWN, prepared_at=T2),
        attempt("sending", "run.d", phase=Phase.SENDING, prepared_at=T2),
        attempt("abandoned", "run.e", phase=Phase.ABANDONED, prepared_at=T2),
        attempt("prepared", "run.f", prepared_at=T2),
        attempt("rejected", "run.g", phase=Phase.REJECTED, prepared_at=T2),
        attempt("imported", "run.h", phase=Phase.ACCEPTED, run_id="r2", prepared_at=T2, imported=True),
    ]
    store.commit([Put(one) for one in attempts])
    assert [one.attempt_id for one in store.bought_since(T1)] == ["then", "unknown", "sending", "abandoned"]
    assert [one.attempt_id for one in store.bought_since(T3)] == []
