"""Annotations, read back as a runner does: the worst first, at their lines, never a command of somebody else's."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.model.address import Address
from reconciler.model.changes import Action, FieldChange, Kind, StatusClass
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.limits import Level, Limit, LimitResult
from reconciler.model.plan import Drift, Revision, Unmet
from reconciler.views.paint import one_line
from reconciler.views.plan_github import annotations, failed_annotations
from tests.planning.plans import action, plan, request

COMMANDS = {"error", "warning", "notice", "stop-commands", "add-mask", "set-output", "set-env", "group", "debug"}
LINE = Source("reconciler.toml", 4, 2)


@dataclass(frozen=True)
class Command:
    name: str
    properties: dict[str, str]
    data: str


def read(line: str) -> Command | None:
    """By the rules of GitHub's runner: ``::name key=value,…::data`` after blanks, at the start of a line."""
    assert len(line.splitlines()) == 1
    line = line.lstrip()
    end = line.find("::", 2)
    if not line.startswith("::") or end < 0:
        return None
    name, _, rest = line[2:end].partition(" ")
    if name not in COMMANDS:
        return None
    pairs = [pair.partition("=") for pair in rest.strip().split(",") if pair]
    return Command(name, {key: unescaped(value, ":,") for key, _, value in pairs}, unescaped(line[end + 2 :]))


def unescaped(text: str, more: str = "") -> str:
    for character in f"\r\n{more}%":
        text = text.replace(f"%{ord(character):02X}", character)
    return text


def commands(lines: list[str]) -> list[Command]:
    found = [read(line) for line in lines]
    assert None not in found
    return [command for command in found if command]


def found(severity: Severity, summary: str = "S", detail: str = "D", source: Source | None = LINE) -> Diagnostic:
    return Diagnostic(severity, summary, detail, "F", "run.a", source)


def limit(level: Level, passed: bool = False, override: str = "") -> LimitResult:
    limit = Limit("max_new_runs", 1, level, Source("reconciler.toml", 20, 1))
    return LimitResult(limit, passed, "2 new runs, 1 are allowed", override)


def test_the_worst_come_first() -> None:
    made = plan(
        action(name="created"),
        action(Kind.CANCEL, "stopped", "r1"),
        action(Kind.REPLACE, "again", "r2", standing=StatusClass.SUCCEEDED),
        action(Kind.UPDATE, "updated", "r3"),
        unmet=(Unmet(Address("run.u"), "failed", "it FAILED", LINE),),
        drift=(Drift(Address("run.d"), "r4", (FieldChange("tools", ("x",), None),)),),
        diagnostics=(found(Severity.NOTICE, "N"), found(Severity.WARNING, "W"), found(Severity.ERROR, "E")),
        limits=(limit(Level.SOFT, override="agreed"), limit(Level.HARD), limit(Level.HARD, True)),
    )
    told = [(command.name, command.properties["title"]) for command in commands(annotations(made, 20))]
    assert told == [
        ("error", "E"),
        ("error", "Limit max_new_runs (hard) forbids this plan"),
        ("warning", "Limit max_new_runs (soft) is overridden"),
        ("warning", "cancel run.stopped"),
        ("warning", "replace run.again"),
        ("warning", "unmet run.u"),
        ("warning", "W"),
        ("warning", "drift run.d"),
        ("notice", "N"),
        ("notice", "create run.created"),
        ("notice", "update run.updated"),
    ]
    assert annotations(made) == [*annotations(made, 20)[:10], "Not shown here, but in the plan: 1 notice."]
    assert annotations(made, 2)[2:] == ["Not shown here, but in the plan: 6 warnings, 3 notices."]


def test_what_is_not_shown_is_counted_in_a_line_that_is_no_command() -> None:
    lines = annotations(plan(*(action(name=f"a{number}") for number in range(12))))
    assert len(commands(lines[:10])) == 10
    assert lines[10:] == ["Not shown here, but in the plan: 2 notices."]
    assert read(lines[10]) is None
    assert "##[" not in lines[10]  # another form of commands, found anywhere in a line
    assert annotations(plan()) == []


@pytest.mark.parametrize(
    ("folder", "file", "path"),
    [
        ("", "runs/evals.toml", "runs/evals.toml"),
        ("data/eval", "runs/evals.toml", "data/eval/runs/evals.toml"),
        ("data", "environments/de.toml", "data/environments/de.toml"),
        ("data", "/tmp/values.toml", "/tmp/values.toml"),
        ("data/eval", "../values.toml", "data/values.toml"),
    ],
)
def test_places_are_those_of_the_repository(folder: str, file: str, path: str) -> None:
    made = replace(plan(action(source=Source(file, 7, 3))), revision=Revision("abc", False, None, folder))
    (command,) = commands(annotations(made))
    assert command.properties == {"file": path, "line": "7", "col": "3", "title": "create run.a"}
    (failed,) = commands(failed_annotations([found(Severity.ERROR, source=Source(file, 7, 3))], folder))
    assert failed.properties == {"file": path, "line": "7", "col": "3", "title": "S"}


def test_what_has_no_declaration_any_more_has_no_place() -> None:
    (command,) = commands(annotations(plan(action(Kind.DELETE, "b", "r1"))))
    assert command.properties == {"title": "delete run.b"}
    assert command.data == "because; run r1 (PROCESSING, 4 of 10 samples) is deleted with its files"


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (action(after=request(1200)), "because; 1,200 samples to buy"),
        (action(after=request(1), foreign=True), "because; 1 sample to buy; this branch did not cause it"),
        (
            action(Kind.REPLACE, run_id="r1"),
            "because; 10 samples to buy; "
            "run r1 (PROCESSING, 4 of 10 samples) is cancelled once its successor is certain",
        ),
        (action(Kind.UPDATE, run_id="r1"), "because"),
    ],
)
def test_what_is_said_of_an_action(made: Action, said: str) -> None:
    assert [command.data for command in commands(annotations(plan(made)))] == [said]


def test_instances_of_a_declaration_share_an_annotation() -> None:
    points = [replace(action(), address=Address(f'run.x["{number}"]')) for number in range(5)]
    other, foreign = action(name="y"), replace(points[0], address=Address('run.x["9"]'), foreign=True)
    told = commands(annotations(plan(foreign, *points, other)))
    assert [command.properties["title"] for command in told] == [
        "create 5 of run.x",
        "create run.y",
        'create run.x["9"]',
    ]
    assert told[0].data.split("\n") == [
        "because; 50 samples to buy", 'run.x["0"]', 'run.x["1"]', 'run.x["2"]', "… and 2 more",
    ]  # fmt: skip


def test_limits_say_where_they_stand_and_what_passes_them() -> None:
    lines = annotations(
        plan(action(), limits=(limit(Level.HARD), limit(Level.SOFT), limit(Level.SOFT, False, "agreed")))
    )
    told = commands(lines)[:3]
    assert [(command.name, command.properties["line"]) for command in told] == [
        ("error", "20"), ("error", "20"), ("warning", "20"),
    ]  # fmt: skip
    assert [command.data for command in told] == [
        "2 new runs, 1 are allowed",
        "2 new runs, 1 are allowed; it needs --override max_new_runs --reason TEXT",
        "2 new runs, 1 are allowed; overridden: agreed",
    ]


def test_lines_to_be_copied_stay_lines_of_one_message() -> None:
    told = replace(found(Severity.ERROR), proposal=("[[moved]]", 'from = "run.a"', *(f"# {n}" for n in range(40))))
    (command,) = commands(failed_annotations([told]))
    lines = command.data.split("\n")
    assert lines[:3] == ["run.a: D F", "[[moved]]", 'from = "run.a"']
    assert (len(lines), lines[-1]) == (32, "… and 12 more lines")


def test_errors_come_before_warnings_also_where_there_is_no_plan() -> None:
    told = [found(Severity.WARNING, source=None), found(Severity.ERROR), Diagnostic(Severity.NOTICE, "Only this")]
    assert [(item.name, item.data) for item in commands(failed_annotations(told))] == [
        ("error", "run.a: D F"), ("warning", "run.a: D F"), ("notice", "Only this"),
    ]  # fmt: skip
    assert failed_annotations(told, most=1)[1:] == ["Not shown here, but in the plan: 1 warning, 1 notice."]


HOSTILE = (
    "::stop-commands::token",
    "x\n::error::forged",
    "x\r::add-mask::run",
    "x\r\n::set-output name=a::b",
    "a,b=c:d::e",
    "100% %0A %250A %3A",
    "##[error]old",
    "\x1b[31mred\x07",
    "\u2028::notice::x\u2029\x85",
    "\u202eesrever",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_ends_a_command_or_begins_one(text: str) -> None:
    holds(text)


@given(
    st.text(alphabet=st.characters(codec=None), min_size=1, max_size=60)
    | st.text("%:,=\r\n[]#05ADan \u2028", min_size=1, max_size=40)
)
def test_any_text_comes_back_as_it_was_escaped(text: str) -> None:
    holds(text)


def holds(text: str) -> None:
    source = Source(f"{text}.toml", 7, 1)
    made = plan(
        replace(action(source=source), reason=text),
        diagnostics=(found(Severity.ERROR, text, text, source),),
        limits=(LimitResult(limit(Level.SOFT).limit, False, text, text),),
    )
    first, second, third = commands(annotations(made))
    shown = one_line(text)
    assert [first.name, second.name, third.name] == ["error", "warning", "notice"]
    assert first.data == f"run.a: {shown} F"
    assert second.data == f"{shown}; overridden: {shown}"
    assert third.data == f"{shown}; 10 samples to buy"
    assert first.properties["title"] == shown.rstrip()  # blanks at the end of all properties go
    assert set(third.properties) == {"file", "line", "col", "title"}


def test_a_long_message_is_bounded() -> None:
    (command,) = commands(annotations(plan(replace(action(), reason="%" * 5000))))
    assert len(command.data) == 1000
    assert command.data.endswith("%…")
