"""What is unknown is settled: adopted where that is certain, else shown with what to type. Nothing is bought twice."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from tests.acceptance.project import Project, run, said
from tests.service import TICKETS, FakeService, answers

pytestmark = pytest.mark.timeout(400)  # three unknown outcomes in a row make an apply pause for 30 s
SOON = {"RECONCILER_SETTLE_SECONDS": "0.5", "RECONCILER_DEAD_SECONDS": "2"}
LATER = {"RECONCILER_SETTLE_SECONDS": "0.5", "RECONCILER_DEAD_SECONDS": "3600"}


def recorded(project: Project) -> list[str]:
    return [str(entry["run_id"]) for entry in project.output()]


def test_a_lost_answer_is_adopted_and_followed(project: Project, service: FakeService) -> None:
    project.env |= SOON
    service.script_create(answers.dropped(creates=True), samples=10)
    project.declare(run("a"), run("b", 11))
    assert "2 created" in project.apply().stdout
    assert sorted(recorded(project)) == sorted(service.run_ids)
    project.settled()
    assert len(service.creates) == 2


def test_a_provisional_adoption_is_shown_until_it_is_certain(project: Project, service: FakeService) -> None:
    project.env |= LATER
    service.script_create(answers.failed_after_creating(502))
    project.declare(run("a"))
    project.apply("--no-wait", code=6)
    assert service.run_ids[0] in said(project.expect(0, "plan"))
    project.env |= SOON
    project.apply()
    assert recorded(project) == service.run_ids
    project.settled()


def test_overlapping_bodies_are_never_guessed(project: Project, service: FakeService) -> None:
    project.env |= SOON
    service.script_create(answers.dropped(creates=False), samples=10)
    service.script_create(answers.dropped(creates=True), samples=10)
    more = run("b", 10, tools=["calculator"])
    project.declare(run("a", 10), more, apply="parallelism = 1")
    told = said(project.apply(code=6))
    if len(service.run_ids) == 1 and "adopted" not in told:
        assert "resolve" in told
    project.apply(code=6)
    assert len(service.creates) == 2


def test_a_twin_is_ambiguous_and_a_person_decides(project: Project, service: FakeService) -> None:
    project.env |= SOON
    service.script_create(answers.dropped(creates=True))
    project.declare(run("a"))
    project.apply("--no-wait", code=6)
    body = dict(service.bodies[0])
    twin = service.add_run(body, "PENDING").id
    told = said(project.apply(code=6))
    mine = next(run_id for run_id in service.run_ids if run_id != twin)
    assert twin in told
    assert mine in told
    assert "--adopt" in told
    assert len(service.creates) == 1
    project.expect(1, "resolve", "run.a", "--adopt", "no-such-run")
    project.expect(0, "resolve", "run.a", "--adopt", mine)
    assert recorded(project) == [mine]
    project.settled()
    assert len(service.creates) == 1


def test_a_rewritten_model_is_not_absent(project: Project, service: FakeService) -> None:
    project.env |= SOON
    service.reported = {"generation_model": "anthropic/its-successor"}
    service.script_create(answers.dropped(creates=True))
    project.declare(run("a"))
    told = said(project.apply(code=6))
    assert service.run_ids[0] in told
    done = project.expect(0, "resolve", "run.*", "--resubmit")
    assert "left as it is" in said(done)
    project.apply(code=6)
    assert len(service.creates) == 1


def test_what_is_absent_is_sent_again_only_when_a_person_says_so(project: Project, service: FakeService) -> None:
    project.env |= SOON
    service.script_create(answers.dropped(creates=False))
    project.declare(run("a"))
    assert "--resubmit" in said(project.apply(code=6))
    project.apply(code=6)
    assert len(service.creates) == 1
    project.expect(0, "resolve", "run.*", "--resubmit")
    project.apply()
    assert len(service.creates) == 2
    assert recorded(project) == service.run_ids


def test_too_early_to_send_again(project: Project, service: FakeService) -> None:
    project.env |= LATER
    service.script_create(answers.dropped(creates=False))
    project.declare(run("a"))
    project.apply("--no-wait", code=6)
    assert "can't be sent again yet" in said(project.expect(1, "resolve", "run.a", "--resubmit"))
    assert "left as it is" in said(project.expect(0, "resolve", "run.*", "--resubmit"))
    project.expect(1, "resolve", "run.nobody", "--abandon")
    project.expect(0, "resolve", "run.a", "--abandon")
    assert "given up" in said(project.expect(0, "plan"))
    project.apply()
    assert len(service.creates) == 1


def test_a_run_of_somebody_else_is_not_adopted(project: Project, service: FakeService) -> None:
    project.env |= LATER
    other = service.add_run({"spec_id": TICKETS, "number_of_samples": 99}).id
    service.script_create(answers.dropped(creates=False), samples=10)
    project.declare(run("a"), run("b", 11))
    project.apply("--no-wait", code=6)
    (bought,) = [run_id for run_id in service.run_ids if run_id != other]
    assert "belongs to run.b" in said(project.expect(1, "resolve", "run.a", "--adopt", bought))


def test_a_replaced_run_is_stopped_once_its_successor_is_adopted(project: Project, service: FakeService) -> None:
    project.env |= SOON
    service.polls = None
    project.declare(run("a", 10))
    project.apply("--no-wait")
    (old,) = service.run_ids
    service.script_create(answers.dropped(creates=True), samples=20)
    project.declare(run("a", 20))
    project.expect(7, "apply", "--auto-approve", "--prune", "--wait-timeout", "6s")
    assert service.cancels == [old]
    service.finish(service.run_ids[1])
    project.apply()
    assert service.cancels == [old]
    assert len(service.creates) == 2
    project.settled()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_storm_converges_to_each_run_once(project: Project, service: FakeService, seed: int) -> None:
    """Answers dropped, errors after creation, garbage, 429 and 503; then apply, and resolve when it exits 6."""
    project.env |= {"RECONCILER_SETTLE_SECONDS": "0.2", "RECONCILER_DEAD_SECONDS": "0.6"}
    weather = random.Random(seed)
    kinds = {
        "after": (0.06, lambda: answers.dropped(creates=True)),
        "error": (0.10, lambda: answers.failed_after_creating(500)),
        "garbage": (0.06, answers.garbage),
        "before": (0.03, lambda: answers.dropped(creates=False)),
        "later": (0.10, lambda: answers.slow_down("0")),
    }
    count = 24
    for samples in range(100, 100 + count):
        for share, make in kinds.values():
            if weather.random() < share:
                service.script_create(make(), samples=samples)
                break
    project.declare(*[run(f"r{n:02}", 100 + n) for n in range(count)], apply="parallelism = 1")
    for _ in range(8):
        code = project.run("apply", "--auto-approve", timeout=150).returncode
        if code == 0:
            break
        project.run("resolve", "run.*", "--resubmit")
    assert code == 0
    wanted = Counter(range(100, 100 + count))
    assert Counter(made.body["number_of_samples"] for made in service.runs.values()) == wanted
    assert sorted(recorded(project)) == sorted(service.run_ids)


def test_what_is_absent_is_sent_again_by_itself_where_that_is_declared(project: Project, service: FakeService) -> None:
    project.env |= SOON
    service.script_create(answers.dropped(creates=False))
    project.declare(run("a"), apply='resubmit_absent_after = "1s"')
    project.apply("--no-wait", code=6)
    time.sleep(2.5)
    assert "sent again by itself" in said(project.expect(0, "plan"))
    project.apply()
    assert len(service.creates) == 2
    assert recorded(project) == service.run_ids
    project.settled()
