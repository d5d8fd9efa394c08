"""What purchases may cost: from the state's own finished runs, or unknown."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from reconciler.model.money import Estimate, dollars, total
from reconciler.model.request import canonical_json
from reconciler.planning.estimate import estimator
from state.records import AttemptRecord
from tests.planning.plans import SPEC, request
from tests.state.samples import attempt

HAIKU, GPT = "anthropic/claude-haiku-4-5", "openai/gpt-oss-120b"
OTHER = "00000000-0000-4000-8000-000000000001"


def finished(samples: int, cost: float | None, spec: str = SPEC, **sent: object) -> AttemptRecord:
    made = attempt(f"a{samples}", "run.x", status="SUCCEEDED", samples_completed=samples, total_cost=cost)
    return replace(made, spec_id=spec, sent_json=canonical_json(sent), reported_json=None)


def test_the_same_spec_and_models_come_first_and_count_by_samples() -> None:
    runs = [
        finished(100, 1.0, generation_model=HAIKU),
        finished(300, 7.0, generation_model=HAIKU),
        finished(10, 90.0, OTHER, generation_model=HAIKU),
    ]
    found = estimator(runs)(request(50, generation_model=HAIKU))
    assert found == Estimate(pytest.approx(1.0), 2, "the same spec and model")  # type: ignore[arg-type]
    assert str(found) == "≈ $1.00, from 2 runs of the same spec and model"


def test_else_the_same_model_whatever_the_spec_and_the_other_models() -> None:
    runs = [finished(10, 1.0, OTHER, generation_model=HAIKU, outline_model=GPT)]
    found = estimator(runs)(request(50, generation_model=HAIKU))
    assert found == Estimate(pytest.approx(5.0), 1, "the same model")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "run",
    [
        finished(10, None, generation_model=HAIKU),
        finished(0, 1.0, generation_model=HAIKU),
        replace(finished(10, 1.0, generation_model=HAIKU), status="FAILED"),
        finished(10, 1.0, generation_model=GPT),
        finished(10, 1.0, OTHER),
    ],
    ids=["no-cost", "no-samples", "failed", "other-model", "undeclared-elsewhere"],
)
def test_else_it_is_unknown(run: AttemptRecord) -> None:
    assert estimator([run])(request(50, generation_model=HAIKU)) is None


def test_a_model_that_the_service_chose_is_one_when_it_is_declared() -> None:
    chosen = replace(finished(10, 1.0), reported_json=canonical_json({"generation_model": HAIKU}))
    assert estimator([chosen])(request(10, generation_model=HAIKU)) == Estimate(1.0, 1, "the same spec and model")
    assert estimator([chosen])(request(10)) == Estimate(1.0, 1, "the same spec and model")


def test_a_total_is_unknown_with_one_that_is_and_names_all_grounds() -> None:
    one, other = Estimate(1.0, 2, "the same spec and model"), Estimate(2.0, 1, "the same model")
    assert total([]) is None
    assert total([one, None]) is None
    assert total([one, one]) == Estimate(2.0, 2, "the same spec and model")
    assert str(total([one, other])) == "≈ $3.00, from finished runs of the same spec and model or the same model"


@pytest.mark.parametrize(
    ("usd", "said"),
    [
        (0.0, "$0.00"),
        (1234.5, "$1,234.50"),
        (0.0056, "$0.01"),
        (0.004, "$0.0040"),
        (0.00001, "less than $0.0001"),
    ],
)
def test_what_costs_something_is_never_shown_as_nothing(usd: float, said: str) -> None:
    assert dollars(usd) == said
