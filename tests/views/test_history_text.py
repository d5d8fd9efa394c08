"""The history: what is told of attempts and events, who did it, what it cost, and that it fits a terminal."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.views.history import History, history_json, history_text
from reconciler.views.paint import Paint, printable
from state.history import Entry
from state.records import ApplyRecord, EventRecord, Phase
from tests.state.samples import T0, T1, T2, T3, attempt

AUTHOR = ApplyRecord(
    "p1", "apply", T0, "ada", "laptop", "plan-1", "sha256:" + "ab" * 32, "1234567890abcdef" * 2, True, "feature/x"
)
HAND = ApplyRecord("p2", "state mv", T2, "ben", "ci")
BOUGHT = attempt(
    "a1", "run.x", 2, phase=Phase.ACCEPTED, apply_id="p1", run_id="r1", status="SUCCEEDED", samples_completed=1200,
    samples_failed=3, total_cost=12.5,
)  # fmt: skip
ACCEPTED = EventRecord("e1", T1, "accepted", "p1", "run.x", "a1", "r1", "create: run r1")
MOVED = EventRecord("e2", T2, "moved", "p2", "run.y", None, None, "it was run.x; moved by hand")


def text(*entries: Entry, width: int | None = None) -> str:
    return history_text(History(entries, {"p1": AUTHOR, "p2": HAND}), Paint(), width)


def test_an_attempt_is_told_with_what_its_command_did() -> None:
    assert text(BOUGHT, ACCEPTED, MOVED).splitlines() == [
        "Times are local (UTC).",
        "",
        "2025-01-01 00:00:00  run.x",
        "    attempt 2: run r1, SUCCEEDED, 1,200 samples, 3 failed, $12.50",
        "    accepted: create",
        "    ada@laptop, apply, plan abababababab, commit 1234567890ab on feature/x with changes",
        "",
        "2025-01-01 00:00:02  run.y",
        "    moved: it was run.x; moved by hand",
        "    ben@ci, state mv",
        "",
        "1 run, $12.50 in all.",
    ]


def test_what_another_command_did_stands_for_itself() -> None:
    lost = attempt("a1", "run.x", phase=Phase.ABANDONED, apply_id="p1", note="given up by a person")
    unknown = EventRecord("e1", T1, "unknown", "p1", "run.x", "a1", None, "create: timed out")
    given_up = EventRecord("e2", T2, "settled_abandoned", "p2", "run.x", "a1", None, "given up by a person")
    told = text(lost, unknown, given_up)
    first, second = told.split("2025-01-01 00:00:02")
    assert "attempt 1: given up\n    unknown: create: timed out\n    given up by a person\n    ada@laptop" in first
    assert "settled abandoned: given up by a person\n    ben@ci, state mv" in second
    assert told.endswith("No run was bought.\n")


def test_an_imported_run_has_the_author_of_its_event() -> None:
    imported = replace(BOUGHT, apply_id=None, imported=True)
    event = EventRecord("e1", T1, "imported", "p2", "run.x", "a1", "r1", "run r1 was adopted")
    assert "imported: run r1 was adopted\n    ben@ci, state mv" in text(imported, event)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"phase": Phase.PREPARED}, "not sent"),
        ({"phase": Phase.SENDING}, "nobody knows yet whether it was bought"),
        ({"phase": Phase.UNKNOWN, "note": "HTTP 500"}, "nobody knows yet whether it was bought\n    HTTP 500"),
        ({"phase": Phase.REJECTED, "note": "no such spec"}, "refused by the service\n    no such spec"),
        ({"phase": Phase.ACCEPTED, "run_id": "r"}, "run r, not looked at yet"),
        ({"phase": Phase.ACCEPTED, "run_id": "r", "status": "FAILED"}, "run r, FAILED, cost not known"),
        ({"phase": Phase.ACCEPTED, "run_id": "r", "provisional": True}, "adopted provisionally"),
        ({"phase": Phase.ACCEPTED, "run_id": "r", "status": "PENDING", "gone_at": T1}, "gone from the service"),
    ],
)
def test_how_an_attempt_stands(changes: dict[str, Any], said: str) -> None:
    assert said in text(attempt(**changes))


def test_costs_that_are_not_known_are_not_nothing() -> None:
    other = attempt("a2", number=2, phase=Phase.ACCEPTED, run_id="r2")
    assert text(BOUGHT, other).endswith("2 runs, $12.50 in all; the cost of 1 is not known.\n")
    assert text() == "Nothing has happened yet.\n"


def test_an_override_says_who_and_why() -> None:
    event = EventRecord("e", T3, "override", "p1", None, None, None, "max_cost_usd: the board agreed")
    told = text(event)
    assert "2025-01-01 00:00:03  the state\n    override: max_cost_usd: the board agreed\n    ada@laptop, apply" in told


@pytest.mark.parametrize("colour", [False, True])
def test_on_a_terminal_nothing_is_wider_than_it_is(colour: bool) -> None:
    long = replace(BOUGHT, address=f'run.sweep["{"generation_model=anthropic/claude," * 5}"]', note="word " * 60)
    evil = replace(ACCEPTED, attempt_id=None, message="x" * 300 + "\n\x1b[2J")
    history = History([long, evil, MOVED], {"p1": AUTHOR})
    told = printable(history_text(history, Paint(colour), 80))
    bare = told.replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert max(map(len, bare.splitlines())) <= 80
    assert ("\x1b[1m" in told) == colour
    assert "\x1b[2J" not in told
    assert max(map(len, history_text(history, Paint()).splitlines())) > 300  # a pipe gets each detail on one line


def test_as_json_times_are_utc_and_nothing_is_folded() -> None:
    made = history_json(History([BOUGHT, ACCEPTED, MOVED], {"p1": AUTHOR}))
    first, second, third = made["entries"]
    assert (made["runs"], made["total_cost_usd"], made["runs_of_unknown_cost"]) == (1, 12.5, 0)
    assert [one["kind"] for one in made["entries"]] == ["attempt", "event", "event"]
    assert (first["at"], first["attempt"], first["status"], first["total_cost"]) == (T0, 2, "SUCCEEDED", 12.5)
    assert (second["type"], second["run_id"], second["status"]) == ("accepted", "r1", "SUCCEEDED")
    assert first["by"] == {
        "user": "ada", "host": "laptop", "command": "apply", "started_at": T0, "plan_id": "plan-1",
        "plan_digest": AUTHOR.plan_digest,
        "git": {"commit": AUTHOR.git_commit, "branch": "feature/x", "dirty": True},
    }  # fmt: skip
    assert (third["by"], third["attempt"], third["run_id"], third["phase"]) == (None, None, None, None)
    assert first.keys() == second.keys() == third.keys()
