"""``max_active`` bounds the unfinished runs of the whole state, whoever submitted them."""

from __future__ import annotations

import time

from tests.acceptance.project import Project, run, said
from tests.service import FakeService


def test_runs_of_earlier_applies_count(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"), run("b", 11), apply="max_active = 3")
    project.apply("--no-wait")
    project.declare(*(run(name, 10 + n) for n, name in enumerate("abcdef")), apply="max_active = 3")
    told = said(project.apply("--no-wait", code=7))
    assert len(service.creates) == 3
    assert "max_active" in told
    service.finish(service.run_ids[0])
    service.finish(service.run_ids[1])
    project.apply("--no-wait", code=7)
    assert len(service.creates) == 5


def test_the_others_follow_as_room_is_made(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(*(run(f"r{n}", 10 + n) for n in range(5)), apply="max_active = 2")
    process = project.start("apply", "--auto-approve")
    most = 0
    for _ in range(5):
        service.wait_for(lambda: any(r.status not in ("SUCCEEDED",) for r in service.runs.values()))
        working = [r for r in service.runs.values() if r.status != "SUCCEEDED"]
        most = max(most, len(working))
        time.sleep(0.2)
        service.finish(working[0].id)
    for _ in range(100):
        if process.poll() is not None:
            break
        for run_id in service.run_ids:
            if service.runs[run_id].status != "SUCCEEDED":
                service.finish(run_id)
        time.sleep(0.2)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, out + err
    assert len(service.creates) == 5
    assert most <= 2
