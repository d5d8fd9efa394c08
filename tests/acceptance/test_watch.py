"""The controller: a branch is followed, and what it declares is bought once, within what the operator allows."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from tests.acceptance.project import Project, run
from tests.acceptance.watching import TOKEN, Repository, Watcher
from tests.service import FakeService


@pytest.fixture
def repository(project: Project) -> Repository:
    return Repository(project)


def reconciler_at(project: Project, watcher: Watcher) -> Project:
    """The command line in the folder where a SQLite state of the controller is."""
    project.root = watcher.root
    return project


def test_a_push_is_applied_and_a_revert_buys_nothing(
    project: Project, repository: Repository, service: FakeService
) -> None:
    first = repository.push(run("a", 10))
    watcher = Watcher(project, repository).start()
    applied = watcher.wait("watch_applied")
    assert (applied["commit"], applied["done"]["create"]) == (first, 1)
    watcher.wait("watch_passed")
    repository.push(run("a", 10), run("b", 20))
    assert watcher.pass_()["outcome"] == "applied"
    assert [body["number_of_samples"] for body in service.bodies] == [10, 20]
    repository.revert()
    assert watcher.pass_()["outcome"] == "applied"  # b is recorded no more
    repository.revert()
    assert watcher.pass_()["outcome"] == "applied"
    assert len(service.creates) == 2
    (reused,) = [item for item in reconciler_at(project, watcher).output() if item["address"] == "run.b"]
    assert reused["run_id"] == service.run_of(20).id
    assert watcher.pass_()["outcome"] == "unchanged"
    assert watcher.end() == 0


def test_each_controller_has_a_folder_of_its_own(project: Project, repository: Repository) -> None:
    repository.push(run("a", 10))
    watcher = Watcher(project, repository).start()
    project.root = watcher.folder
    said = project.expect(1, "watch", "--once", env={"WATCH_TOKEN": "x"}).stderr
    assert "Another controller works in" in said
    watcher.kill()
    project.expect(0, "watch", "--once", env={"WATCH_TOKEN": "x"})


def test_the_commit_stands_beside_what_it_bought(project: Project, repository: Repository) -> None:
    commit = repository.push(run("a", 10))
    watcher = Watcher(project, repository).start()
    watcher.wait("watch_passed")
    watcher.end()
    said = reconciler_at(project, watcher).expect(0, "history", "--json").stdout
    assert commit in said


def test_an_empty_tree_does_nothing_and_says_so(project: Project, repository: Repository, service: FakeService) -> None:
    first = repository.push(run("a", 10))
    watcher = Watcher(project, repository, settings="").start()
    watcher.wait("watch_passed")
    repository.empty()
    watcher.post("reconcile")
    refused = watcher.wait("watch_refused")
    assert refused["stays"] == first
    assert "reconciler.toml" in refused["problems"][0]
    assert watcher.wait("watch_passed")["outcome"] == "unchanged"
    assert (len(service.creates), service.cancels, service.deletes) == (1, [], [])
    assert len(reconciler_at(project, watcher).output()) == 1


def test_a_broken_file_keeps_the_last_good_revision(
    project: Project, repository: Repository, service: FakeService
) -> None:
    first = repository.push(run("a", 10))
    watcher = Watcher(project, repository).start()
    watcher.wait("watch_passed")
    repository.push_text((repository.desk / "reconciler.toml").read_text() + '\n[run.b]\nspec = "tickets\n')
    watcher.post("reconcile")
    refused = watcher.wait("watch_refused")
    line = len((repository.desk / "reconciler.toml").read_text().splitlines())
    assert refused["stays"] == first
    assert refused["problems"][0].startswith(f"reconciler.toml:{line}:")
    watcher.wait("watch_passed")
    status = watcher.get("status").json()
    assert status["revision"] == first
    assert "source" in status["troubles"]
    repository.push(run("a", 10), run("b", 20))
    assert watcher.pass_()["outcome"] == "applied"
    assert watcher.get("status").json()["troubles"] == {}
    assert len(service.creates) == 2


def test_runs_that_come_to_rest_are_told(project: Project, repository: Repository, service: FakeService) -> None:
    service.polls = None
    repository.push(run("a", 10), run("b", 20))
    watcher = Watcher(project, repository).start()
    watcher.wait("watch_passed")
    assert watcher.get("status").json()["planned"]["actions"]["create"] == 0  # what was applied pends no more
    service.finish(service.run_of(10).id, "FAILED")
    watcher.post("reconcile")
    rested = watcher.wait("watch_rested")
    assert [(one["address"], one["status"]) for one in rested["endings"]] == [("run.a", "FAILED")]
    watcher.wait("watch_passed")
    service.finish(service.run_of(20).id)
    watcher.post("reconcile")
    assert [one["address"] for one in watcher.wait("watch_rested")["endings"]] == ["run.b"]
    watcher.end()


def test_what_came_to_rest_between_two_starts_is_told(
    project: Project, repository: Repository, service: FakeService
) -> None:
    service.polls = None
    repository.push(run("a", 10))
    watcher = Watcher(project, repository).start()
    watcher.wait("watch_passed")
    watcher.end()
    service.finish(service.run_of(10).id, "FAILED")
    project.root = watcher.folder
    told = project.expect(0, "watch", "--once", env={"WATCH_TOKEN": TOKEN}).stdout
    assert "1 run rests: 1 FAILED." in told


def test_a_single_pass_listens_nowhere_and_its_exit_code_says_what_failed(
    project: Project, repository: Repository, service: FakeService
) -> None:
    repository.push(run("a", 10))
    watcher = Watcher(project, repository, mode="report").start()
    watcher.wait("watch_passed")
    other = Watcher(project, repository, "other", mode="report")
    settings = other.folder / "watch.toml"
    settings.write_text(settings.read_text().replace("127.0.0.1:0", watcher.url.removeprefix("http://")))
    project.root = other.folder
    env = {"WATCH_TOKEN": TOKEN}
    assert "create run.a: 10 samples" in project.expect(0, "watch", "--once", env=env).stdout  # the port is taken
    repository.push_text("[run.b\n")
    assert "reconciler.toml:1:7" in project.expect(1, "watch", "--once", env=env).stdout
    assert service.creates == []


@pytest.mark.parametrize("package", ["cronsim", "prometheus_client", "uvicorn"])
def test_without_its_extra(project: Project, package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; from reconciler.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "watch", "--once"],
        env=project.environment(), cwd=project.elsewhere, capture_output=True, text=True, timeout=40, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "pip install 'reconciler[watch]'" in done.stderr


def test_a_report_buys_nothing(project: Project, repository: Repository, service: FakeService) -> None:
    repository.push(run("a", 10))
    watcher = Watcher(project, repository, mode="report").start()
    waits = watcher.wait("watch_waits")
    assert waits["planned"]["actions"]["create"] == 1
    assert watcher.wait("watch_passed")["outcome"] == "held"
    assert service.creates == []
    assert not (watcher.root / "state").exists()


def test_a_plan_waits_for_its_approval(project: Project, repository: Repository, service: FakeService) -> None:
    repository.push(run("a", 10))
    watcher = Watcher(project, repository, mode="approve").start()
    digest = watcher.wait("watch_waits")["planned"]["digest"]
    assert watcher.wait("watch_passed")["outcome"] == "held"
    assert service.creates == []
    reconciler_at(project, watcher).expect(0, "approve", digest, "--reason", "agreed")
    watcher.post("reconcile")
    applied = watcher.wait("watch_applied")
    assert (applied["digest"], applied["done"]["create"]) == (digest, 1)
    assert "@" in applied["approved_by"]
    watcher.wait("watch_passed")
    repository.push(run("a", 11))  # another plan: the approval was of that one
    assert watcher.pass_()["outcome"] == "held"
    assert len(service.creates) == 1


def test_what_would_be_cancelled_needs_a_person(project: Project, repository: Repository, service: FakeService) -> None:
    service.polls = None
    repository.push(run("a", 10), run("b", 20))
    watcher = Watcher(project, repository).start()
    watcher.wait("watch_passed")
    repository.push(run("a", 10))
    watcher.post("reconcile")
    waits = watcher.wait("watch_waits")
    assert waits["held"]["why"] == "prune"
    watcher.wait("watch_passed")
    assert service.cancels == []
    assert watcher.post("approve", {"digest": waits["planned"]["digest"], "reason": "it was a slip"}).status_code == 200
    assert watcher.pass_()["outcome"] == "applied"
    assert service.cancels == [service.run_of(20).id]


def test_caps_hold_over_several_revisions(project: Project, repository: Repository, service: FakeService) -> None:
    repository.push(run("a", 10))
    watcher = Watcher(project, repository, settings='[caps]\nwindow = "24h"\nmax_runs = 2\n').start()
    watcher.wait("watch_passed")
    repository.push(run("a", 10), run("b", 20), run("c", 30))
    watcher.post("reconcile")
    assert watcher.wait("watch_waits")["held"]["why"] == "cap"
    watcher.wait("watch_passed")
    repository.push(run("a", 10), run("b", 20))
    assert watcher.pass_()["outcome"] == "applied"
    assert len(service.creates) == 2


def test_a_deny_window_lets_nothing_through(project: Project, repository: Repository, service: FakeService) -> None:
    repository.push(run("a", 10))
    always = '[[deny]]\nstart = "* * * * *"\nduration = "24h"\nreason = "inventory"\n'
    watcher = Watcher(project, repository, settings=always).start()
    waits = watcher.wait("watch_waits")
    assert waits["held"]["why"] == "window"
    assert "inventory" in waits["held"]["message"]
    assert watcher.wait("watch_passed")["outcome"] == "held"
    assert service.creates == []


def test_an_address_is_suspended_and_resumed(project: Project, repository: Repository, service: FakeService) -> None:
    repository.push(run("a", 10))
    watcher = Watcher(project, repository).start()
    watcher.wait("watch_passed")
    reconciler_at(project, watcher).expect(0, "suspend", "run.b", "--reason", "not yet", "--for", "8h")
    repository.push(run("a", 10), run("b", 20), run("c", 30))
    assert watcher.pass_()["outcome"] == "applied"
    assert [body["number_of_samples"] for body in service.bodies] == [10, 30]
    project.expect(0, "suspend", "--reason", "the bill is looked at")
    repository.push(run("a", 10), run("b", 20), run("c", 30), run("d", 40))
    watcher.post("reconcile")
    assert watcher.wait("watch_waits")["held"]["why"] == "suspended"
    watcher.wait("watch_passed")
    project.expect(0, "resume")
    assert watcher.pass_()["outcome"] == "applied"
    assert sorted(body["number_of_samples"] for body in service.bodies) == [10, 20, 30, 40]


def test_what_is_gone_is_not_bought_again(project: Project, repository: Repository, service: FakeService) -> None:
    service.polls = None
    repository.push(run("a", 10))
    watcher = Watcher(project, repository).start()
    watcher.wait("watch_passed")
    service.forget(service.run_ids[0])
    for _ in range(3):
        assert watcher.pass_()["outcome"] == "unchanged"
    assert len(service.creates) == 1


def test_sigterm_finishes_what_is_in_flight(project: Project, repository: Repository, service: FakeService) -> None:
    repository.push(*(run(f"r{number}", number) for number in range(1, 40)))
    with service.creates_held():
        watcher = Watcher(project, repository).start()
        service.wait_for(lambda: len(service.creates) >= 2)
        assert watcher.process is not None
        watcher.process.terminate()
        threading.Event().wait(0.3)
    assert watcher.process.wait(30) == 0
    recorded = [item["run_id"] for item in reconciler_at(project, watcher).output()]
    assert sorted(recorded) == sorted(service.run_ids)
    assert len(service.run_ids) < 39


@pytest.fixture
def replicas(project: Project, repository: Repository, database: str) -> tuple[Watcher, Watcher]:
    """Two controllers of one state in PostgreSQL; the first one leads."""
    project.env |= {
        "RECONCILER_STATE_URL": database,
        "RECONCILER_SETTLE_SECONDS": "1",
        "RECONCILER_DEAD_SECONDS": "2",
    }
    first, second = (
        Watcher(
            project, repository, name, interval="2s", settings='[project]\nstate = { env = "RECONCILER_STATE_URL" }\n'
        )
        for name in ("first", "second")
    )
    repository.push(run("a", 10))
    first.start().wait("watch_led", lambda event: bool(event["leader"]))
    first.wait("watch_passed")
    second.start().wait("watch_passed", lambda event: event["outcome"] == "standby")
    return first, second


def test_the_other_replica_takes_over_in_the_middle_of_submissions(
    project: Project, repository: Repository, service: FakeService, replicas: tuple[Watcher, Watcher]
) -> None:
    first, second = replicas
    with service.creates_held():
        # What was on its way and never arrived is sent again only where the project says so.
        again = '\n[apply]\nresubmit_absent_after = "2s"\n'
        repository.push(run("a", 10), *(run(f"r{number}", 100 + number) for number in range(30)), limits=again)
        service.wait_for(lambda: len(service.creates) >= 4)
        first.kill()
    second.wait("watch_led", lambda event: bool(event["leader"]))
    second.wait("watch_passed", lambda event: event["outcome"] == "unchanged")
    project.root = second.root
    for _ in range(10):  # what was in flight is settled in a later pass
        if len(project.output()) == 31:
            break
        second.wait("watch_passed")
    assert sorted(made.samples for made in service.runs.values()) == [10, *range(100, 130)]
    second.end()
    assert sorted(item["run_id"] for item in project.output()) == sorted(service.run_ids)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_state_that_vanishes_is_not_begun_anew(
    project: Project, repository: Repository, service: FakeService, restarted: bool
) -> None:
    repository.push(run("a", 10))
    watcher = Watcher(project, repository).start()
    watcher.wait("watch_passed")
    reconciler_at(project, watcher).expect(0, "suspend", "--reason", "the bill is looked at")
    backup = project.folder / "backup.db"
    project.expect(0, "state", "backup", "--out", str(backup))
    if restarted:
        watcher.end()
    for left in (watcher.root / ".reconciler").glob("state.db*"):
        if restarted or not left.name.endswith(".leader"):
            left.unlink()
    repository.push(run("b", 20))
    if restarted:
        watcher.start()
    else:
        watcher.post("reconcile")
    stumbled = watcher.wait("watch_stumbled", lambda event: event["part"] == "state")
    assert "is gone" in stumbled["message"]
    watcher.wait("watch_passed")
    assert not (watcher.root / ".reconciler" / "state.db").exists()
    assert len(service.creates) == 1
    project.expect(0, "state", "restore", str(backup))
    watcher.end()
    waits = watcher.start().wait("watch_waits")
    assert waits["held"]["why"] == "suspended"
    assert len(service.creates) == 1
