"""``apply`` does the plan, records every run id, follows to the end, and can be repeated."""

from __future__ import annotations

import re
import time

import pytest

from tests.acceptance.project import Project, run, said
from tests.service import RUNS, FakeService, answers


def test_three_runs_are_made_followed_and_recorded(project: Project, service: FakeService) -> None:
    service.polls = 3
    project.declare(run("a"), run("b", 11), run("c", 12))
    done = project.apply()
    assert re.search(r"Apply complete: 3 created\. 3 succeeded", done.stdout), done.stdout
    recorded = {entry["address"]: entry for entry in project.output()}
    assert {name: entry["run_id"] for name, entry in recorded.items()} == {
        f"run.{name}": service.run_of(number).id for name, number in (("a", 10), ("b", 11), ("c", 12))
    }
    for entry in recorded.values():
        assert entry["run_id"] in done.stdout
        assert entry["status"] == "SUCCEEDED"
    project.settled()
    assert "No changes. 3 runs are as declared." in project.apply().stdout
    assert len(service.creates) == 3


def test_no_wait_leaves_and_the_next_apply_follows(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"))
    project.apply("--no-wait")
    assert {entry["status"] for entry in project.output()} <= {"PENDING", "PROCESSING"}
    service.polls = 2
    service.runs[service.run_ids[0]].polls = 3
    project.apply()
    assert len(service.creates) == 1
    assert [entry["status"] for entry in project.output()] == ["SUCCEEDED"]


def test_wait_timeout_gives_7_and_loses_nothing(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"))
    began = time.monotonic()
    project.apply("--wait-timeout", "1s", code=7)
    assert time.monotonic() - began < 10
    service.finish(service.run_ids[0])
    project.apply()
    assert len(service.creates) == 1
    assert [entry["run_id"] for entry in project.output()] == service.run_ids


def test_a_run_that_fails_gives_7_once(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"), run("b", 11))
    process = project.start("apply", "--auto-approve")
    service.wait_for(lambda: len(service.runs) == 2)
    service.finish(service.run_of(10).id, "FAILED")
    service.finish(service.run_of(11).id)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 7, out + err
    assert "1 succeeded, 1 failed" in out
    project.apply()
    assert len(service.creates) == 2


@pytest.mark.parametrize(("status", "completed"), [("CANCELED", 0), ("SUCCEEDED", 4)], ids=["canceled", "too-few"])
def test_a_run_that_ends_unmet_gives_7(project: Project, service: FakeService, status: str, completed: int) -> None:
    service.polls = None
    project.declare(run("a", lifecycle={"min_samples": 5}))
    process = project.start("apply", "--auto-approve")
    service.wait_for(lambda: len(service.runs) == 1)
    service.finish(service.run_ids[0], status, completed=completed)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 7, out + err


def test_a_rejected_address_fails_and_the_others_go_on(project: Project, service: FakeService) -> None:
    service.script_create(answers.refused(422, "skip_outline: \x1b[31mnot here"), samples=11)
    project.declare(run("a"), run("b", 11), run("c", 12))
    done = project.apply(code=1)
    assert "run.b" in said(done)
    assert "not here" in said(done)
    assert "\x1b" not in said(done)
    assert sorted(body["number_of_samples"] for body in service.bodies) == [10, 11, 12]
    assert {entry["address"] for entry in project.output() if entry["status"] == "SUCCEEDED"} == {"run.a", "run.c"}
    project.apply()
    assert len(service.creates) == 4


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_key_or_account_stops_submitting(project: Project, service: FakeService, status: int) -> None:
    service.script_create(*[answers.refused(status, "account says no")] * 20)
    project.declare(*[run(f"r{n}", 10 + n) for n in range(8)], apply="parallelism = 1")
    assert "account says no" in said(project.apply(code=1))
    assert len(service.creates) == 1


@pytest.mark.parametrize(
    "answer",
    [answers.slow_down("1"), answers.unavailable("1"), answers.refused(425, "later", {"Retry-After": "1"})],
    ids=["429", "503", "425"],
)
def test_rejected_for_now_is_waited_for_and_bought_once(
    project: Project, service: FakeService, answer: answers.Answer
) -> None:
    service.script_create(answer)
    project.declare(run("a"))
    project.apply()
    first, second = service.creates
    assert second.at - first.at >= 0.9
    assert first.json == second.json
    assert len(service.runs) == 1
    project.settled()


def test_429_without_retry_after_is_waited_for_as_well(project: Project, service: FakeService) -> None:
    service.script_create(answers.slow_down(None))
    project.declare(run("a"))
    project.apply()
    assert (len(service.creates), len(service.runs)) == (2, 1)


def test_a_slowdown_slows_every_submitter(project: Project, service: FakeService) -> None:
    service.script_create(answers.slow_down("2"))
    project.declare(*[run(f"r{n}", 10 + n) for n in range(4)], apply="parallelism = 1")
    project.apply("--no-wait")
    assert len(service.runs) == 4
    assert all(request.at - service.creates[0].at >= 1.9 for request in service.creates[1:])


def test_a_service_that_is_away_fails_and_nothing_counts_as_sent(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    service.stop()
    done = project.apply(code=1)
    assert service.url.removeprefix("http://") in said(done)
    service.start()
    assert project.plan().decision("run.a") == ("create", ["create"])
    project.apply()
    assert len(service.creates) == 1


def test_a_service_that_goes_away_between_plan_and_submission_is_not_unknown(
    project: Project, service: FakeService
) -> None:
    project.declare(run("a"))
    saved = str(project.folder / "saved.plan")
    project.expect(0, "plan", "--out", saved)
    service.stop()
    project.expect(1, "apply", saved)
    service.start()
    project.apply()
    assert (len(service.creates), len(service.runs)) == (1, 1)


def test_many_working_runs_are_followed_by_the_list(project: Project, service: FakeService) -> None:
    service.polls = 4
    project.declare(*[run(f"r{n}", 100 + n) for n in range(40)], apply="parallelism = 20")
    project.apply()
    singles = service.calls("GET", f"{RUNS}[^/]+/")
    lists = service.calls("GET", RUNS)
    assert len(lists) >= 3
    assert len(singles) <= 2 * 40, "each may be fetched when it is final, not at every look"


def test_a_list_that_hiccups_while_following_is_asked_again(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"))
    process = project.start("apply", "--auto-approve")
    service.wait_for(lambda: len(service.runs) == 1)
    service.stop()
    time.sleep(0.7)
    service.start()
    service.finish(service.run_ids[0])
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, out + err
    assert len(service.creates) == 1
