"""``reconciler watch`` as a process in which an hour takes a minute or two:

    python -m tests.campaign.controlled FOLDER SPEED

It is put together and told what to do as the command line does it; only its pace is another, and what a single call to
git or to the service may take. ``eager`` as a third word takes the back-off out: what it is good for shows then.
"""

from __future__ import annotations

import os
import random
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from reconciler.applying.interruption import Interruption
from reconciler.cli.output import to_json
from reconciler.cli.signals import stop_on_signals
from reconciler.clock import now
from reconciler.dataframer import client
from reconciler.watching.assembly import Assembly
from reconciler.watching.backoff import Backoff, Pace
from reconciler.watching.happenings import Happening
from reconciler.watching.settings import read_settings
from reconciler.watching.status import Part
from reconciler.watching.words import json_of

CALL_SECONDS = (
    1.0  # of git, and of a read of the service: a minute, compressed, but never too little for a slow machine
)


def pace_at(speed: float) -> Pace:
    """That of a controller whose watch.toml says nothing of it, so many times as fast."""
    usual = Pace(60.0)
    return Pace(
        usual.interval / speed, usual.jitter, usual.first / speed, usual.longest / speed, usual.least / speed
    )  # fmt: skip


class _Eager(Backoff):
    """Waits for nothing."""

    def failed(self, part: Part, now: float, least: float = 0.0) -> float:
        super().failed(part, now)
        self._until[part] = now
        return 0.0


def main() -> None:
    folder, speed = Path(sys.argv[1]), float(sys.argv[2])
    client._READ_SECONDS = CALL_SECONDS
    client.random = SimpleNamespace(uniform=lambda low, high: random.uniform(low, high) / speed)  # between reads
    found = read_settings(folder / "watch.toml", os.environ)
    pace = pace_at(speed)
    settings = replace(found, pace=pace, place=replace(found.place, timeout=2 * CALL_SECONDS))
    interruption = Interruption()

    def log(happened: Happening) -> None:
        print(to_json(json_of(happened, now()), None), flush=True)

    with stop_on_signals(interruption), Assembly(settings, folder, os.environ, interruption, log) as assembly:
        if "eager" in sys.argv[3:]:
            assembly.controller._backoff = _Eager(pace)
        assembly.controller.run()


if __name__ == "__main__":
    main()
