"""Limits and validation for readers of test results, read back by a parser of JUnit XML."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from junitparser import Failure, JUnitXml, Skipped, TestCase
from msgspec.structs import replace

from reconciler.model.address import Address
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.limits import Level, Limit, LimitResult
from reconciler.model.plan import Revision, Unmet
from reconciler.views.junit import failed_junit, junit_xml
from tests.decisions.harness import make_plan
from tests.planning.plans import action, plan, unchanged

CASES = sorted((Path(__file__).parents[1] / "decisions" / "cases").iterdir())
HOSTILE = "a<b&\"c']]>\x00\x0b\x1b[31m\ud800\ufffe\u202e\n::error::x"


def limit(name: str, level: Level, passed: bool, override: str = "", found: str = "2 new runs") -> LimitResult:
    return LimitResult(Limit(name, 1, level, Source("reconciler.toml", 20, 1)), passed, found, override)


def error(summary: str = "S", file: str = "runs/a.toml", line: int = 3) -> Diagnostic:
    return Diagnostic(Severity.ERROR, summary, "D.", "F.", "run.a", Source(file, line, 5), ("[[moved]]", "x = 1"))


def parsed(text: str) -> dict[str, list[TestCase]]:
    """The cases of each suite; the counts of every level are right, and no suite is empty."""
    root = JUnitXml.fromstring(text.encode())
    suites = list(root)
    for stated in (*suites, root):
        cases = [case for suite in suites for case in suite] if stated is root else list(stated)
        assert cases
        assert stated.tests == len(cases)
        assert stated.failures == sum(isinstance(item, Failure) for case in cases for item in case.result)
        assert stated.skipped == sum(isinstance(item, Skipped) for case in cases for item in case.result)
        assert stated.errors == 0
    names = [(case.classname, case.name) for suite in suites for case in suite]
    assert len(names) == len(set(names))  # of equal names GitLab takes the first
    return {suite.name: list(suite) for suite in suites}


@pytest.mark.parametrize(
    ("result", "outcome", "text"),
    [
        (limit("max_new_runs", Level.HARD, True), None, "2 new runs."),
        (limit("max_new_runs", Level.HARD, False), Failure, "2 new runs"),
        (
            limit("max_new_runs", Level.SOFT, False),
            Failure,
            "2 new runs; it needs --override max_new_runs --reason TEXT",
        ),
        (limit("max_new_runs", Level.SOFT, False, "agreed"), Skipped, "2 new runs; overridden: agreed"),
        (limit("max_new_runs", Level.ADVISORY, False), Skipped, "2 new runs; an advisory limit forbids nothing"),
        (limit("max_new_runs", Level.ADVISORY, True), None, "2 new runs."),
    ],
)
def test_a_limit_is_a_case(result: LimitResult, outcome: type | None, text: str) -> None:
    made = replace(plan(action(), limits=(result,)), revision=Revision("abc", False, None, "data"))
    (case,) = parsed(junit_xml(made))["limits"]
    assert (case.classname, case.name) == ("reconciler.limits", "max_new_runs")
    assert (case._elem.get("file"), case._elem.get("line")) == ("data/reconciler.toml", "20")
    if outcome is None:
        assert (case.result, case.system_out) == ([], text)
    else:
        (said,) = case.result
        assert (type(said), said.text, said.message) == (outcome, text, text)


def test_a_file_is_a_case_failed_by_its_errors() -> None:
    made = plan(
        action(),
        unchanged=(unchanged("b"),),
        unmet=(Unmet(Address("run.c"), "failed", "why", Source("runs/c.toml", 2)),),
        diagnostics=(
            error("Second", line=9),
            error("First", line=3),
            Diagnostic(Severity.WARNING, "W", source=Source("runs/w.toml", 4, 1)),
            Diagnostic(Severity.ERROR, "Without a place", "D."),
        ),
    )
    cases = {case.name: case for case in parsed(junit_xml(made))["validation"]}
    assert list(cases) == ["runs/c.toml", "runs/evals.toml", "runs/a.toml", "project", "runs/w.toml"]
    failed, whole = cases["runs/a.toml"], cases["project"]
    assert (failed._elem.get("file"), failed._elem.get("line")) == ("runs/a.toml", "3")
    assert failed.result[0].type == "error"
    assert failed.result[0].message == "runs/a.toml:3:5: error: run.a: First: D. F."
    assert failed.result[0].text.split("\n") == [
        "runs/a.toml:3:5: error: run.a: First: D. F.", "[[moved]]", "x = 1",
        "runs/a.toml:9:5: error: run.a: Second: D. F.", "[[moved]]", "x = 1",
    ]  # fmt: skip
    assert (whole._elem.get("file"), whole.result[0].text) == (None, "error: Without a place: D.")
    assert (cases["runs/w.toml"].result, cases["runs/w.toml"].system_out) == ([], "runs/w.toml:4:1: warning: W")
    assert (cases["runs/c.toml"].result, cases["runs/c.toml"].system_out) == ([], None)


def test_without_findings_each_suite_has_a_case_that_passed() -> None:
    suites = parsed(junit_xml(plan()))
    assert [(case.name, case.result) for cases in suites.values() for case in cases] == [
        ("limits", []),
        ("project", []),
    ]


def test_where_there_is_no_plan_its_errors_fail_and_limits_are_not_checked() -> None:
    suites = parsed(failed_junit([error()], "data"))
    (limits,), (file,) = suites["limits"], suites["validation"]
    assert isinstance(limits.result[0], Skipped)
    assert isinstance(file.result[0], Failure)
    assert file._elem.get("file") == "data/runs/a.toml"


def test_any_text_can_be_read_back() -> None:
    told = replace(error(HOSTILE, HOSTILE), detail=HOSTILE, proposal=(HOSTILE,))
    text = failed_junit([told], HOSTILE)
    (case,) = parsed(text)["validation"]
    shown = "a<b&\"c']]>\\x00\\x0b\\x1b[31m\\ud800\\ufffe\\u202e\\n::error::x"
    assert case.name == shown
    assert case.result[0].text.split("\n")[1] == shown
    assert all(character in "\n" or character.isprintable() for character in text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_report_of_every_decision_can_be_read(case: Path) -> None:
    made = make_plan(case)
    text = junit_xml(made)
    assert parsed(text)
    assert ElementTree.fromstring(text.encode()).tag == "testsuites"
    assert [item.limit.name for item in made.limits] in ([case.name for case in parsed(text)["limits"]], [])
