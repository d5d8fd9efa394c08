"""What was bought lately, by whomever: as the state records it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from reconciler.model.request import Request
from reconciler.model.run import is_final
from reconciler.planning.estimate import Estimator
from reconciler.watching.status import Spent
from state.records import AttemptRecord


def spending(bought: Iterable[AttemptRecord], estimate: Estimator) -> tuple[Spent, int]:
    """Runs, samples and US dollars of these attempts, and of how many the cost is unknown: not billed yet, and nothing
    to estimate it from. A submission that nobody knows the end of counts as bought.
    """
    runs = samples = unpriced = 0
    cost = 0.0
    for attempt in bought:
        request = Request.of(json.loads(attempt.sent_json))
        runs += 1
        samples += request.samples
        if attempt.total_cost is not None and is_final(attempt.status):
            cost += attempt.total_cost
        elif (estimated := estimate(request)) is not None:
            cost += max(estimated.usd, attempt.total_cost or 0.0)
        else:
            unpriced += 1
    return Spent(runs, samples, cost), unpriced
