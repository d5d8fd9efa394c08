"""``python -m tests.campaign``: the whole fault campaign, one part after another, at full size.

``--report FILE`` puts the figures between the two marks of a page.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"


def _whole(text: str) -> str:
    return text


def _controls_and_sum(text: str) -> str:
    lines = text.splitlines()
    return "\n".join([*(line.rstrip() for line in lines if line.startswith("control:")), lines[-1]])


def _last_line(text: str) -> str:
    return text.splitlines()[-1].strip("= ")


@dataclass(frozen=True, slots=True)
class Part:
    """One program; ``keep``: what of its output belongs on a page."""

    title: str
    module: str
    arguments: tuple[str, ...] = ()
    keep: Callable[[str], str] = _whole
    examples: int = 0

    @property
    def words(self) -> list[str]:
        return ["-m", self.module, *self.arguments]


PARTS = {
    "simulation": Part("The simulator", "tests.campaign.simulation"),
    "machine": Part(
        "The Hypothesis state machine", "pytest", ("-q", "tests/campaign/test_machine.py"), _last_line, examples=2000
    ),
    "mutants": Part("Planted mutants", "tests.campaign.mutants", keep=_controls_and_sum),
    "kills": Part("Real SIGKILLs", "tests.campaign.kills"),
    "storm": Part("A storm over 80 runs, without and with 25 SIGKILLs", "tests.campaign.storm"),
    "pairs": Part("Pairs of concurrent applies", "tests.campaign.pairs"),
    "canary": Part("The search for secrets", "tests.campaign.canary"),
    "sdk": Part("The official SDK and reconciler under the same faults", "tests.bench.storm_sdk"),
}


def run(part: Part) -> tuple[bool, str, float]:
    """Run one part: whether it held, what it printed, and how many seconds it took."""
    environment = dict(os.environ)
    if part.examples:
        environment["CAMPAIGN_EXAMPLES"] = str(part.examples)
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, *part.words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode == 0, (done.stdout.strip() or done.stderr.strip()), time.monotonic() - started


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(PARTS), help="this part; may be repeated")
    parser.add_argument("--report", type=Path, metavar="FILE", help="put the figures into this page")
    chosen = parser.parse_args()
    sections, failed = [], []
    for name in chosen.only or PARTS:
        part = PARTS[name]
        held, text, seconds = run(part)
        print(f"== {part.title} ({seconds:.0f} s)\n\n{text}\n", flush=True)
        command = " ".join(["python", *part.words])
        sections.append(f"### {part.title}\n\n`{command}`, {seconds:.0f} s:\n\n```\n{part.keep(text)}\n```\n")
        failed += [] if held else [name]
    print(f"Failed: {', '.join(failed)}" if failed else "Every part held.")
    if chosen.report and not chosen.only:
        system = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
        figures = "\n".join([f"Measured on {date.today().isoformat()} ({system}; shared and noisy).\n", *sections])
        page = chosen.report.read_text("utf-8")
        before, after = page.partition(_BEGIN)[0], page.partition(_END)[2]
        chosen.report.write_text(f"{before}{_BEGIN}\n{figures}{_END}{after}", "utf-8")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
