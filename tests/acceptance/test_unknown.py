"""A submission whose outcome nobody knows: shown, exit 6, and never sent a second time."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.project import Project, line_with, run, said
from tests.service import FakeService, answers

LATER = {"RECONCILER_SETTLE_SECONDS": "3600", "RECONCILER_DEAD_SECONDS": "7200"}  # nothing settles by itself here

UNKNOWN = {
    "unread": answers.unread(),
    "dropped-before-creating": answers.dropped(creates=False),
    "dropped-after-creating": answers.dropped(),
    "truncated": answers.truncated(),
    "garbage": answers.garbage(),
    "empty-2xx": answers.garbage(b""),
    "no-id": answers.garbage(b"{}"),
    "null-id": answers.garbage(b'{"id": null}'),
    "a-list": answers.garbage(b'[{"id": "3c90c3cc-0d44-4b50-8888-8dd25736052a"}]'),
    "not-utf8": answers.garbage(b'{"id": "\xff\xfe"}'),
    "redirect": answers.redirected("/elsewhere/"),
    "teapot": answers.failed_after_creating(418),
    **{str(status): answers.failed_after_creating(status) for status in (408, 409, 500, 502, 503, 504, 520)},
}


@pytest.mark.parametrize("answer", UNKNOWN.values(), ids=UNKNOWN)
def test_it_is_never_sent_again(project: Project, service: FakeService, answer: answers.Answer) -> None:
    project.env |= LATER
    service.script_create(answer)
    project.declare(run("a"))
    told = said(project.apply("--no-wait", code=6))
    assert "run.a" in told
    assert "unknown" in told.lower()

    plan = project.plan("--detailed-exitcode")
    assert plan.unmet() == ["run.a"]
    assert "unknown" in json.dumps(plan.json["unmet"]).lower()
    assert "unknown" in line_with(project.expect(0, "plan").stdout, "run.a").lower()
    for _ in range(2):
        project.apply("--no-wait", code=6)
    assert len(service.creates) == 1


def test_a_dripping_answer_ends_at_the_total_deadline(project: Project, service: FakeService) -> None:
    project.env |= LATER
    service.script_create(answers.dripped(interval=0.05))
    project.declare(run("a"))
    config = (project.root / "reconciler.toml").read_text()
    project.write("reconciler.toml", config.replace("[api]\n", '[api]\ntimeout = "1s"\n'))
    project.expect(6, "apply", "--auto-approve", "--no-wait", timeout=15)
    project.apply("--no-wait", code=6)
    assert len(service.creates) == 1


def test_it_blocks_only_its_own_address(project: Project, service: FakeService) -> None:
    project.env |= LATER
    service.script_create(answers.dropped(), samples=11)
    project.declare(run("a"), run("b", 11), run("c", 12))
    project.apply("--no-wait", code=6)
    assert len(service.creates) == 3
    project.declare(run("a"), run("b", 11), run("c", 12), run("d", 13))
    project.apply("--no-wait", code=6)
    assert sorted(body["number_of_samples"] for body in service.bodies) == [10, 11, 12, 13]


@pytest.mark.parametrize(
    ("declared", "options"),
    [([run("a", 20)], []), ([run("a")], ["--replace", "run.a"]), ([run("b", 15)], [])],
    ids=["changed", "replaced", "removed"],
)
def test_it_blocks_every_other_row(
    project: Project, service: FakeService, declared: list[str], options: list[str]
) -> None:
    project.env |= LATER
    service.script_create(answers.dropped(), samples=10)
    project.declare(run("a"), run("b", 15))
    project.apply("--no-wait", code=6)
    project.declare(*declared, *([] if "run.b" in declared[0] else [run("b", 15)]))
    plan = project.plan(*options)
    assert "run.a" in plan.unmet()
    assert [c["action"] for c in plan.json["resource_changes"] if c["address"] == "run.a"] in ([], ["no-op"])
    project.apply("--no-wait", *options, code=6)
    assert sorted(body["number_of_samples"] for body in service.bodies) == [10, 15]
    assert service.cancels == []


def test_the_run_id_of_a_known_run_is_kept_while_its_replacement_is_unknown(
    project: Project, service: FakeService
) -> None:
    project.env |= LATER
    project.declare(run("a"))
    project.apply()
    service.script_create(answers.dropped())
    project.declare(run("a", 20))
    project.apply("--no-wait", code=6)
    assert [entry["run_id"] for entry in project.output("run.a")] == [service.run_of(10).id]


def test_a_saved_plan_does_not_send_it_again_either(project: Project, service: FakeService) -> None:
    project.env |= LATER
    saved = str(project.folder / "saved.plan")
    service.script_create(answers.failed_after_creating(502), samples=10)
    project.declare(run("a"), run("b", 11))
    project.expect(0, "plan", "--out", saved)
    project.expect(6, "apply", saved, "--no-wait")
    assert project.run("apply", saved, "--no-wait").returncode in (4, 6)
    assert sorted(body["number_of_samples"] for body in service.bodies) == [10, 11]


def test_a_create_that_never_arrived_stays_unknown_without_no_wait(project: Project, service: FakeService) -> None:
    project.env |= {"RECONCILER_SETTLE_SECONDS": "0.2", "RECONCILER_DEAD_SECONDS": "1"}
    service.script_create(answers.dropped(creates=False))
    project.declare(run("a"))
    project.apply(code=6)
    project.apply(code=6)
    assert len(service.creates) == 1
