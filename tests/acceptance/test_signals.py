"""Interrupted: exit 130, nothing new is sent, what is in flight is recorded, and the next apply goes on."""

from __future__ import annotations

import signal
import time
from collections import Counter

import pytest

from tests.acceptance.project import Project, run
from tests.service import RUNS, FakeService


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_while_following(project: Project, service: FakeService, number: signal.Signals) -> None:
    service.polls = None
    project.declare(run("a"))
    process = project.start("apply", "--auto-approve")
    service.wait_for(lambda: len(service.runs) == 1 and _looked_at(service))
    process.send_signal(number)
    out, err = process.communicate(timeout=15)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    service.finish(service.run_ids[0])
    project.apply()
    assert len(service.creates) == 1
    assert service.cancels == []
    project.settled()


def _looked_at(service: FakeService) -> bool:
    """Whether the new run was asked for after it was made."""
    made = service.creates[0].at
    return any(request.method == "GET" and request.at > made and request.path.startswith(RUNS)
               for request in service.requests)  # fmt: skip


def test_while_submitting(project: Project, service: FakeService) -> None:
    project.declare(*[run(f"r{n}", 10 + n) for n in range(6)], apply="parallelism = 2")
    with service.creates_held():
        process = project.start("apply", "--auto-approve")
        service.wait_for(lambda: len(service.creates) == 2)
        process.send_signal(signal.SIGINT)
        assert process.poll() is None, "it waits for what is in flight"
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, out + err
    assert len(service.creates) == 2
    assert {entry["run_id"] for entry in project.output()} == set(service.runs)

    project.apply()
    assert Counter(body["number_of_samples"] for body in service.bodies) == Counter(range(10, 16))
    project.settled()


def test_a_second_interrupt_leaves_at_once_and_the_outcome_is_unknown(project: Project, service: FakeService) -> None:
    project.env |= {"RECONCILER_SETTLE_SECONDS": "3600", "RECONCILER_DEAD_SECONDS": "7200"}
    project.declare(run("a"))
    with service.creates_held():
        process = project.start("apply", "--auto-approve")
        service.wait_for(lambda: len(service.creates) == 1)
        process.send_signal(signal.SIGINT)
        assert process.poll() is None
        for _ in range(20):
            time.sleep(0.2)
            if process.poll() is not None:
                break
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=5)
    assert process.returncode in (130, -signal.SIGINT)
    project.apply("--no-wait", code=6)
    assert len(service.creates) == 1
