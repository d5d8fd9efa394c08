"""What purchases may cost, from the state's own finished runs. Pure.

The cost per sample of runs of the same spec and models; where there are none, of the same generation model; else it is
unknown, and never 0: nobody publishes prices.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from reconciler.dataframer.fields import MODEL_FIELDS
from reconciler.model.money import Estimate
from reconciler.model.request import Request
from reconciler.model.run import RunStatus
from state.records import AttemptRecord

CONSIDERED = 1_000  # so many of the newest runs are looked at

Estimator = Callable[[Request], Estimate | None]


def unknown_cost(request: Request) -> Estimate | None:
    """An estimator that knows nothing."""
    return None


class _Sum(Struct):
    usd: float = 0.0
    samples: int = 0
    runs: int = 0

    def of(self, samples: int, basis: str) -> Estimate:
        return Estimate(self.usd / self.samples * samples, self.runs, basis)


def estimator(finished: Iterable[AttemptRecord]) -> Estimator:
    """Estimates requests by these attempts; those that did not succeed, or whose cost is not known, say nothing."""
    alike: dict[tuple[Any, ...], _Sum] = defaultdict(_Sum)
    of_model: dict[Any, _Sum] = defaultdict(_Sum)
    for attempt in finished:
        made, cost = attempt.samples_completed, attempt.total_cost
        if attempt.status != RunStatus.SUCCEEDED or not made or cost is None:
            continue
        sent, reported = json.loads(attempt.sent_json), json.loads(attempt.reported_json or "{}")
        asked = tuple(sent.get(name) for name in MODEL_FIELDS)
        acted = tuple(sent.get(name) or reported.get(name) for name in MODEL_FIELDS)
        for models in {asked, acted}:  # a declaration may name what another one left to the service
            _add(alike[attempt.spec_id, models], made, cost)
        _add(of_model[acted[0]], made, cost)

    def estimate(request: Request) -> Estimate | None:
        models = tuple(request.get(name) for name in MODEL_FIELDS)
        if found := alike.get((request.spec_id, models)):
            return found.of(request.samples, "the same spec and model")
        if models[0] is not None and (found := of_model.get(models[0])):
            return found.of(request.samples, "the same model")
        return None

    return estimate


def _add(sum_: _Sum, samples: int, cost: float) -> None:
    sum_.usd, sum_.samples, sum_.runs = sum_.usd + cost, sum_.samples + samples, sum_.runs + 1
