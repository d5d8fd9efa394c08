"""Plans for comments."""

from __future__ import annotations

from msgspec.structs import replace

from reconciler.model.address import Address
from reconciler.model.changes import Action, FieldChange, Kind, Precondition, Progress, StatusClass
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.limits import Level, Limit, LimitResult
from reconciler.model.money import Estimate
from reconciler.model.plan import Drift, Plan, Revision, Unmet
from reconciler.model.request import Lifecycle, SecretRef
from tests.planning.plans import action, plan, request, unchanged

LINEAGE = "8a6f7a52-43a4-4a07-9d55-0f2ad5a7e1c3"
HEAD = "1b2c3d4e5f60718293a4b5c6d7e8f90123456789"
BASE = "9f8e7d6c5b4a39281706f5e4d3c2b1a098765432"
MODEL = "anthropic/claude-haiku-4-5"
_SAME = "the same spec and model"


def reviewed() -> Plan:
    """What a reviewer meets: 3 creates, a replacement that cancels, a retry, a cancel, 40 unchanged, every level."""
    languages = [_created(language, number) for number, language in enumerate(("de", "fr", "ja"))]
    bulk = Action(
        Kind.REPLACE,
        Address("run.bulk"),
        "number_of_samples 200000 → 250000",
        Precondition("3c90c3cc-0d44-4b50-8888-8dd25736052a", StatusClass.WORKING),
        Source("runs/bulk.toml", 12, 1),
        before=request(200_000, generation_model=MODEL),
        after=request(250_000, generation_model=MODEL),
        changes=(FieldChange("number_of_samples", 200_000, 250_000),),
        lifecycle=Lifecycle(),
        subject=Progress("3c90c3cc-0d44-4b50-8888-8dd25736052a", "PROCESSING", 62_000, 200_000),
        estimate=Estimate(500.0, 12, _SAME),
    )
    retried = "run 5d1f0c9e-7a43-4c39-9d0c-5a2f8f2b4e10 FAILED; attempt 2 of 3"
    retry = Action(
        Kind.RETRY,
        Address("run.tickets_eval"),
        retried,
        Precondition(None, StatusClass.NONE),
        Source("reconciler.toml", 31, 1),
        after=request(500, generation_model=MODEL, spec_version=3),
        lifecycle=Lifecycle(max_attempts=3),
        inferred=("spec_version",),
        subject=Progress("5d1f0c9e-7a43-4c39-9d0c-5a2f8f2b4e10", "FAILED", 120, 500),
        foreign=True,
    )
    cancel = Action(
        Kind.CANCEL,
        Address('run.sweep["generation_model=openai/gpt-oss-120b,number_of_samples=100"]'),
        "not declared any more",
        Precondition("7be1d6a0-2f7c-4f0e-8f52-2f6a0d6f9b11", StatusClass.WORKING),
        subject=Progress("7be1d6a0-2f7c-4f0e-8f52-2f6a0d6f9b11", "PROCESSING", 40, 100),
    )
    limits = (
        LimitResult(Limit("max_new_runs", 50), True, "5 new runs, 50 are allowed"),
        LimitResult(Limit("max_cancel", 5), True, "2 runs to cancel or delete, 5 are allowed"),
        LimitResult(
            Limit("max_cost_usd", 250.0, Level.SOFT),
            False,
            "the cost of 1 of 5 purchases is unknown, $250.00 are allowed",
        ),
        LimitResult(
            Limit("max_new_samples", 100_000, Level.ADVISORY), False, "250,650 new samples, 100,000 are allowed"
        ),
    )
    advised = Diagnostic(
        Severity.WARNING,
        "An advisory limit is exceeded",
        "max_new_samples: 250,650 new samples, 100,000 are allowed.",
        source=Source("reconciler.toml", 9, 1),
    )
    return plan(
        bulk, *languages, retry, cancel,
        unchanged=tuple(unchanged(f"kept{number}") for number in range(40)),
        limits=limits, diagnostics=(advised,), lineage=LINEAGE, serial=17, environment="production",
        revision=Revision(HEAD, dirty=False, base=BASE),
    )  # fmt: skip


def _created(language: str, number: int) -> Action:
    return replace(
        action(
            after=request(50, generation_model=MODEL, revision_types=("consistency", "conformance")),
            estimate=Estimate(0.1, 12, _SAME),
        ),
        address=Address(f'run.languages["{language}"]'),
        reason="not bought yet",
        source=Source("runs/languages.toml", 4 + number, 1),
    )


def mixed() -> Plan:
    """Something of everything that a comment may hold."""
    made = reviewed()
    secret = action(name="private", secrets=(("databricks_client_secret", SecretRef("env", "DATABRICKS_SECRET")),))
    lifecycle = action(Kind.UPDATE, "guarded", lifecycle=Lifecycle(protect=True), lifecycle_before=Lifecycle())
    owed = action(Kind.CANCEL, "bulk", "r-owed", deposed=True)
    more = [action(name=f"more{number}", after=request(7, seed_note="x" * 30)) for number in range(12)]
    forget = action(Kind.FORGET, "old", "r-old", standing=StatusClass.SUCCEEDED)
    return replace(
        made,
        actions=(*made.actions, secret, lifecycle, owed, forget, *more),
        unmet=(
            Unmet(Address("run.failed"), "failed", "FAILED, and bought 3 of 3 times", Source("reconciler.toml", 3)),
            Unmet(Address("run.stopped"), "canceled", "run r-9 was CANCELED", Source("reconciler.toml", 5), "r-9"),
        ),
        drift=(Drift(Address("run.kept1"), "r-1", (FieldChange("seed", 1, 2, "reported"),)),),
        heading=("An apply is at work (ci@runner, process 7): what it does may change this plan.",),
    )
