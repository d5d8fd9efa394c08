"""What an apply tells: its lines, its closing words, its stream of events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.model.changes import Kind
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.events import (
    Done,
    Ending,
    Event,
    Failed,
    Progressed,
    Report,
    Started,
    Submitted,
    Told,
    Unsettled,
)
from reconciler.model.plan import Outlook
from reconciler.model.run import RunStatus
from reconciler.views.apply_text import PlainLines, closing_lines
from reconciler.views.events_json import event_json, plan_events, summary_event, version_event
from reconciler.views.paint import Paint
from tests.planning.plans import action, plan

AT = "2026-01-01T00:00:00.000Z"
PLAIN = Paint()


def ending(status: RunStatus | None, **more: Any) -> Ending:
    return Ending("run.a", "r", status, **more)


def unknown(standing: str, why: str) -> Unsettled:
    return Unsettled("run.a", Outlook(standing, why))


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (Report(), "Apply complete: nothing changed."),
        (Report({Kind.CREATE: 1}), "Apply complete: 1 created."),
        (Report({Kind.CREATE: 1200}, [ending(RunStatus.SUCCEEDED)] * 1200),
         "Apply complete: 1,200 created. 1,200 succeeded."),
        (Report(dict.fromkeys(Kind, 1)),
         "Apply complete: 1 created, 1 replaced, 1 retried, 1 cancelled, 1 forgotten, 1 deleted, 1 reused, 1 updated, "
         "1 moved, 1 imported."),
        (Report({Kind.CREATE: 2}, [ending(RunStatus.SUCCEEDED), ending(None)], unfinished=1),
         "Apply complete: 2 created. 1 succeeded, 1 gone, 1 still working."),
        (Report(failures=[Failed("run.a", "rejected", "no")] * 2), "Apply incomplete: nothing changed. 2 refused."),
        (Report(failures=[Failed("run.a", "deferred", "later"), Failed("run.b", "outdated", "x")]),
         "Apply incomplete: nothing changed. 1 not submitted, 1 outdated."),
        (Report(unsettled=[unknown("absent", "why")]), "Apply incomplete: nothing changed. 1 unknown."),
        (Report(failures=[Failed("run.a", "unknown", "why")], unsettled=[unknown("waiting", "why")]),
         "Apply incomplete: nothing changed. 1 unknown."),
        (Report({Kind.CREATE: 0}), "Apply complete: nothing changed."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_the_closing_line(report: Report, line: str) -> None:
    assert next(closing_lines(report, PLAIN)) == line


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (Report(endings=[ending(RunStatus.FAILED, total_cost=0.25), ending(None)]), "cost $0.25"),
        (Report(failures=[Failed("run.a", "outdated", "x")]), "Plan again"),
        (Report(stopped="HTTP 401: who"), "Submitting ended early: HTTP 401: who"),
        (Report(unfinished=1, timed_out=True), "The wait timed out"),
        (Report(unfinished=1), "`reconciler apply` follows them"),
        (Report(interrupted="SIGTERM"), "Interrupted (SIGTERM)"),
        (
            Report(unsettled=[unknown("absent", "resolve run.a --resubmit")]),
            "resolve run.a --resubmit",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_advice(report: Report, words: str) -> None:
    assert words in "\n".join(list(closing_lines(report, PLAIN))[1:])


def test_no_cost_is_named_where_none_is_known() -> None:
    assert "$" not in "\n".join(closing_lines(Report(endings=[ending(RunStatus.SUCCEEDED)]), PLAIN))


EVENTS: list[tuple[Event, str, str, dict[str, Any]]] = [
    (Started(action()), "apply_start", "info", {"address": "run.a", "action": "create"}),
    (Submitted("run.a", "r", Kind.CREATE), "run_submitted", "info", {"address": "run.a", "run_id": "r"}),
    (
        Progressed("run.a", "r", RunStatus.PROCESSING, 3, 1, 10, 1.23456),
        "apply_progress",
        "info",
        {
            "address": "run.a",
            "run_id": "r",
            "status": "PROCESSING",
            "samples_completed": 3,
            "samples_failed": 1,
            "elapsed_seconds": 1.235,
        },
    ),
    (Progressed("run.a", "r", RunStatus.SUCCEEDED, 10, 0, 10, 2.0), "apply_complete", "info", {"status": "SUCCEEDED"}),
    (Progressed("run.a", "r", RunStatus.PENDING, None, None, None, 0.0), "apply_progress", "info",
     {"samples_completed": None}),
    (Done("run.a", Kind.FORGET, "forgotten"), "apply_complete", "info", {"address": "run.a", "action": "forget"}),
    (Failed("run.a", "unknown", "who knows"), "apply_errored", "error", {"address": "run.a", "trouble": "unknown"}),
    (Told("held up"), "diagnostic", "info", {"@message": "held up"}),
]  # fmt: skip


@pytest.mark.parametrize(("event", "kind", "level", "more"), EVENTS, ids=lambda value: type(value).__name__)
def test_each_event_is_one_object_of_the_stream(event: Event, kind: str, level: str, more: dict[str, Any]) -> None:
    found = event_json(event, AT)
    assert (found["type"], found["@level"], found["@timestamp"]) == (kind, level, AT)
    assert more.items() <= found.items()
    assert "\n" not in json.dumps(found)


def test_the_first_and_the_last_object() -> None:
    assert version_event(AT).keys() == {"@level", "@message", "@timestamp", "type", "reconciler"}
    last = summary_event(Report({Kind.CREATE: 2}), "Apply complete.", 0, AT)
    assert (last["type"], last["done"], last["exit_code"], last["@level"]) == ("summary", {"create": 2}, 0, "info")
    assert summary_event(Report(), "x", 7, AT)["@level"] == "error"


def test_the_plan_comes_as_diagnostics_changes_and_a_summary() -> None:
    found = plan_events(
        plan(action(), action(Kind.CANCEL, "b", "r1"), diagnostics=(Diagnostic(Severity.WARNING, "hm"),)), AT
    )
    assert [item["type"] for item in found] == ["diagnostic", "planned_change", "planned_change", "change_summary"]
    assert found[0]["@level"] == "warn"
    assert [item["action"] for item in found[1:3]] == ["create", "cancel"]
    assert {key: count for key, count in found[3]["changes"].items() if count} == {"create": 1, "cancel": 1}
    assert found[3]["digest"].startswith("sha256:")


EVILS = ["\x1b[2J", "\x07", "\r", "\x9b31m", "\u202e", "\u2066", "\u200b", "\u2028", "\nforged"]


def foreign(evil: str) -> dict[str, Event]:
    return {
        "run id": Submitted("run.a", evil, Kind.CREATE),
        "message": Done("run.a", Kind.FORGET, evil),
        "failure": Failed("run.a", "rejected", evil),
        "told": Told(evil),
        "submitted address": Submitted(f'run.a["{evil}"]', "r", Kind.CREATE),
        "progress address": Progressed(f'run.a["{evil}"]', "r", RunStatus.PENDING, 1, 0, 2, 1.0),
        "done address": Done(f'run.a["{evil}"]', Kind.FORGET, "forgotten"),
        "failed address": Failed(f'run.a["{evil}"]', "rejected", "no"),
    }


@pytest.mark.parametrize("place", foreign(""))
def test_no_foreign_text_reaches_the_terminal_as_it_is(place: str) -> None:
    obeyed = [evil for evil in EVILS if not (PlainLines(PLAIN).line(foreign(evil)[place]) or "").isprintable()]
    assert obeyed == []


@pytest.mark.parametrize("place", foreign(""))
def test_no_foreign_text_reaches_a_message_of_the_stream_as_it_is(place: str) -> None:
    assert [evil for evil in EVILS if not event_json(foreign(evil)[place], AT)["@message"].isprintable()] == []


@pytest.mark.parametrize("evil", EVILS)
def test_no_foreign_text_reaches_the_closing_lines_as_it_is(evil: str) -> None:
    report = Report(unsettled=[Unsettled(f"run.{evil}", Outlook("absent", evil))], stopped=evil, unfinished=1)
    assert [line for line in closing_lines(report, PLAIN) if not line.isprintable()] == []
