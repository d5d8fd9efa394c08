"""``python -m tests.campaign.simulation``: many seeded schedules, the faults that they met, and every violation."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaign.simulation.sabotage import SABOTAGES, without
from tests.campaign.simulation.schedule import run_schedule

_CHUNK = 250


@dataclass(slots=True)
class Result:
    """What many schedules came to."""

    schedules: int = 0
    bought: int = 0
    ordered: int = 0  # of them, runs that had to wait for others
    tally: Counter[tuple[str, str]] = field(default_factory=Counter)
    decided: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Result) -> None:
        self.schedules += other.schedules
        self.bought += other.bought
        self.ordered += other.ordered
        self.tally += other.tally
        self.decided += other.decided
        self.violations += other.violations


def run_chunk(seeds: range, sabotaged: str | None = None) -> Result:
    """Schedules of these seeds, in this process."""
    result = Result()
    with without(sabotaged):
        for seed in seeds:
            try:
                outcome = run_schedule(seed, result.tally)
            except Exception as problem:  # noqa: BLE001 whatever it is, it is a finding, and the others go on
                result.violations.append((seed, f"{type(problem).__name__}: {problem}"))
                continue
            finally:
                result.schedules += 1
            result.bought += outcome.bought
            result.ordered += outcome.ordered
            result.decided += outcome.decided
            result.violations += [(seed, what) for what in outcome.violations]
    return result


def run_many(count: int, first: int = 0, sabotaged: str | None = None, workers: int | None = None) -> Result:
    """Schedules ``first`` to ``first + count``, on every core."""
    chunks = [range(at, min(at + _CHUNK, first + count)) for at in range(first, first + count, _CHUNK)]
    total = Result()
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        for result in pool.map(run_chunk, chunks, [sabotaged] * len(chunks)):
            total.add(result)
    return total


def table(result: Result) -> str:
    """Faults by the phase of the submission that they met."""
    phases = sorted({phase for _, phase in result.tally})
    faults = sorted({fault for fault, _ in result.tally})
    rows = [["fault", *phases]]
    for fault in faults:
        counts = (result.tally[fault, phase] for phase in phases)
        rows.append([fault, *(f"{count:,}" if count else "" for count in counts)])
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = (zip(row, widths, strict=True) for row in rows)
    return "\n".join("  ".join(cell.ljust(width) for cell, width in line).rstrip() for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.simulation", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="schedules (default: 100,000)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument(
        "--without", choices=sorted(SABOTAGES), help="disable a part of the protocol: violations are expected"
    )
    parser.add_argument("--trace", type=int, metavar="SEED", help="print the trace of one schedule")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    chosen = parser.parse_args()
    if chosen.trace is not None:
        with without(chosen.without):
            outcome = run_schedule(chosen.trace, Counter(), traced=True)
        print("\n".join([*outcome.trace, f"digest {outcome.digest}"]))
        return bool(outcome.violations)
    started = time.monotonic()
    result = run_many(chosen.count, chosen.seed, chosen.without)
    seconds = time.monotonic() - started
    print(table(result))
    print()
    for seed, what in sorted(result.violations)[:20]:
        print(f"seed {seed}: {what}")
    asked = ", ".join(f"{count:,} {what}" for what, count in sorted(result.decided.items())) or "nothing"
    print(
        f"{result.schedules:,} schedules, {result.bought:,} runs bought, a person decided: {asked};"
        f" {len(result.violations):,} violations, {seconds:.0f} s"
    )
    if chosen.json:
        figures = {"schedules": result.schedules, "runs bought": result.bought, "faults": sum(result.tally.values())}
        chosen.json.write_text(json.dumps(figures | {"violations": len(result.violations), "seconds": round(seconds)}))
    return bool(result.violations)


if __name__ == "__main__":
    sys.exit(main())
