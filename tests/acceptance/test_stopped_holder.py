"""An apply on another machine that is stopped while it holds the state's lock, and wakes up when others went on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.project import Project, run, said
from tests.campaign.machines import Machine
from tests.postgres.server import Server
from tests.service import FakeService

pytestmark = pytest.mark.timeout(200)
SOON = {"RECONCILER_SETTLE_SECONDS": "0.1", "RECONCILER_DEAD_SECONDS": "0.5"}


@pytest.fixture
def machines(tmp_path: Path, service: FakeService, database: str) -> Iterator[tuple[Machine, Machine]]:
    """Two of them over one state, which declare three runs that are bought one after another."""
    made = Machine(tmp_path / "laptop", service.url, "laptop"), Machine(tmp_path / "runner", service.url, "runner")
    for machine in made:
        machine.declare(run("a"), run("b", 11), run("c", 12), apply="parallelism = 1")
        machine.env |= SOON | {"RECONCILER_STATE_URL": f"{database}?workspace=team&timeout=5"}
    yield made
    for machine in made:
        machine.close()


@contextmanager
def stopped(laptop: Machine, service: FakeService) -> Iterator[subprocess.Popen[str]]:
    """An apply that was stopped with its first create in flight, which the service then carries out."""
    with service.creates_held():
        process = laptop.start("apply", "--auto-approve")
        service.wait_for(lambda: len(service.creates) == 1)
        os.kill(process.pid, signal.SIGSTOP)
    service.wait_for(lambda: len(service.runs) == 1)
    yield process


def others_go_on(runner: Machine, service: FakeService, process: subprocess.Popen[str], database: str) -> str:
    """Another machine buys everything; then the first one wakes up. What that one says."""
    while (code := runner.run("apply", "--auto-approve").returncode) == 6:  # what is unknown takes time to be certain
        pass
    assert code == 0
    assert sorted(found.samples for found in service.runs.values()) == [10, 11, 12]
    before = records(database)
    os.kill(process.pid, signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, out + err
    assert records(database) == before
    assert len(service.creates) == 3
    assert service.run_of(10).id in out + err  # what it bought itself and could not record
    return out + err


def records(database: str) -> list[object]:
    """All that was decided."""
    import psycopg

    with psycopg.connect(database) as connection:
        return [
            connection.execute(f"SELECT * FROM reconciler.{table} ORDER BY 1, 2".encode()).fetchall()
            for table in ("attempts", "journal", "instances", "owed", "plan_actions", "events")
        ]


def test_its_lock_was_broken(machines: tuple[Machine, Machine], service: FakeService, database: str) -> None:
    laptop, runner = machines
    with stopped(laptop, service) as process:
        refused = said(runner.apply(code=5))
        assert f"@laptop (process {process.pid}," in refused
        lock_id = re.findall(r"lock ([0-9a-f]{12})", refused)[0]
        assert "@laptop" in runner.expect(0, "unlock", lock_id).stdout
        told = others_go_on(runner, service, process, database)
    assert re.search(r"lock was broken or taken over by \S+@runner", told), told
    assert_settled(laptop, runner, service)


def test_its_session_was_ended(
    machines: tuple[Machine, Machine], service: FakeService, database: str, postgres: Server
) -> None:
    laptop, runner = machines
    with stopped(laptop, service) as process:
        postgres.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'team'")
        told = others_go_on(runner, service, process, database)
    assert "the connection to it was lost" in told, told
    assert_settled(laptop, runner, service)


def assert_settled(laptop: Project, runner: Project, service: FakeService) -> None:
    """Both see the same and have nothing to do; what the first one kept aside is no news."""
    for machine in (laptop, runner):
        assert "taken in" not in said(machine.apply())
        machine.settled()
        assert {entry["run_id"] for entry in machine.output()} == set(service.run_ids)
    assert len(service.creates) == 3
