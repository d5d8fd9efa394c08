"""Estimates of what runs cost."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct


def dollars(usd: float) -> str:
    """``$1,234.50``; what would round to nothing has more digits, for it is not nothing."""
    if not 0.0 < usd < 0.005:
        return f"${usd:,.2f}"
    return f"${usd:.4f}" if usd >= 0.0001 else "less than $0.0001"


class Estimate(Struct, frozen=True):
    """US dollars, and what they were estimated from. ``runs``: how many finished runs; 0 where several estimates with
    grounds of their own are taken together.
    """

    usd: float
    runs: int
    basis: str  # "the same spec and model" | "the same model"

    def __str__(self) -> str:
        count = f"{self.runs:,} run{'' if self.runs == 1 else 's'}" if self.runs else "finished runs"
        return f"≈ {dollars(self.usd)}, from {count} of {self.basis}"


def total(estimates: Iterable[Estimate | None]) -> Estimate | None:
    """All of them together; None if one is unknown, or there is none."""
    found = list(estimates)
    known = [estimate for estimate in found if estimate is not None]
    if not known or len(known) < len(found):
        return None
    bases = sorted({estimate.basis for estimate in known}, reverse=True)
    counts = {(estimate.basis, estimate.runs) for estimate in known}
    usd = sum(estimate.usd for estimate in known)
    return Estimate(usd, known[0].runs if len(counts) == 1 else 0, " or ".join(bases))
