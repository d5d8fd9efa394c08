"""Limits and validation as JUnit XML, for whatever shows the results of tests.

GitLab compares reports by ``classname`` and ``name``, takes the first of equal names, and shows the text of an element,
not its ``message``: so the cases are limits and files, whose names stay, and the texts say all. It shows nothing of a
passed case, and Jenkins folds it away: so a limit that is exceeded and does not forbid the plan (advisory, or
overridden) is skipped, with the reason. Both show that, and neither counts it as a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from xml.etree import ElementTree

from msgspec import Struct

from reconciler.model.diagnostics import Diagnostic, Severity, Source, errors, ordered
from reconciler.model.limits import Level, LimitResult
from reconciler.model.plan import Plan
from reconciler.views.diagnostics import diagnostic_line
from reconciler.views.paint import Paint, one_line
from reconciler.views.places import in_repository

_PLAIN: Final = Paint()
_ATTRIBUTES: Final = {"failure": "failures", "skipped": "skipped"}


class _Case(Struct, frozen=True):
    """``outcome``: "passed" | "failure" | "skipped"; ``lines`` say why, or more."""

    name: str
    outcome: str = "passed"
    lines: tuple[str, ...] = ()
    kind: str = ""  # of a failure
    source: Source | None = None


def junit_xml(plan: Plan) -> str:
    """Two suites: ``limits``, a case for each, and ``validation``, a case for each file that the plan speaks of and one
    for what stands in none. Paths are relative to the repository.
    """
    limits = [_limit(item) for item in plan.limits] or [_Case("limits", lines=("No limit is declared.",))]
    sources = [item.source for group in (plan.actions, plan.unchanged, plan.unmet) for item in group]
    sources += [item.limit.source for item in plan.limits]
    files = [source.file for source in sources if source is not None]
    return _document({"limits": limits, "validation": _validation(plan.diagnostics, files)}, plan.revision.folder)


def failed_junit(diagnostics: Iterable[Diagnostic], folder: str = "") -> str:
    """The same of a project of which no plan could be made. ``folder``: the project's within its repository."""
    unchecked = _Case("limits", "skipped", ("Not checked: there is no plan.",))
    return _document({"limits": [unchecked], "validation": _validation(diagnostics, ())}, folder)


def _limit(item: LimitResult) -> _Case:
    name, level, source = item.limit.name, item.limit.level, item.limit.source
    if item.passed:
        return _Case(name, lines=(f"{item.found}.",), source=source)
    if item.override:
        return _Case(name, "skipped", (f"{item.found}; overridden: {item.override}",), source=source)
    if level is Level.ADVISORY:
        return _Case(name, "skipped", (f"{item.found}; an advisory limit forbids nothing",), source=source)
    way = f"; it needs --override {name} --reason TEXT" if level is Level.SOFT else ""
    return _Case(name, "failure", (f"{item.found}{way}",), str(level), source)


def _validation(diagnostics: Iterable[Diagnostic], files: Iterable[str]) -> list[_Case]:
    """A case for each file, failed by errors only; warnings are its output."""
    found: dict[str, list[Diagnostic]] = {file: [] for file in sorted(set(files))}
    for item in ordered(diagnostics):
        found.setdefault(item.source.file if item.source else "", []).append(item)
    return [_file(file, told) for file, told in found.items()] or [_Case("project")]


def _file(file: str, told: Sequence[Diagnostic]) -> _Case:
    wrong = errors(told)
    places = [item.source for item in (wrong or told) if item.source]
    source = places[0] if places else Source(file) if file else None
    lines = [line for item in told for line in (diagnostic_line(item, _PLAIN), *item.proposal)]
    return _Case(
        file or "project", "failure" if wrong else "passed", tuple(lines), Severity.ERROR if wrong else "", source
    )


def _document(suites: dict[str, list[_Case]], folder: str) -> str:
    root = ElementTree.Element(
        "testsuites", {"name": "reconciler", **_counts([*suites["limits"], *suites["validation"]])}
    )
    for name, cases in suites.items():
        suite = ElementTree.SubElement(root, "testsuite", {"name": name, **_counts(cases)})
        for case in cases:
            suite.append(_case(case, f"reconciler.{name}", folder))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _counts(cases: Sequence[_Case]) -> dict[str, str]:
    number = {name: sum(1 for case in cases if case.outcome == key) for key, name in _ATTRIBUTES.items()}
    return {
        "tests": str(len(cases)),
        "errors": "0",
        **{name: str(count) for name, count in number.items()},
        "time": "0",
    }


def _case(case: _Case, suite: str, folder: str) -> ElementTree.Element:
    """``one_line`` leaves no control character, which XML 1.0 could not hold; the rest is escaped by ElementTree."""
    attributes = {"classname": suite, "name": one_line(case.name), "time": "0"}
    if case.source is not None:
        attributes |= {"file": one_line(in_repository(folder, case.source)), "line": str(case.source.line)}
    element = ElementTree.Element("testcase", attributes)
    lines = [one_line(line) for line in case.lines]
    if case.outcome != "passed":
        said = {"message": lines[0]} | ({"type": case.kind} if case.kind else {})
        ElementTree.SubElement(element, case.outcome, said).text = "\n".join(lines)
    elif lines:
        ElementTree.SubElement(element, "system-out").text = "\n".join(lines)
    return element
