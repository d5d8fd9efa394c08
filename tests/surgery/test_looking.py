"""``state list``, ``state show``, ``output``, ``history``: addresses as people type them, and what is told of them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from reconciler.project import Project
from tests.acceptance.project import line_with, tree
from tests.surgery.conftest import Run

ALL = ["run.changed", "run.done", "run.kept", "run.lost", 'run.m["x"]', 'run.m["y"]', "run.working"]


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ([], ALL),
        (["run.m"], ALL[4:6]),
        (["run.m[x]", "run.done"], ["run.done", 'run.m["x"]']),
        (["run.*e*"], ["run.changed", "run.done", "run.kept"]),
        (["*[\"?\"]"], ALL[4:6]),
    ],
)  # fmt: skip
def test_list_names_addresses_one_a_line(run: Run, patterns: list[str], found: list[str]) -> None:
    assert run("state", "list", *patterns).out.splitlines() == found
    listed = json.loads(run("state", "list", "--json", *patterns).out)
    assert [one["address"] for one in listed] == found
    assert {one["recorded_at"] for one in listed} == {"2025-01-01T00:00:01+00:00"}
    if patterns:
        assert [one["address"] for one in json.loads(run("output", "--json", *patterns).out)] == found


def test_the_long_list_is_for_people(run: Run) -> None:
    told = run("state", "list", "-l", "run.done", "run.lost").out.splitlines()
    assert told[0].split() == ["ADDRESS", "STATUS", "SAMPLES", "COST", "RUN", "RECORDED"]
    assert told[1].split() == ["run.done", "SUCCEEDED", "10", "$1.50", "r-done", "2025-01-01", "01:00:01"]
    assert told[2].split()[:2] == ["run.lost", "-"]
    assert told[3] == "Times are local (UTC+01:00)."


@pytest.mark.parametrize("command", [("state", "list"), ("output",), ("history",), ("state", "show")])
def test_what_names_nothing_is_an_error_with_a_guess(run: Run, command: tuple[str, ...]) -> None:
    done = run(*command, "run.workin")
    assert (done.code, done.out) == (1, "")
    assert "Did you mean run.working?" in done.err


def test_show_tells_everything_of_one_address(run: Run) -> None:
    told = run("state", "show", "run.done").out
    for part in ("run.done\n", "recorded   2025-01-01 01:00:01", "declared   reconciler.toml:7", "protect = false",
                 "run        r-done", "status     SUCCEEDED", "samples    10 completed, 0 failed", "cost       $1.50",
                 "number_of_samples: 10", "1  2025-01-01 01:00:00  run r-done, SUCCEEDED, 10 samples, $1.50",
                 "ada@laptop, apply"):  # fmt: skip
        assert part in told
    assert told.endswith("Times are local (UTC+01:00).\n")
    found = json.loads(run("state", "show", "run.done", "--json").out)
    assert (found["recorded"], found["declared"], found["current_attempt"]) == (True, "reconciler.toml:7", 1)
    (attempt,) = found["attempts"]
    assert attempt["sent"]["number_of_samples"] == 10
    assert (attempt["prepared_at"], attempt["by"]["user"]) == ("2025-01-01T00:00:00+00:00", "ada")


def test_show_knows_what_was_forgotten_and_what_is_not_certain(run: Run) -> None:
    assert "forgotten: its attempts are kept" in run("state", "show", "run.gone").out
    assert "cost not known" in run("state", "show", "run.gone").out
    assert "nobody knows yet whether it was bought" in run("state", "show", "run.lost").out
    assert "! run r-old is still to be cancelled (replaced)" in run("state", "show", "run.working").out
    assert "name one" in run("state", "show", "run.m").err


def test_the_history_of_some_and_of_all(run: Run) -> None:
    told = run("history", "run.done", "run.gone").out
    assert "2025-01-01 01:00:00  run.gone" in told
    assert "created: hello" in told
    assert told.endswith("2 runs, $1.50 in all; the cost of 1 is not known.\n")
    whole = json.loads(run("history", "--json").out)
    assert (len(whole["entries"]), whole["runs"], whole["total_cost_usd"]) == (9, 7, 9.0)
    newest = json.loads(run("history", "--json", "--limit", "2").out)["entries"]
    assert newest == whole["entries"][-2:]
    assert line_with(run("history", "run.lost").out, "attempt 1: nobody knows yet whether it was bought")


def test_looking_writes_nothing(run: Run, project: Project) -> None:
    before = tree(project.root, project.root.parent / "data")
    for command in (["state", "list", "-l"], ["state", "show", "run.done"], ["history"], ["output"]):
        assert run(*command).code == 0
    assert tree(project.root, project.root.parent / "data") == before


def test_without_a_state_there_is_nothing(run: Run, project: Project) -> None:
    for file in (project.root / ".reconciler").rglob("*.db*"):
        file.unlink()
    assert run("state", "list") == (0, "", "")
    assert run("state", "list", "--json").out == "[]\n"
    assert run("history").out == "Nothing has happened yet.\n"
    assert json.loads(run("history", "--json").out)["entries"] == []
    for command in (["list", "run.x"], ["show", "run.x"], ["mv", "run.x", "run.y"], ["rm", "run.x"]):
        done = run("state", *command)
        assert (done.code, done.out) == (1, "")
    assert run("history", "run.x").code == 1
    assert not list((project.root / ".reconciler").rglob("*.db*"))
