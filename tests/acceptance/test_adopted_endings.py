"""A run that is adopted counts like one whose answer arrived: also when it has come to rest by then."""

from __future__ import annotations

from tests.acceptance.project import Project, run
from tests.service import FakeService, answers


def test_an_adopted_run_that_failed_meanwhile_is_told(project: Project, service: FakeService) -> None:
    project.env |= {"RECONCILER_SETTLE_SECONDS": "0.2", "RECONCILER_DEAD_SECONDS": "1.5"}
    service.polls = None
    service.script_create(answers.dropped(creates=True))
    project.declare(run("a"))
    process = project.start("apply", "--auto-approve")
    service.wait_for(lambda: len(service.runs) == 1)
    service.finish(service.run_ids[0], "FAILED")
    out, err = process.communicate(timeout=30)
    assert process.returncode == 7, out + err
    assert "1 failed" in out
