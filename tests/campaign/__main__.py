"""``python -m tests.campaign``: the whole fault campaign, one part after another, at full size.

``--report FILE`` puts the figures between the two marks of a page; with ``--only`` those of the other parts stay.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tests.campaign.figures import table

ROOT = Path(__file__).resolve().parents[2]
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"


def _whole(text: str) -> str:
    return text


def _controls_and_sum(text: str) -> str:
    lines = text.splitlines()
    return "\n".join([*(line.rstrip() for line in lines if line.startswith("control:")), lines[-1]])


def _last_line(text: str) -> str:
    return text.splitlines()[-1].strip("= ")


def _storms(text: str) -> str:
    """A line for each storm."""
    wanted = ("bought", "bought too many", "not recorded", "create calls", "decided with resolve", "server killed",
              "server frozen", "sessions ended")  # fmt: skip
    rows = []
    for block in text.split("Storm over ")[1:]:
        found = dict(row for line in block.splitlines() if len(row := re.split(r"  +", line.strip())) == 2)
        seed, kills = re.findall(r"seed (\d+), (\d+) SIGKILLs", block)[0]
        violations = re.findall(r"^violations: (\d+)", block, re.MULTILINE)[0]
        rows.append((seed, kills, *(found.get(name, "0") for name in wanted), violations))
    return "\n".join(table([("seed", "SIGKILLs", *wanted, "violations"), *rows]))


def _without_points(text: str) -> str:
    """Figures without their table by point, which is long."""
    title, counts, *_, violations = text.split("\n\n")
    return "\n\n".join([title, counts, violations])


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


_POSTGRES = ("--state", "postgres")
PARTS = {
    "simulation": Part("The simulator", "tests.campaign.simulation"),
    "machine": Part(
        "The Hypothesis state machine", "pytest", ("-q", "tests/campaign/test_machine.py"), _last_line, examples=2000
    ),
    "mutants": Part("Planted mutants", "tests.campaign.mutants", keep=_controls_and_sum),
    "kills": Part("Real SIGKILLs", "tests.campaign.kills"),
    "kills-postgres": Part(
        "Real SIGKILLs, state in PostgreSQL", "tests.campaign.kills", (*_POSTGRES, "--count", "400"), _without_points
    ),
    "cuts-postgres": Part(
        "Lost sessions, state in PostgreSQL",
        "tests.campaign.kills",
        (*_POSTGRES, "--cut", "--count", "250"),
        _without_points,
    ),
    "storm": Part("A storm over 80 runs, without and with 25 SIGKILLs", "tests.campaign.storm"),
    "storm-postgres": Part(
        "Storms over the service and over the state's server, two machines at once",
        "tests.campaign.storm",
        (*_POSTGRES, "--count", "60", "--kills", "10", "--storms", "5"),
        _storms,
    ),
    "setback-postgres": Part("The state's server set back to a copy", "tests.campaign.setback"),
    "controller": Part("An hour of the controller", "tests.campaign.controller"),
    "pairs": Part("Pairs of concurrent applies", "tests.campaign.pairs"),
    "pairs-postgres": Part("Pairs of concurrent applies on two machines", "tests.campaign.pairs", _POSTGRES),
    "canary": Part("The search for secrets", "tests.campaign.canary"),
    "canary-postgres": Part("The search for secrets, state in PostgreSQL", "tests.campaign.canary", _POSTGRES),
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


def section(part: Part, text: str, seconds: float) -> str:
    """What a page says of one part, below its title."""
    command = " ".join(["python", *part.words])
    return f"`{command}`, {date.today().isoformat()}, {seconds:.0f} s:\n\n```\n{part.keep(text)}\n```\n"


def report(page: str, sections: Mapping[str, str]) -> str:
    """The page with these sections, by title, in the place of those with the same title; in the order of the parts."""
    before, after = page.partition(_BEGIN)[0], page.partition(_END)[2]
    figures = page.partition(_BEGIN)[2].partition(_END)[0]
    present = dict(part.split("\n\n", 1) for part in figures.split("### ")[1:])
    merged = {title: text.rstrip() + "\n" for title, text in {**present, **sections}.items()}
    system = f"Measured on {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}; shared and"
    ordered = [f"### {part.title}\n\n{merged[part.title]}" for part in PARTS.values() if part.title in merged]
    return f"{before}{_BEGIN}\n" + "\n".join([f"{system} noisy.\n", *ordered]) + f"{_END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(PARTS), help="this part; may be repeated")
    parser.add_argument("--report", type=Path, metavar="FILE", help="put the figures into this page")
    chosen = parser.parse_args()
    failed = []
    for name in chosen.only or PARTS:
        part = PARTS[name]
        held, text, seconds = run(part)
        print(f"== {part.title} ({seconds:.0f} s)\n\n{text}\n", flush=True)
        if chosen.report:
            page = chosen.report.read_text("utf-8")
            chosen.report.write_text(report(page, {part.title: section(part, text, seconds)}), "utf-8")
        failed += [] if held else [name]
    print(f"Failed: {', '.join(failed)}" if failed else "Every part held.")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
