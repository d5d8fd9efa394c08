"""Whether a fresh plan is what was reviewed, or what is left of it: pure, case by case."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.model.changes import Action, Kind, Precondition, StatusClass, owed_cancel
from reconciler.model.errors import PlanOutdated
from reconciler.model.limits import Level, Limit, LimitResult
from reconciler.model.plan import Plan
from reconciler.model.request import Lifecycle, SecretRef
from reconciler.planning.expected import Approval, expected
from tests.planning.plans import action, plan, request

A, B, C = action(name="a"), action(name="b"), action(name="c")
OWED = owed_cancel("run.z", "r9", "replaced by run r10")
LIMIT = LimitResult(Limit("max_new_runs", 50), True, "2 new runs")


def begun(*actions: Action) -> dict[str, str]:
    return {item.digest: item.address for item in actions}


def approved(reviewed: Plan, *, file: bool = False, known: bool = False, done: tuple[Action, ...] = ()) -> Approval:
    return Approval(
        reviewed.digest,
        reviewed if file else None,
        begun(*reviewed.actions) if known else None,
        reviewed.limits_digest,
        frozenset(item.digest for item in done),
    )


ACCEPTED: dict[str, tuple[Plan, Approval]] = {
    "the same, by its digest": (plan(A, B), approved(plan(A, B))),
    "in another order": (plan(B, A), approved(plan(A, B))),
    "what is left, by its record": (plan(B), approved(plan(A, B), known=True, done=(A,))),
    "what is left, by the file": (plan(B), approved(plan(A, B), file=True)),
    "nothing is left, by its record": (plan(), approved(plan(A, B), known=True, done=(A, B))),
    "nothing is left, by the file": (plan(), approved(plan(A, B), file=True)),
    "a cancel that was owed before": (plan(A, OWED), approved(plan(A))),
    "a cancel that is owed by its own doing": (plan(B, OWED), approved(plan(A, B), known=True, done=(A,))),
    "an owed cancel that is paid by now": (plan(A), approved(plan(A, OWED))),
    "a file of before there was a state": (plan(A), approved(plan(A, lineage=""), file=True)),
}
REFUSED: dict[str, tuple[Plan, Approval]] = {
    "more": (plan(A, B, C), approved(plan(A, B))),
    "less, by the digest alone": (plan(A), approved(plan(A, B))),
    "nothing, by the digest alone": (plan(), approved(plan(A, B))),
    "another, by its record": (plan(C), approved(plan(A, B), known=True, done=(A,))),
    "more, by the file": (plan(B, C), approved(plan(A, B), file=True)),
    "again, by the digest": (plan(A, B), approved(plan(A, B), known=True, done=(A,))),
    "again, by the file": (plan(A), approved(plan(A, B), file=True, known=True, done=(A,))),
    "another file": (plan(A), replace(approved(plan(A)), reviewed=plan(B))),
    "a file of another state": (plan(A), approved(plan(A, lineage="other"), file=True)),
    "other limits": (plan(A, limits=(LIMIT,)), approved(plan(A))),
    "other limits, by the file": (plan(A, limits=(LIMIT,)), approved(plan(A), file=True)),
    "other limits, by its record": (plan(A, limits=(LIMIT,)), approved(plan(A, B), known=True, done=(B,))),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str) -> None:
    fresh, approval = ACCEPTED[name]
    made = expected(fresh, approval)
    assert made == replace(fresh, reviewed=approval.digest)
    assert (made.known_as, made.key) == (approval.digest, approval.digest)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    fresh, approval = REFUSED[name]
    with pytest.raises(PlanOutdated):
        expected(fresh, approval)


def difference(
    before: Action, after: Action, was: tuple[LimitResult, ...] = (), now: tuple[LimitResult, ...] = ()
) -> list[str]:
    with pytest.raises(PlanOutdated) as refused:
        expected(plan(after, limits=now), approved(plan(before, limits=was), file=True))
    return [line.strip() for line in refused.value.difference[2:]]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"after": request(11)}, "number_of_samples: 10 when it was reviewed, 11 now"),
        ({"after": request(10, tools=["x", "y"])}, "tools: none when it was reviewed, x, y now"),
        ({"after": request(10, rerun=1)}, "rerun: 0 when it was reviewed, 1 now"),
        ({"kind": Kind.RETRY}, "action: create when it was reviewed, retry now"),
        ({"spec_content": "sha256:b"}, "the spec's content: none when it was reviewed, sha256:b now"),
        (
            {"precondition": Precondition("r1", StatusClass.WORKING)},
            "the current run: none when it was reviewed, r1 (at work) now",
        ),
        (
            {"precondition": Precondition("r1", StatusClass.FAILED)},
            "the current run: none when it was reviewed, r1 (FAILED) now",
        ),
        ({"lifecycle": Lifecycle(protect=True)}, "lifecycle.protect: False when it was reviewed, True now"),
        ({"reused_run": "r3"}, "the run to take: none when it was reviewed, r3 now"),
        (
            {"secrets": (("databricks_client_id", SecretRef("env", "ID")),)},
            "databricks_client_id: none when it was reviewed, (secret, from environment variable ID) now",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_everything_in_the_digest_is_told_where_it_differs(change: dict[str, Any], line: str) -> None:
    before = replace(A, lifecycle=Lifecycle())
    after = replace(before, **change)
    assert after.digest != before.digest
    assert line in difference(before, after)


def test_limits_are_told() -> None:
    other = LimitResult(Limit("max_new_runs", 60, Level.SOFT), True, "")
    (line,) = difference(A, A, was=(LIMIT,), now=(other,))
    assert line == "limit max_new_runs: 50 (hard) when it was reviewed, 60 (soft) now"
    (line,) = difference(A, A, now=(LIMIT,))
    assert line == "limit max_new_runs: none when it was reviewed, 50 (hard) now"


def test_a_long_difference_is_counted() -> None:
    many = [action(name=f"x{n}") for n in range(500)]
    with pytest.raises(PlanOutdated) as refused:
        expected(plan(*many), approved(plan(A), file=True))
    assert len(refused.value.difference) < 30
    assert "more" in refused.value.difference[-1]


def test_a_digest_alone_says_how_to_learn_the_difference_however_long() -> None:
    with pytest.raises(PlanOutdated) as refused:
        expected(plan(*(action(name=f"x{n}") for n in range(500))), approved(plan(A)))
    assert "480 lines more" in refused.value.difference[-2]
    assert "apply PLANFILE --expect-digest" in refused.value.difference[-1]


def test_a_saved_plan_of_another_digest_is_called_that() -> None:
    with pytest.raises(PlanOutdated, match="The saved plan is not the one") as refused:
        expected(plan(A), replace(approved(plan(A)), reviewed=plan(B)))
    assert refused.value.difference == (
        f"reviewed:       {plan(A).digest}", f"the saved plan: {plan(B).digest}",
    )  # fmt: skip
