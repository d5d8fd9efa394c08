"""How a run lives: pure functions of what is stored about it and the time.

Nothing moves a run forward in the background. What is stored at the create call (and at a cancel) decides what any
later moment shows, so a process that was killed has missed nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

# A run that fails gives up at this share of its samples.
_REACH_OF_FAILED = 0.5

# Dollars a sample; the first word that the model's name contains decides.
_PRICES = (
    ("fable", 0.06),
    ("opus", 0.04),
    ("sonnet", 0.015),
    ("haiku", 0.004),
    ("gpt-oss", 0.002),
    ("gpt", 0.012),
    ("gemini", 0.01),
)
_OTHER_PRICE = 0.008


class Pace(Struct, frozen=True):
    """How long things take, in seconds."""

    pending: float = 0.4
    shortest: float = 1.6
    per_sample: float = 0.01
    longest: float = 3.6
    cancelling: float = 0.3
    packing: float = 0.5
    grading: float = 1.0

    def working(self, samples: int) -> float:
        return min(self.shortest + self.per_sample * samples, self.longest)


class StoredRun(Struct, frozen=True):
    """A run as stored: moments are seconds since the epoch, lengths seconds, `failing` the share of lost samples."""

    id: str
    spec_id: str
    spec_name: str
    spec_version: int
    dataset_id: str | None
    dataset_name: str | None
    dataset_type: str
    runtime_params: Mapping[str, object]
    samples: int
    created_at: float
    pending: float
    working: float
    outcome: str
    failing: float
    cost_per_sample: float
    cancel_at: float | None
    packed_from: float | None


class Progress(Struct, frozen=True):
    """What a run shows at one moment. `total_cost` is in dollars, None until work begins."""

    status: str
    completed: int
    failed: int
    total_cost: float | None
    completed_at: float | None

    @property
    def is_final(self) -> bool:
        return self.completed_at is not None


def progress(run: StoredRun, now: float) -> Progress:
    """Say how far `run` is at `now`. Counts and cost only rise with time, and stop at the end or at the cancel."""
    started = run.created_at + run.pending
    ended = started + run.working
    # A cancel that would take effect after the natural end comes too late.
    cancelled = run.cancel_at is not None and run.cancel_at < ended
    end = run.cancel_at if cancelled and run.cancel_at is not None else ended
    moment = min(now, end)
    if moment >= ended:
        share = 1.0
    elif moment <= started:
        share = 0.0
    else:
        share = (moment - started) / run.working
    reach = _REACH_OF_FAILED if run.outcome == "FAILED" else 1.0
    made = int(run.samples * reach * share)
    failed = int(made * run.failing)
    cost = round(made * run.cost_per_sample, 6)
    if now >= end:
        if cancelled:
            return Progress("CANCELED", made - failed, failed, cost, end)
        lost = run.samples - (made - failed)
        return Progress(run.outcome, made - failed, lost, cost, end)
    if moment < started:
        return Progress("PENDING", 0, 0, None, None)
    return Progress("PROCESSING", made - failed, failed, cost, None)


def cost_per_sample(params: Mapping[str, object]) -> float:
    """Dollars for one sample: by the model that writes it, and by what else the run was asked for."""
    model = str(params["generation_model"])
    cost = next((price for word, price in _PRICES if word in model), _OTHER_PRICE)
    if model.endswith("-thinking"):
        cost *= 2
    if params["revision_types"] or params["filtering_types"]:
        cycles = params["max_revision_cycles"]
        cost *= 1 + 0.5 * (cycles if isinstance(cycles, int) else 1)
    if params["tools"]:
        cost *= 2
    if params["skip_outline"]:
        cost *= 0.7
    if params["unified_multifield"]:
        cost *= 0.8
    return round(cost, 6)
