"""Figures of speed beside their floors, measured in turns in the same run.

    python -m tests.bench [--only PATH …] [--rounds 5] [--json FILE] [--report PAGE] [--quick]

Exit code 1 when a goal is missed, or a path could not be measured. Commands run as people run them, each a new process,
after one that does not count.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.bench import applying, planning
from tests.bench.account import Service
from tests.bench.figures import Record, put_into
from tests.bench.harness import FULL, QUICK, Bench
from tests.bench.running import CommandFailed

PATHS: Mapping[str, Callable[[Bench], None]] = {
    "start": planning.start,
    "validate": planning.validate,
    "offline": planning.offline,
    "refresh": planning.refresh,
    "first": planning.first,
    "changed": planning.changed,
    "apply": applying.applying,
    "large": applying.large,
    "follow": applying.follow,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=list(PATHS), metavar="PATH", help=f"some of: {', '.join(PATHS)}")
    parser.add_argument("--rounds", type=int, default=5, help="samples of each (default 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there as well")
    parser.add_argument("--report", type=Path, metavar="PAGE", help="put what has a goal into this page")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one sample: does it work? No goal is judged")
    chosen = parser.parse_args(arguments)
    if chosen.report and (chosen.only or chosen.quick):
        parser.error("--report is for the whole benchmark, without --only and --quick")
    if chosen.rounds < 1:
        parser.error("--rounds is 1 or more")
    record = Record(1 if chosen.quick else chosen.rounds, judging=not chosen.quick)
    # TMPDIR has to be on a disk, as projects are: in memory a commit would cost nothing.
    with Service() as service, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(record, Path(folder), service, QUICK if chosen.quick else FULL)
        for name in chosen.only or PATHS:
            try:
                PATHS[name](bench)
            except CommandFailed as problem:  # the others may be worth their time
                record.fail(name, problem)
    return finish(record, chosen.json, chosen.report)


def finish(record: Record, kept: Path | None, page: Path | None) -> int:
    """Print the table, write what is asked for; the exit code."""
    print(f"\n{record.text()}")
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(record.json(), indent=1) + "\n", "utf-8")
    if page and not record.failures:
        put_into(page, record)
    return 1 if record.missed or record.failures else 0


if __name__ == "__main__":
    sys.exit(main())
