"""A server and one that follows it: planning on the follower, and what becomes of applies after a failover."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.acceptance.project import Project, run, said
from tests.postgres.binaries import asked_for, programs, run_as_server
from tests.postgres.folder import shared_folder
from tests.postgres.server import PATIENCE, Server
from tests.service import FakeService


@dataclass
class Pair:
    """A primary and a standby, which replicates without the primary waiting for it."""

    primary: Server
    standby: Server
    database: str

    @property
    def url(self) -> str:
        """Whichever of them takes writes."""
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        return f"postgresql://team@{hosts}/{self.database}?target_session_attrs=read-write&workspace=search"

    def caught_up(self) -> None:
        """Wait until the standby has all that the primary has committed."""
        ((position,),) = self.primary.execute("SELECT pg_current_wal_lsn()::text")
        until = time.monotonic() + PATIENCE
        while self.standby.execute(f"SELECT pg_last_wal_replay_lsn() >= '{position}'") != [(True,)]:
            assert time.monotonic() < until, self.standby.log()
            time.sleep(0.01)

    def fail_over(self) -> None:
        """The primary is gone, the standby takes over."""
        self.primary.kill()
        self.standby.execute("SELECT pg_promote()")


@pytest.fixture
def pair(own_server: Server, project: Project) -> Iterator[Pair]:
    own_server.access += "host replication all 127.0.0.1/32 trust\n"
    own_server.restart()
    standby = Server()
    try:
        copy = standby.folder / "base"
        words = ("-D", copy, "-R", "-c", "fast", "-d", own_server.url())
        program = programs(asked_for(), shared_folder()).bin / "pg_basebackup"
        run_as_server(program, *words, folder=standby.folder)
        standby.restore(copy)
        made = Pair(own_server, standby, own_server.create_database())
        project.env["RECONCILER_STATE_URL"] = made.url
        yield made
    finally:
        standby.close()


def test_a_standby_is_planned_on_and_not_applied_on(pair: Pair, project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    pair.caught_up()
    project.declare(run("a"), run("b", 20))
    standby = pair.standby.url(pair.database, user="team", workspace="search")
    planned = project.expect(0, "--state", standby, "plan").stdout
    assert "1 to create, 1 unchanged" in planned
    assert "run.a" in project.expect(0, "--state", standby, "show").stdout
    told = said(project.expect(1, "--state", standby, "apply", "--auto-approve"))
    assert "The server is a standby, which takes no writes" in told
    assert len(service.creates) == 1


def test_after_a_failover_the_same_url_goes_on(pair: Pair, project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    pair.caught_up()
    pair.fail_over()
    project.declare(run("a"), run("b", 20))
    project.apply()
    project.settled()
    assert len(service.creates) == 2


def test_a_run_whose_id_did_not_reach_the_standby_is_not_bought_again(
    pair: Pair, project: Project, service: FakeService
) -> None:
    project.declare(run("a"))
    project.apply()
    pair.caught_up()
    pair.standby.stop()
    project.declare(run("a"), run("b", 20))
    project.apply()
    pair.primary.kill()
    pair.standby.start()
    pair.standby.execute("SELECT pg_promote()")
    (lost,) = [made for made in service.run_ids if service.runs[made].samples == 20]
    for fresh_machine in (False, True):
        elsewhere = {"XDG_DATA_HOME": str(project.folder / "another")} if fresh_machine else {}
        for command in (("plan",), ("apply", "--auto-approve")):
            told = said(project.expect(1, *command, env=elsewhere))
            assert lost in told
            assert "import --match" in told
    project.expect(0, "import", "--match")
    project.apply()
    project.settled()
    assert len(service.creates) == 2
