"""Escaping, diagnostics with their source lines, and the grammar of summaries."""

from __future__ import annotations

import json

import pytest

from reconciler.model.changes import Kind
from reconciler.model.diagnostics import Diagnostic, Severity, Source
from reconciler.model.events import Done, Ending, Event, Failed, Progressed, Report, Submitted, Told
from reconciler.model.run import RunStatus
from reconciler.views.apply_text import closing_lines
from reconciler.views.diagnostics import diagnostic_block, diagnostic_line, validation_json
from reconciler.views.events_json import event_json, summary_event
from reconciler.views.excerpt import excerpt
from reconciler.views.paint import Paint, escape, one_line

PLAIN = Paint()


EVILS = [
    "\x1b[2J",
    "\x07",
    "\r",
    "\u202e",
    "\u2066",
    "\u200b",
    "\x9b31m",
    "\t",
    "\x7f",
    "\u00ad",
    "\u3164",
    "\ufe0f",
    "\U000e0041",
    "\ud800",
    "\u2028",
]


@pytest.mark.parametrize("evil", EVILS)
def test_what_a_terminal_would_obey_is_made_visible(evil: str) -> None:
    assert evil not in escape(f"a{evil}b")
    assert escape(f"a{evil}b").isprintable()
    found = Diagnostic(Severity.ERROR, "Summary", f"said {evil}", f"fix {evil}", f"run.{evil}", Source(f"{evil}.toml"))
    assert evil not in diagnostic_line(found, PLAIN)
    assert not any(evil in line for line in diagnostic_block(found, lambda source: f"x = {evil}", 80, PLAIN))


def test_new_lines_stay_only_where_there_may_be_some() -> None:
    assert escape("a\nb\tc") == "a\nb\\tc"
    assert one_line("a\nb\tc") == "a\\nb\\tc"


@pytest.mark.parametrize(
    ("line", "column", "marked"),
    [
        ('number_of_samples = "5"', 21, '"5"'),
        ("number_of_samples = 20001 # many", 21, "20001"),
        ("revison_types = []", 1, "revison_types"),
        ("\tspec = 'x'", 9, "'x'"),
        ('"日本" = 5', 8, "5"),
        ("[run.a]", 1, "[run.a]"),
    ],
)
def test_the_marker_stands_under_the_token(line: str, column: int, marked: str) -> None:
    _, shown, marker = excerpt(line, Source("f.toml", 7, column), 80, PLAIN)
    assert marker.count("^") == len(marked)
    wide = sum(1 for character in shown if character in "日本")
    assert shown[marker.index("^") - wide :].startswith(marked)


def test_a_long_line_is_cropped_around_the_marker() -> None:
    line = "x = [" + ", ".join(f'"v{n}"' for n in range(200)) + ', "wrong"]'
    column = line.index('"wrong"') + 1
    lines = excerpt(line, Source("f.toml", 1, column), 80, PLAIN)
    assert all(len(shown) <= 80 for shown in lines)
    assert '"wrong"' in lines[1]
    assert lines[1][lines[2].index("^") :].startswith('"wrong"')


@pytest.mark.parametrize(
    "line",
    [
        'api_key = "CANARY"',
        "databricks_client_secret = 'CANARY'",
        'databricks_client_secert = "CANARY"',
        'x = { token = "CANARY" }',
        'url = "postgresql://u:CANARY@h/db"',
        'password = "CANARY',
    ],
)
def test_what_may_be_a_secret_is_not_shown(line: str) -> None:
    assert "CANARY" not in "\n".join(excerpt(line, Source("f.toml", 1, 1), 80, PLAIN))


def test_names_of_references_are_shown() -> None:
    assert "MY_KEY" in "\n".join(excerpt('api_key = { env = "MY_KEY" }', Source("f.toml", 1, 1), 80, PLAIN))


def test_the_block_has_place_line_and_advice() -> None:
    found = Diagnostic(
        Severity.ERROR, "Value out of bounds", "Too many.", "Write less.", "run.a", Source("f.toml", 3, 5)
    )
    lines = diagnostic_block(found, lambda source: "a = 20001", 80, PLAIN)
    assert lines[0] == "error: Value out of bounds"
    assert lines[1].strip() == "--> f.toml:3:5 (run.a)"
    assert "^^^^^" in lines[4]
    assert lines[5:7] == ["  Too many.", "  Write less."]


def test_validation_json() -> None:
    found = Diagnostic(Severity.WARNING, "S", "D", "F", "run.a", Source("f.toml", 3, 5))
    assert validation_json([found]) == {
        "format_version": "1.0",
        "valid": True,
        "error_count": 0,
        "warning_count": 1,
        "diagnostics": [
            {
                "severity": "warning",
                "summary": "S",
                "detail": "D F",
                "address": "run.a",
                "range": {"filename": "f.toml", "start": {"line": 3, "column": 5}},
            }
        ],
    }


def test_the_closing_line_of_the_contract() -> None:
    report = Report(done={Kind.CREATE: 3, Kind.REPLACE: 1, Kind.RETRY: 1, Kind.CANCEL: 1})
    report.endings = [Ending("run.a", str(n), RunStatus.SUCCEEDED, 0.5) for n in range(5)]
    report.endings.append(Ending("run.b", "f", RunStatus.FAILED))
    first, cost = closing_lines(report, PLAIN)
    assert first == "Apply complete: 3 created, 1 replaced, 1 retried, 1 cancelled. 5 succeeded, 1 failed."
    assert "$2.50" in cost


def test_an_interrupted_apply_says_how_to_go_on() -> None:
    text = "\n".join(closing_lines(Report(unfinished=2, interrupted="SIGINT"), PLAIN))
    assert "Apply incomplete" in text
    assert "2 still working" in text
    assert "`reconciler apply` goes on" in text


@pytest.mark.parametrize(
    ("event", "kind", "keys"),
    [
        (Submitted("run.a", "r", Kind.CREATE), "run_submitted", {"address", "run_id"}),
        (
            Progressed("run.a", "r", RunStatus.PROCESSING, 1, 0, 5, 1.0),
            "apply_progress",
            {"address", "run_id", "status", "samples_completed", "samples_failed", "elapsed_seconds"},
        ),
        (Progressed("run.a", "r", RunStatus.FAILED, 1, 0, 5, 1.0), "apply_complete", {"address", "run_id", "status"}),
        (Done("run.a", Kind.FORGET, "gone"), "apply_complete", {"address", "action"}),
        (Failed("run.a", "unknown", "who knows"), "apply_errored", {"address", "trouble"}),
        (Told("hm"), "diagnostic", set()),
    ],
)
def test_events_have_the_types_and_keys_of_the_contract(event: Event, kind: str, keys: set[str]) -> None:
    found = event_json(event, "2026-01-01T00:00:00Z")
    assert found["type"] == kind
    assert {"@level", "@message", "@timestamp", "type"} | keys <= set(found)
    assert json.loads(json.dumps(found)) == found
    assert summary_event(Report(), "x", 0, "t")["type"] == "summary"
