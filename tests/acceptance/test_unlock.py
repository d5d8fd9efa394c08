"""A lock whose holder hangs can be broken; the holder then records and buys nothing more."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.project import Project, run, said
from tests.acceptance.terminal import converse
from tests.service import FakeService


@contextmanager
def stopped(project: Project, service: FakeService) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """An apply that was stopped in the middle of a submission, and the id of its lock."""
    project.declare(run("a"))
    with service.creates_held():
        process = project.start("apply", "--auto-approve")
        service.wait_for(lambda: len(service.creates) == 1)
        os.kill(process.pid, signal.SIGSTOP)
        told = said(project.apply(code=5))
        found = re.search(r"lock ([0-9a-f]{12})", told)
        assert found is not None, told
        yield process, found[1]


def test_its_holder_is_shown_and_can_record_nothing_more(project: Project, service: FakeService) -> None:
    with stopped(project, service) as (process, lock_id):
        told = project.expect(0, "unlock", lock_id).stdout
        for part in (f"process {process.pid}", "'apply'", lock_id, "since "):
            assert part in told
        resolved = said(project.run("apply", "--auto-approve", "--no-wait"))
        assert "is locked" not in resolved
    os.kill(process.pid, signal.SIGCONT)
    out, err = process.communicate(timeout=30)
    assert process.returncode != 0, out + err
    assert "lock was broken" in out + err
    (run_id,) = service.run_ids
    assert run_id in out + err  # it can't record what it bought, but says so
    assert len(service.creates) == 1  # the one in flight; nobody sent it again


def test_the_wrong_id_names_the_right_one(project: Project, service: FakeService) -> None:
    with stopped(project, service) as (process, lock_id):
        told = said(project.expect(1, "unlock", "0123456789ab"))
        assert lock_id in told
        assert str(process.pid) in told
        project.apply(code=5)
        os.kill(process.pid, signal.SIGCONT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, out + err


@pytest.mark.parametrize(("answer", "code"), [("no", 1), ("", 1), ("y", 1), ("yes", 0)])
def test_a_terminal_is_asked(project: Project, service: FakeService, answer: str, code: int) -> None:
    with stopped(project, service) as (process, lock_id):
        found, shown = converse(project, "unlock", lock_id, answer=answer)
        assert found == code, shown
        assert str(process.pid) in shown
        left = said(project.run("unlock", "0123456789ab"))
        assert ("not locked" in left) == (code == 0)


def test_yes_asks_nothing(project: Project, service: FakeService) -> None:
    with stopped(project, service) as (_, lock_id):
        code, shown = converse(project, "unlock", "--yes", lock_id, answer="no")
        assert code == 0, shown


def test_nothing_is_locked(project: Project) -> None:
    project.declare(run("a"))
    assert "no state" in said(project.expect(1, "unlock", "0123456789ab"))
    project.apply()
    told = said(project.expect(1, "unlock", "0123456789ab"))
    assert "not locked" in told
    assert "state.db" in told or "workspace default" in told, "which state"


def test_the_lock_of_a_killed_process_is_gone(project: Project, service: FakeService) -> None:
    with stopped(project, service) as (process, lock_id):
        process.kill()
        process.communicate()
        assert "not locked" in said(project.expect(1, "unlock", lock_id))
