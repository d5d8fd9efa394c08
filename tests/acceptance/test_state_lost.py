"""A state that was lost, restored or is about to vanish buys nothing again; what exists can be adopted."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

from tests.acceptance.project import MODEL, Project, run, said
from tests.service import TICKETS, FakeService, answers


def body(samples: int, **fields: object) -> dict[str, object]:
    return {"spec_id": TICKETS, "number_of_samples": samples, "generation_model": MODEL, **fields}


def lose_the_state(project: Project) -> None:
    shutil.rmtree(project.root / ".reconciler")


def test_deleting_the_state_buys_nothing(project: Project, service: FakeService) -> None:
    project.declare(run("a"), run("b", 11))
    project.apply()
    lose_the_state(project)
    planned = project.expect(1, "plan")
    assert all(run_id in said(planned) for run_id in service.run_ids)
    assert "import --match" in said(planned)
    assert "init --fresh" in said(planned)
    project.apply(code=1)
    assert len(service.creates) == 2

    adopted = project.expect(0, "import", "--match").stdout
    assert all(run_id in adopted for run_id in service.run_ids)
    project.settled()
    project.apply()
    assert {entry["run_id"] for entry in project.output()} == set(service.run_ids)
    assert len(service.creates) == 2


def test_a_run_at_work_is_adopted_as_well(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"))
    project.apply("--no-wait")
    lose_the_state(project)
    assert "would be adopted" in project.expect(0, "import", "--match", "--dry-run").stdout
    project.expect(1, "plan")
    project.expect(0, "import", "--match")
    service.finish(service.run_ids[0])
    project.apply()
    assert len(service.creates) == 1


def test_a_fresh_state_is_made_on_purpose(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    lose_the_state(project)
    project.expect(0, "init", "--fresh")
    project.apply()
    assert len(service.creates) == 2
    assert "not fresh" in said(project.expect(1, "init", "--fresh"))


def test_runs_that_would_not_do_keep_nobody_back(project: Project, service: FakeService) -> None:
    service.add_run(body(10), "FAILED")
    service.add_run(body(10), "CANCELED")
    service.add_run(body(99))
    service.add_run(body(10, tools=["calculator"]))
    project.declare(run("a", tools=[]))
    project.apply()
    assert len(service.creates) == 1


def test_it_is_asked_once(project: Project, service: FakeService) -> None:
    """A colleague's run that comes later is no sign of a lost state."""
    project.declare(run("a"))
    project.apply()
    service.add_run(body(20))
    project.declare(run("a"), run("b", 20))
    project.apply()
    assert len(service.creates) == 2


def test_a_restored_state_buys_nothing_again(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    project.declare(run("a"), run("b", 11))
    project.apply()
    project.expect(0, "plan", "--out", str(project.folder / "before.plan"))
    project.expect(0, "state", "restore")
    assert [entry["address"] for entry in project.output()] == ["run.a"]
    told = said(project.apply(code=1))
    assert service.run_of(11).id in told
    assert "init --fresh" not in told, "not offered: this state has attempts"
    project.apply("--no-refresh", code=1)
    assert len(service.creates) == 2
    project.expect(0, "import", "--match")
    project.settled()
    assert len(service.creates) == 2


def test_a_run_that_an_unknown_submission_waits_for_is_not_lost(project: Project, service: FakeService) -> None:
    """Another declaration that asks for the very same is bought, and told nothing of a lost state."""
    project.env |= {"RECONCILER_SETTLE_SECONDS": "3600", "RECONCILER_DEAD_SECONDS": "7200"}
    service.script_create(answers.dropped())
    project.declare(run("a"))
    project.apply("--no-wait", code=6)
    copy = str(project.folder / "copy.db")
    project.expect(0, "state", "backup", "--out", copy)
    project.expect(0, "state", "restore", copy)
    project.declare(run("a"), run("b"))
    assert "would do" not in said(project.expect(0, "plan"))
    project.apply("--no-wait", code=6)
    assert [entry["address"] for entry in project.output()] == ["run.b"]
    assert len(service.creates) == 2


def test_a_saved_plan_over_a_restored_state_buys_nothing_again(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    project.declare(run("a"), run("b", 11))
    saved = str(project.folder / "saved.plan")
    project.expect(0, "plan", "--out", saved)
    project.expect(0, "apply", saved)
    project.expect(0, "state", "restore")
    assert service.run_of(11).id in said(project.expect(1, "apply", saved))
    assert len(service.creates) == 2


def test_an_older_copy_of_the_state_is_noticed(project: Project, service: FakeService) -> None:
    """Somebody put yesterday's file back by hand: this machine remembers a higher serial."""
    database, copy = project.root / ".reconciler" / "state.db", project.folder / "yesterday.db"
    project.declare(run("a"))
    project.apply()
    with sqlite3.connect(database) as live, sqlite3.connect(copy) as kept:
        live.backup(kept)
    project.declare(run("a"), run("b", 11))
    project.apply()
    for path in (project.root / ".reconciler").glob("state.db*"):
        path.unlink()
    shutil.copy(copy, database)
    database.chmod(0o600)
    assert service.run_of(11).id in said(project.apply(code=1))
    assert len(service.creates) == 2


def test_import_of_one_run(project: Project, service: FakeService) -> None:
    right, wrong = service.add_run(body(10)).id, service.add_run(body(20)).id
    failed = service.add_run(body(10), "FAILED").id
    project.declare(run("a"))
    assert "number_of_samples is 20, declared 10" in said(project.expect(1, "import", "run.a", wrong))
    assert "FAILED" in said(project.expect(1, "import", "run.a", failed))
    assert "not declared" in said(project.expect(1, "import", "run.b", right))
    assert "no run" in said(project.expect(1, "import", "run.a", "00000000-0000-4000-8000-000000000000"))
    project.expect(0, "import", "run.a", right)
    assert "already" in said(project.expect(0, "import", "run.a", right))
    project.settled()
    project.apply()
    assert service.creates == []
    assert [entry["run_id"] for entry in project.output()] == [right]
    project.declare(run("a"), run("b"))
    assert "belongs to run.a" in said(project.expect(1, "import", "run.b", right))


@pytest.mark.parametrize("arguments", [(), ("run.a",), ("run.a", "x", "--match"), ("run.a", "x", "--dry-run")])
def test_import_takes_one_or_all(project: Project, arguments: tuple[str, ...]) -> None:
    project.declare(run("a"))
    project.expect(1, "import", *arguments)


def test_ci_refuses_a_state_that_would_vanish(project: Project, service: FakeService) -> None:
    project.env["CI"] = "true"
    project.declare(run("a"))
    for command in (("plan",), ("apply", "--auto-approve")):
        assert "PostgreSQL" in said(project.expect(1, *command))
    project.expect(0, "plan", "--offline")
    assert service.creates == []
    project.expect(0, "init", "--fresh")
    project.apply()
    assert len(service.creates) == 1


@pytest.mark.parametrize("finished", [0, 3])
def test_a_wrong_key_declares_nothing_gone(project: Project, service: FakeService, finished: int) -> None:
    service.polls = None
    project.declare(*(run(f"r{n}", 10 + n) for n in range(6 + finished)))
    project.apply("--no-wait")
    for run_id in service.run_ids[:finished]:
        service.finish(run_id)
    hidden, service.runs = service.runs, {}
    for command in (("plan",), ("refresh",), ("apply", "--auto-approve")):
        told = said(project.expect(1, *command))
        assert "another account" in told
        assert "--accept-missing" in told
    service.runs = hidden
    assert project.plan().unmet() == []
    service.runs = {}
    project.expect(0, "refresh", "--accept-missing")
    assert len(project.plan().unmet()) == 6 + finished
    service.runs = hidden
    project.expect(0, "refresh")
    assert project.plan().unmet() == []
    assert len(service.creates) == 6 + finished
