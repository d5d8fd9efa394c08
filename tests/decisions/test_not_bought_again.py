"""What a person has given up, or what failed as often as it may, is bought again only when somebody asks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.changes import Kind
from reconciler.views.paint import Paint
from reconciler.views.plan_text import plan_text
from tests.decisions.harness import make_plan

HEAD = """
[api]
base_url = "emulator"

[defaults]
spec_id = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
generation_model = "anthropic/claude-haiku-4-5"
"""


def attempt(number: int, samples: int, **more: Any) -> dict[str, Any]:
    sent = {"number_of_samples": samples, "generation_model": "anthropic/claude-haiku-4-5"}
    return {"id": f"a{number}", "address": "run.a", "sent": sent, **more}


def bought(number: int, samples: int, status: str, **more: Any) -> dict[str, Any]:
    return attempt(number, samples, run=f"r{number}", status=status, samples_completed=samples, **more)


def write_case(folder: Path, declaration: str, recorded: dict[str, Any]) -> Path:
    (folder / "project").mkdir()
    (folder / "project" / "reconciler.toml").write_text(HEAD + declaration, "utf-8")
    (folder / "state.json").write_text(json.dumps(recorded), "utf-8")
    return folder


def declared(samples: int, most: int = 1) -> str:
    return f"[run.a]\nnumber_of_samples = {samples}\nlifecycle = {{ max_attempts = {most} }}\n"


@pytest.mark.parametrize(
    ("declaration", "attempts", "current"),
    [
        pytest.param(
            declared(20),
            [bought(1, 10, "SUCCEEDED"), attempt(2, 20, phase="ABANDONED")],
            "a1",
            id="given-up-replacement",
        ),
        pytest.param(
            declared(20),
            [bought(1, 10, "PROCESSING"), attempt(2, 20, phase="ABANDONED")],
            "a1",
            id="given-up-while-working",
        ),
        pytest.param(
            declared(10, 2), [bought(1, 10, "FAILED"), attempt(2, 10, phase="ABANDONED")], "a1", id="given-up-retry"
        ),
        pytest.param(
            declared(20),
            [bought(1, 10, "SUCCEEDED"), bought(2, 20, "FAILED")],
            "a1",
            id="failed-reverted-declared-again",
        ),
        pytest.param(declared(10), [attempt(1, 10, phase="ABANDONED")], None, id="given-up-create"),
    ],
)
def test_it_is_unmet(tmp_path: Path, declaration: str, attempts: list[dict[str, Any]], current: str | None) -> None:
    lifecycle = {"max_attempts": 2} if "max_attempts = 2" in declaration else {}
    recorded = {"instances": {"run.a": {"attempt": current, "lifecycle": lifecycle}}, "attempts": attempts}
    made = make_plan(write_case(tmp_path, declaration, recorded))
    assert [f"{action.kind}: {action.reason}" for action in made.actions if action.buys] == []
    assert [item.address for item in made.unmet] == ["run.a"]


def test_nothing_declared_is_refused_also_where_the_only_submission_is_unknown(tmp_path: Path) -> None:
    recorded = {"instances": {"run.a": {"attempt": None}}, "attempts": [attempt(1, 10, phase="UNKNOWN")]}
    assert not make_plan(write_case(tmp_path, "", recorded)).valid


def test_a_retry_keeps_its_version_and_does_not_call_it_the_newest(tmp_path: Path) -> None:
    failed = bought(1, 10, "FAILED", inferred=["spec_version"], spec_version=3)
    failed["sent"]["spec_version"] = 3
    lifecycle = {"max_attempts": 2}
    recorded = {"instances": {"run.a": {"attempt": "a1", "lifecycle": lifecycle}}, "attempts": [failed]}
    recorded["listed"] = [
        {"id": run_id, "spec_id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e", "spec_version": version, "status": status}
        for run_id, version, status in (("elsewhere", 5, "SUCCEEDED"), ("r1", 3, "FAILED"))
    ]
    made = make_plan(write_case(tmp_path, declared(10, 2), recorded))
    (retry,) = made.actions
    assert retry.kind is Kind.RETRY
    assert retry.after is not None
    assert retry.after.get("spec_version") == 3
    assert retry.inferred == ("spec_version",)
    text = plan_text(made, Paint())
    assert "spec_version: 3" in text
    assert "(the newest)" not in text
