"""Prometheus itself evaluates the alerts of examples/watch over what two replicas expose: each fires when it should."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.watching.consent import Caps
from reconciler.watching.metrics import Metrics
from reconciler.watching.status import Held, Hold, Mode, Part, Planned, Spent, Status, Suspended, Trouble

pytestmark = pytest.mark.timeout(300)  # the first test may wait for a download of 20 MB

RULES = Path(__file__).parents[2] / "examples" / "watch" / "alerts.yaml"
STEP = 5  # minutes between two looks of Prometheus
LEADS = Status(Mode.APPLY, "main", "prod", leader=True, seen="c1", revision="c1")
STANDS_BY = replace(LEADS, leader=False)
CAPS = Caps(86_400.0, 100, None, 50.0)


@dataclass
class Case:
    """What two replicas have for so many minutes, and which alerts fire at the end, with how many series each."""

    minutes: int
    fires: Mapping[str, int] = field(default_factory=dict)
    replicas: tuple[Status, ...] = (LEADS, STANDS_BY)
    succeeds: bool = True
    drops: bool = False

    def series(self) -> Iterator[tuple[str, str]]:
        """Each series, and its values in promtool's short form: constant, but for when a pass succeeded last, and what
        was dropped.
        """
        moving = {
            "reconciler_last_success_timestamp_seconds": STEP * 60 * self.succeeds,
            "reconciler_webhook_dropped_total": int(self.drops),
        }
        for number, status in enumerate(self.replicas):
            registry = Metrics(lambda status=status: status, CAPS).registry  # type: ignore[misc]
            for family in text_string_to_metric_families(generate_latest(registry).decode()):
                for sample in family.samples:
                    if family.type == "gauge" or sample.name in moving:  # no rule reads another counter
                        labels = sample.labels | {"job": "watch", "instance": f"replica-{number}:8322"}
                        listed = ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
                        values = f"{sample.value}+{moving.get(sample.name, 0)}x{self.minutes // STEP + 1}"
                        yield f"{sample.name}{{{listed}}}", values


def held(why: Hold) -> tuple[Status, ...]:
    return replace(LEADS, held=Held(why, "what to do")), STANDS_BY


def failing(part: Part) -> tuple[Status, ...]:
    return replace(LEADS, troubles={part: Trouble("m", "2026-01-01", 9)}), STANDS_BY


def planned(**more: Any) -> tuple[Status, ...]:
    return replace(LEADS, planned=Planned("sha256:1", {}, **more)), STANDS_BY


DAY = 24 * 60
CASES = {
    "all is well for a day": Case(DAY + 5),
    "nothing is there": Case(15, {"ReconcilerAbsent": 1}, ()),
    "nothing is there for a moment": Case(5, {}, ()),
    "nobody leads": Case(15, {"ReconcilerNoLeader": 1}, (STANDS_BY, STANDS_BY)),
    "a lead is handed over": Case(5, {}, (STANDS_BY, STANDS_BY)),
    "both lead": Case(15, {"ReconcilerTwoLeaders": 1}, (LEADS, LEADS)),
    "both only report": Case(15, {}, (replace(LEADS, mode=Mode.REPORT),) * 2),
    "no success any more": Case(80, {"ReconcilerNoSuccess": 2}, succeeds=False),
    "no success for half an hour": Case(30, succeeds=False),
    **{
        f"{part} fails": Case(
            20, {"ReconcilerRevisionRefused" if part is Part.SOURCE else "ReconcilerPartFails": 1}, failing(part)
        )
        for part in Part
    },
    "messages are given up": Case(20, {"ReconcilerWebhookDropped": 2}, drops=True),
    "git fails for a while": Case(10, {}, failing(Part.GIT)),
    "nine tenths of the dollars": Case(
        10, {"ReconcilerSpendNearCap": 1}, (replace(LEADS, spent=Spent(0, 0, 45.0)), STANDS_BY)
    ),
    "all of the runs": Case(10, {"ReconcilerSpendNearCap": 1}, (replace(LEADS, spent=Spent(100, 0, 0.0)), STANDS_BY)),
    "half of the dollars": Case(10, {}, (replace(LEADS, spent=Spent(50, 9_000, 25.0)), STANDS_BY)),
    "drift": Case(65, {"ReconcilerDrift": 1}, planned(drift=2)),
    "unmet": Case(65, {"ReconcilerUnmet": 1}, planned(unmet=1)),
    **{
        f"waits a day for {why}": Case(DAY + 5, {"ReconcilerWaitsForApproval": 1}, held(why))
        for why in (Hold.APPROVAL, Hold.PRUNE)
    },
    "waits an hour for an approval": Case(65, {}, held(Hold.APPROVAL)),
    **{f"held by {why}": Case(65, {"ReconcilerHeld": 1}, held(why)) for why in (Hold.CAP, Hold.LIMIT, Hold.ERRORS)},
    **{f"held by {why}, as was meant": Case(65, {}, held(why)) for why in (Hold.WINDOW, Hold.REPORT, Hold.SUSPENDED)},
    **{
        f"{scope or 'everything'} is suspended": Case(
            DAY + 5,
            {"ReconcilerSuspendedLong": 1},
            (replace(LEADS, suspended=(Suspended(scope, "why", "me", "2026-01-01"),)), STANDS_BY),
        )
        for scope in ("", "run.a*")
    },
}


def evaluated(promtool: str, folder: Path, cases: Mapping[str, Case]) -> str:
    """What Prometheus has to object; empty: nothing."""
    shutil.copy(RULES, folder / "alerts.yaml")
    tests = [
        {
            "name": name,
            "interval": f"{STEP}m",
            "input_series": [{"series": series, "values": values} for series, values in case.series()],
            "promql_expr_test": [
                {
                    "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                    "eval_time": f"{case.minutes}m",
                    "exp_samples": [
                        {"labels": f'{{alertname="{alert}"}}', "value": count} for alert, count in case.fires.items()
                    ],
                }
            ],
        }
        for name, case in cases.items()
    ]
    whole = {"rule_files": ["alerts.yaml"], "evaluation_interval": f"{STEP}m", "tests": tests}
    (folder / "tests.yaml").write_text(yaml.safe_dump(whole, sort_keys=False))
    command = [promtool, "test", "rules", "tests.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_prometheus_takes_the_rules(promtool: str) -> None:
    command = [promtool, "check", "rules", "--lint=all", "--lint-fatal", str(RULES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_when_it_should_and_no_other(promtool: str, tmp_path: Path) -> None:
    assert evaluated(promtool, tmp_path, CASES) == ""


def test_every_alert_has_a_case() -> None:
    with RULES.open(encoding="utf-8") as file:
        alerts = {rule["alert"] for group in yaml.safe_load(file)["groups"] for rule in group["rules"]}
    assert {alert for case in CASES.values() for alert in case.fires} == alerts


def test_an_alert_that_does_not_fire_would_be_noticed(promtool: str, tmp_path: Path) -> None:
    case = replace(CASES["drift"], fires={"ReconcilerUnmet": 1})
    assert "ReconcilerDrift" in evaluated(promtool, tmp_path, {"drift": case})
