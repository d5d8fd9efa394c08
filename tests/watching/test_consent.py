"""Whether a plan may be applied now: pure, case by case."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from reconciler.model.changes import Kind, owed_cancel
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.limits import Level, Limit, LimitResult
from reconciler.model.money import Estimate
from reconciler.model.plan import Plan
from reconciler.watching.consent import Caps, Moment, consent
from reconciler.watching.status import Hold, Mode, Spent, Suspended
from tests.planning.plans import action, plan

PRICED = replace(action(name="a"), estimate=Estimate(4.0, 3, "the same model"))
BUYS = plan(PRICED)
CANCEL = action(Kind.CANCEL, "old", "r1")
SUSPENDED = Suspended("", "the bill is looked at", "ada@desk", "2026-11-01T08:00:00.000Z", "2026-11-02T08:00:00.000Z")
BROKEN = replace(BUYS, diagnostics=(Diagnostic(Severity.ERROR, "An accidental rename", "run.a was run.b"),))
UNCAPPED, QUIET = Caps(), Moment()


@dataclass(frozen=True)
class Case:
    """What is planned and known, and what comes of it: the reason to wait, and words that must be told."""

    expected: Hold | None
    words: str = ""
    plan: Plan = BUYS
    mode: Mode = Mode.APPLY
    prune: bool = False
    caps: Caps = UNCAPPED
    moment: Moment = QUIET


def limited(level: Level, override: str = "") -> Plan:
    return replace(BUYS, limits=(LimitResult(Limit("max_new_runs", 0, level), False, "1 new run", override),))


def spent(runs: int = 0, samples: int = 0, cost: float = 0.0, unpriced: int = 0) -> Moment:
    return Moment(spent=Spent(runs, samples, cost), unpriced=unpriced)


APPROVED = Moment(approved=True)
APPROVED_AND_SPENT = Moment(spent=Spent(10), approved=True)
CASES: dict[str, Case] = {
    "within everything": Case(None),
    "a mode that only reports": Case(Hold.REPORT, "report", mode=Mode.REPORT),
    "a mode that only reports, also what is approved": Case(Hold.REPORT, mode=Mode.REPORT, moment=APPROVED),
    "nobody approved": Case(Hold.APPROVAL, f"reconciler approve {BUYS.digest}", mode=Mode.APPROVE),
    "approved": Case(None, mode=Mode.APPROVE, moment=APPROVED),
    "suspended": Case(Hold.SUSPENDED, "ada@desk", moment=Moment(suspended=SUSPENDED)),
    "suspended, though approved": Case(Hold.SUSPENDED, moment=Moment(suspended=SUSPENDED, approved=True)),
    "errors": Case(Hold.ERRORS, "An accidental rename: run.a was run.b", plan=BROKEN),
    "errors, though approved": Case(Hold.ERRORS, plan=BROKEN, moment=APPROVED),
    "a deny window": Case(Hold.WINDOW, "weekend", moment=Moment(denied="weekend")),
    "a deny window, though approved": Case(Hold.WINDOW, moment=Moment(denied="weekend", approved=True)),
    "it cancels": Case(Hold.PRUNE, "cancel run.old", plan=plan(PRICED, CANCEL)),
    "it cancels, with prune": Case(None, plan=plan(PRICED, CANCEL), prune=True),
    "it cancels, and a person approved": Case(None, plan=plan(PRICED, CANCEL), moment=APPROVED),
    "it cancels what was decided before": Case(None, plan=plan(PRICED, owed_cancel("run.z", "r9", "replaced"))),
    "it replaces a run that works": Case(
        Hold.PRUNE,
        "replace run.a",
        plan=plan(action(Kind.REPLACE, "a", "r1")),
    ),
    "a hard limit": Case(Hold.LIMIT, "max_new_runs: 1 new run", plan=limited(Level.HARD)),
    "a hard limit, though approved": Case(Hold.LIMIT, plan=limited(Level.HARD), moment=APPROVED),
    "a soft limit": Case(Hold.LIMIT, plan=limited(Level.SOFT)),
    "a soft limit that was overridden": Case(None, plan=limited(Level.SOFT, "agreed")),
    "an advisory limit": Case(None, plan=limited(Level.ADVISORY)),
    "runs up to the cap": Case(None, caps=Caps(runs=10), moment=spent(runs=9)),
    "runs over the cap": Case(Hold.CAP, "10 runs were bought in 24 h", caps=Caps(runs=10), moment=spent(runs=10)),
    "over the cap, though approved": Case(Hold.CAP, caps=Caps(runs=10), moment=APPROVED_AND_SPENT),
    "a plan that never fits": Case(Hold.CAP, "this plan alone is too large", caps=Caps(runs=0)),
    "samples up to the cap": Case(None, caps=Caps(samples=BUYS.samples)),
    "samples over the cap": Case(Hold.CAP, "samples", caps=Caps(samples=BUYS.samples), moment=spent(samples=1)),
    "dollars up to the cap": Case(None, caps=Caps(cost=10.0), moment=spent(cost=6.0)),
    "dollars over the cap": Case(Hold.CAP, "$6.01 were spent", caps=Caps(cost=10.0), moment=spent(cost=6.01)),
    "a plan of an unknown cost": Case(Hold.CAP, "not known", plan=plan(action(name="a")), caps=Caps(cost=10.0)),
    "runs of an unknown cost": Case(Hold.CAP, "2 runs", caps=Caps(cost=10.0), moment=spent(unpriced=2)),
    "an unknown cost that no cap is for": Case(None, plan=plan(action(name="a")), moment=spent(unpriced=2)),
    "caps are for purchases alone": Case(
        None, plan=plan(CANCEL), prune=True, caps=Caps(runs=0, samples=0, cost=0.0), moment=spent(99, 99, 9.0, 9)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_plan_is_applied_or_waits(name: str) -> None:
    case = CASES[name]
    held = consent(case.plan, case.mode, case.prune, case.caps, case.moment)
    assert (held.why if held else None) == case.expected
    assert case.words in (held.message if held else "")


def test_every_reason_to_wait_is_covered() -> None:
    found = {case.expected for case in CASES.values()}
    assert found == {None, *Hold} - {Hold.LOCKED}  # which is found out under the lock
