"""``apply --expect-digest``: exactly what was reviewed, or what is left of it, and never more; else exit code 4."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.model.plan import Plan
from reconciler.planning.planfile import read_plan, write_plan
from tests.acceptance.project import Done, Project, run, said
from tests.service import FakeService, answers
from tests.service.server import Reply, Request

OTHER = f"sha256:{'0' * 64}"
LIMITS = '\n[limits]\nmax_new_runs = {{ value = {value}, level = "{level}" }}\n'


@pytest.fixture
def saved(project: Project) -> Path:
    return project.folder / "saved.plan"


def reviewed(project: Project, *options: str) -> str:
    """The digest of the plan as it is now."""
    planned = project.run("plan", "--json", *options)
    assert planned.returncode in (0, 3), said(planned)
    return str(json.loads(planned.stdout)["digest"])


def expect(project: Project, code: int, digest: str, *options: str) -> Done:
    """Apply it as a job would: without a terminal, without further consent."""
    return project.expect(code, "apply", *options, "--expect-digest", digest)


def samples(service: FakeService) -> list[int]:
    return sorted(body["number_of_samples"] for body in service.bodies)


def edited(path: Path, change: Any) -> None:
    """A saved plan that somebody edited with care: all of its own digests are right."""
    made = read_plan(path)
    write_plan(path, change(made))


def test_the_same_plan_is_applied_unasked(project: Project, service: FakeService) -> None:
    project.declare(run("a"), run("b", 11))
    digest = reviewed(project)
    expect(project, 0, digest)
    assert samples(service) == [10, 11]
    again = expect(project, 0, digest)  # the job is run again: nothing is left
    assert "No changes. 2 runs are as declared." in again.stdout
    assert samples(service) == [10, 11]
    (entry,) = json.loads(project.expect(0, "history", "run.a", "--json").stdout)["entries"][:1]
    assert entry["by"]["plan_digest"] == digest


def test_it_consents_to_what_it_cancels(project: Project, service: FakeService) -> None:
    service.polls = None  # nothing comes to rest by itself
    project.declare(run("a"), run("b", 11))
    project.apply("--no-wait")
    project.declare(run("b", 11))
    digest = reviewed(project)
    assert "--prune" in said(project.run("apply", "--auto-approve"))
    expect(project, 0, digest, "--no-wait")
    assert len(service.cancels) == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ((run("a", 12), run("b", 11)), "create run.a"),
        ((run("a"),), "create run.a"),
        ((run("a"), run("b", 11), run("c")), "create run.c"),
        ((run("a"), run("b", 11, lifecycle={"max_attempts": 2})), "create run.b"),
    ],
    ids=["a field", "fewer", "more", "a lifecycle"],
)
def test_another_plan_is_refused(project: Project, service: FakeService, change: tuple[str, ...], told: str) -> None:
    project.declare(run("a"), run("b", 11))
    digest = reviewed(project)
    project.declare(*change)
    refused = expect(project, 4, digest)
    assert told in refused.stderr
    assert digest in refused.stderr
    assert reviewed(project) in refused.stderr
    assert service.creates == []


def test_with_the_saved_plan_the_difference_is_told(project: Project, service: FakeService, saved: Path) -> None:
    project.declare(run("a"), run("b", 11))
    project.expect(0, "plan", "--out", str(saved))
    digest = read_plan(saved).digest
    project.declare(run("a", 12), run("c"))
    refused = expect(project, 4, digest, str(saved))
    for line in (
        "not reviewed: create run.a: not bought yet",
        "number_of_samples: 10 when it was reviewed, 12 now",
        "not reviewed: create run.c: not bought yet",
        "nothing was reviewed for run.c",
        "reviewed, and not planned any more: create run.b",
    ):
        assert line in refused.stderr
    assert service.creates == []
    machine = project.expect(4, "apply", str(saved), "--expect-digest", digest, "--json")
    events = [json.loads(line) for line in machine.stdout.splitlines()]
    assert "12 now" in next(event for event in events if event["type"] == "diagnostic")["diagnostic"]["detail"]
    assert events[-1]["exit_code"] == 4


def test_the_saved_plan_may_do_more_than_is_left_and_never_less(
    project: Project, service: FakeService, saved: Path
) -> None:
    """Somebody else bought a part of it meanwhile: that is a no-op."""
    project.declare(run("a"), run("b", 11))
    project.expect(0, "plan", "--out", str(saved))
    digest = read_plan(saved).digest
    project.expect(0, "apply", "--auto-approve", "--target", "run.a")
    expect(project, 4, digest)  # of the digest alone nobody knows what it was
    expect(project, 0, digest, str(saved))
    assert samples(service) == [10, 11]


def test_half_done_goes_on_and_is_spent_at_the_end(project: Project, service: FakeService, saved: Path) -> None:
    service.script_create(answers.refused(400), samples=11)
    project.declare(run("a"), run("b", 11), run("c", 12))
    project.expect(0, "plan", "--out", str(saved))
    digest = read_plan(saved).digest
    expect(project, 1, digest, str(saved))
    assert samples(service) == [10, 11, 12]
    expect(project, 0, digest, str(saved))
    assert samples(service) == [10, 11, 11, 12]
    assert "spent" in expect(project, 4, digest, str(saved)).stderr
    assert samples(service) == [10, 11, 11, 12]


def test_half_done_goes_on_by_the_digest_alone(project: Project, service: FakeService) -> None:
    service.script_create(answers.refused(400), samples=11)
    project.declare(run("a"), run("b", 11), run("c", 12))
    digest = reviewed(project)
    expect(project, 1, digest)
    # What was not reviewed is not slipped in by the way, and a changed request is none of it.
    project.declare(run("a"), run("b", 11), run("c", 12), run("d", 13))
    assert "not reviewed: create run.d" in expect(project, 4, digest).stderr
    project.declare(run("a"), run("b", 15), run("c", 12))
    assert "not reviewed: create run.b" in expect(project, 4, digest).stderr
    project.declare(run("a"), run("b", 11), run("c", 12))
    expect(project, 0, digest)
    assert samples(service) == [10, 11, 11, 12]


def test_what_is_left_must_have_the_limits_that_were_reviewed(project: Project, service: FakeService) -> None:
    service.script_create(answers.refused(400), samples=11)
    project.declare(run("a"), run("b", 11), LIMITS.format(value=2, level="hard"))
    digest = reviewed(project)
    expect(project, 1, digest)
    project.declare(run("a"), run("b", 11), LIMITS.format(value=200, level="hard"))
    assert "limits" in expect(project, 4, digest).stderr
    assert samples(service) == [10, 11]


def test_a_digest_buys_once(project: Project, service: FakeService) -> None:
    """The same purchase is planned again, long after: the old approval is used up."""
    project.declare(run("a", lifecycle={"on_remove": "delete"}))
    digest = reviewed(project)
    expect(project, 0, digest)
    project.declare(run("b", 11))
    project.apply("--prune")
    project.declare(run("b", 11), run("a", lifecycle={"on_remove": "delete"}))
    again = reviewed(project)
    assert again != digest
    refused = expect(project, 4, digest)
    assert "spent" in refused.stderr
    assert samples(service) == [10, 11]
    expect(project, 0, again)
    assert samples(service) == [10, 10, 11]


def test_the_progress_of_others_and_an_owed_cancel_stale_nothing(project: Project, service: FakeService) -> None:
    service.polls = None
    project.declare(run("a"), run("b", 11))
    project.apply("--no-wait")
    project.declare(run("a", 20), run("b", 11))
    service.cancel_polls = None  # it is asked to stop, and goes on
    project.run("apply", "--auto-approve", "--no-wait", "--prune")
    project.declare(run("a", 20), run("b", 11), run("c", 12))
    planned = json.loads(project.expect(0, "plan", "--json").stdout)
    digest = planned["digest"]
    assert [item["address"] for item in planned["resource_changes"] if "deposed" in item] == ["run.a"]
    for run_id in service.run_ids:
        service.finish(run_id)
    project.expect(0, "refresh")
    assert reviewed(project) == digest
    service.polls = 1
    expect(project, 0, digest)
    assert samples(service) == [10, 11, 12, 20]


def test_an_edited_file_is_refused_also_with_its_digests_recomputed(
    project: Project, service: FakeService, saved: Path
) -> None:
    project.declare(run("a"), run("b", 11))
    project.expect(0, "plan", "--out", str(saved))
    digest = read_plan(saved).digest

    def more(made: Plan) -> Plan:
        first, *rest = made.actions
        assert first.after is not None
        return replace(made, actions=(replace(first, after=first.after.having("number_of_samples", 9_000)), *rest))

    edited(saved, more)
    assert read_plan(saved).digest != digest
    refused = expect(project, 4, digest, str(saved))
    assert read_plan(saved).digest in refused.stderr
    text = saved.read_text()
    saved.write_text(text.replace('"wave": 1', '"wave": 7', 1))
    assert saved.read_text() != text
    assert "edited" in project.expect(1, "apply", str(saved), "--expect-digest", digest).stderr
    assert service.creates == []


def test_a_purchase_is_not_slipped_into_the_file_as_an_owed_cancel(
    project: Project, service: FakeService, saved: Path
) -> None:
    """Owed cancels are no part of the digest, so nothing in the file that says it is one makes anything known."""
    service.script_create(answers.refused(400), samples=10)
    project.declare(run("a"))
    project.expect(0, "plan", "--out", str(saved))
    digest = read_plan(saved).digest
    project.declare(run("a"), run("b", 9_000))
    more = project.folder / "more.plan"
    project.expect(0, "plan", "--out", str(more))
    slipped = next(replace(item, deposed=True) for item in read_plan(more).actions if item.address == "run.b")
    edited(saved, lambda made: replace(made, actions=(*made.actions, slipped)))
    assert read_plan(saved).digest == digest
    assert "not reviewed: create run.b" in expect(project, 4, digest, str(saved)).stderr
    project.declare(run("a"))
    expect(project, 1, digest, str(saved))  # begun with the edited file, and gone on with by the digest
    project.declare(run("a"), run("b", 9_000))
    assert "not reviewed: create run.b" in expect(project, 4, digest).stderr
    assert samples(service) == [10]


def test_what_the_digest_does_not_cover_is_not_taken_from_the_file(
    project: Project, service: FakeService, saved: Path
) -> None:
    """The file says that every limit is kept, and that it has no errors: the plan that is made afresh knows better."""
    project.declare(run("a"), run("b", 11), LIMITS.format(value=1, level="soft"))
    project.expect(3, "plan", "--out", str(saved))
    digest = read_plan(saved).digest
    edited(saved, lambda made: replace(made, limits=tuple(replace(item, passed=True) for item in made.limits)))
    assert read_plan(saved).digest == digest
    expect(project, 3, digest, str(saved))
    assert service.creates == []
    expect(project, 0, digest, str(saved), "--override", "max_new_runs", "--reason", "agreed")
    assert samples(service) == [10, 11]


def test_an_override_is_bound_to_the_digest(project: Project, service: FakeService) -> None:
    service.script_create(answers.refused(400), samples=12)
    project.declare(run("a"), run("b", 11), run("c", 12), LIMITS.format(value=2, level="soft"))
    digest = reviewed(project)
    expect(project, 3, digest)
    expect(project, 1, digest, "--override", "max_new_runs", "--reason", "agreed with finance")
    project.declare(run("d", 13), run("e", 14), run("f", 15), LIMITS.format(value=2, level="soft"))
    project.apply("--prune", code=3)
    project.declare(run("a"), run("b", 11), run("c", 12), LIMITS.format(value=2, level="soft"))
    expect(project, 0, digest)
    assert samples(service) == [10, 11, 12, 12]


@pytest.mark.parametrize("value", ["", "sha256:abc", "0" * 64, f"SHA256:{'0' * 64}"])
def test_what_is_no_digest_expects_nothing(project: Project, service: FakeService, value: str) -> None:
    project.declare(run("a"))
    refused = project.run("apply", "--auto-approve", "--expect-digest", value)
    assert refused.returncode == 1
    assert "sha256:" in refused.stderr
    assert service.creates == []


def test_a_digest_that_nobody_knows(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    assert "create run.a" in expect(project, 4, OTHER).stderr
    project.apply()
    assert "nothing to do" in expect(project, 4, OTHER).stderr
    assert len(service.creates) == 1


def test_jobs_at_the_same_time_do_it_once_and_none_complains(project: Project, service: FakeService) -> None:
    project.declare(run("a"), run("b", 11))
    command = ("apply", "--expect-digest", reviewed(project), "--lock-timeout", "30s")
    jobs = [project.start(*command) for _ in range(3)]
    told = [(job.communicate(), job.returncode) for job in jobs]
    assert [code for _, code in told] == [0, 0, 0], told
    assert samples(service) == [10, 11]


def test_a_job_that_another_overtakes_while_it_plans(
    project: Project, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.declare(run("z", 9))
    project.apply()
    project.declare(run("z", 9), run("a"), run("b", 11))
    digest = reviewed(project)
    respond, overtaken = service.respond, threading.Event()

    def overtaking(request: Request) -> Reply:
        if request.method == "GET" and not overtaken.is_set():
            overtaken.set()
            expect(project, 0, digest, "--no-refresh", "--no-wait")
        return respond(request)

    monkeypatch.setattr(service, "respond", overtaking)
    assert "No changes. 3 runs are as declared." in expect(project, 0, digest).stdout
    assert overtaken.is_set()
    assert samples(service) == [9, 10, 11]


def test_what_was_not_reviewed_may_be_left_out(project: Project, service: FakeService) -> None:
    """A run that failed is to be retried: that is another decision, and the rest may go on without it."""
    service.script_create(answers.refused(400), samples=11)
    service.polls = None
    project.declare(run("a", lifecycle={"max_attempts": 2}), run("b", 11))
    digest = reviewed(project)
    expect(project, 1, digest, "--no-wait")
    service.finish(service.run_of(10).id, "FAILED")
    refused = expect(project, 4, digest, "--no-wait")
    assert "not reviewed: retry run.a" in refused.stderr
    assert "--exclude ADDRESS" in refused.stderr
    expect(project, 0, digest, "--no-wait", "--exclude", "run.a")
    assert samples(service) == [10, 11, 11]


@pytest.mark.parametrize("with_file", [False, True])
def test_what_was_asked_to_stop_is_ended_by_the_next_apply(
    project: Project, service: FakeService, saved: Path, with_file: bool
) -> None:
    """Nobody waited for it, and another part of the plan is still to be done."""
    service.polls = None
    project.declare(run("deleted", lifecycle={"on_remove": "delete"}), run("stopped", 11))
    project.apply("--no-wait")
    project.declare(run("b", 12))
    project.expect(0, "plan", "--out", str(saved))
    digest = read_plan(saved).digest
    options = ("--no-wait", *([str(saved)] if with_file else []))
    service.cancel_polls = None  # it goes on for a while
    service.script_create(answers.refused(400), samples=12)
    expect(project, 1, digest, *options)
    assert len(service.cancels) == 2
    for made in service.runs.values():
        made.finish("CANCELED")
    done = expect(project, 0, digest, *options)
    assert "Apply complete: 1 created, 1 cancelled, 1 deleted." in done.stdout
    assert project.expect(0, "state", "list").stdout.split() == ["run.b"]
    assert len(service.deletes) == 1


def test_what_succeeded_after_the_review_is_not_deleted(project: Project, service: FakeService, saved: Path) -> None:
    service.polls = None
    project.declare(run("a", lifecycle={"on_remove": "delete"}), run("b", 11))
    project.apply("--no-wait")
    project.declare(run("b", 11))
    project.expect(0, "plan", "--out", str(saved))
    service.finish(service.run_of(10).id)
    assert "not reviewed: delete run.a" in expect(project, 4, read_plan(saved).digest, str(saved)).stderr
    project.expect(4, "apply", str(saved), "--no-wait")
    assert service.deletes == []


def test_a_change_that_comes_back_is_a_change_of_its_own(project: Project, service: FakeService) -> None:
    """There and back and there again: each is reviewed, and each is applied, once."""
    protected = run("a", lifecycle={"protect": True})
    renamed = run("z") + '[[moved]]\nfrom = "run.a"\nto = "run.z"\n'
    back = run("a") + '[[moved]]\nfrom = "run.z"\nto = "run.a"\n'
    steps = (run("a"), protected, run("a"), protected, run("a"), run("b", 11), run("a"), run("b", 11),
             run("a"), run("a", 12), run("a"), run("a", 12), run("a"), renamed, back, renamed, back)  # fmt: skip
    digests: list[str] = []
    for number, step in enumerate(steps):
        project.declare(step)
        digests.append(reviewed(project))
        done = expect(project, 0, digests[-1])
        assert "Apply complete" in done.stdout, (number, said(done))
        if number % 3 == 0:  # an old job is run again
            assert "No changes" in expect(project, 0, digests[-1]).stdout
    assert samples(service) == [10, 11, 12]
    assert len(set(digests)) == len(digests)
    project.declare(protected)
    assert "spent" in expect(project, 4, digests[1]).stderr


def test_with_the_file_too_runs_are_followed_to_their_end(project: Project, service: FakeService, saved: Path) -> None:
    """Everything is bought, and nobody waited: the job that is run again does."""
    service.polls = None
    project.declare(run("a"))
    project.expect(0, "plan", "--out", str(saved))
    digest = read_plan(saved).digest
    expect(project, 0, digest, str(saved), "--no-wait")
    expect(project, 7, digest, str(saved), "--wait-timeout", "1s")
    service.finish(service.run_ids[0])
    assert "run.a: SUCCEEDED" in expect(project, 0, digest, str(saved)).stdout
    assert "spent" in expect(project, 4, digest, str(saved)).stderr
    assert samples(service) == [10]


def test_likewise_with_the_file_alone(project: Project, service: FakeService, saved: Path) -> None:
    service.polls = None
    project.declare(run("a"))
    project.expect(0, "plan", "--out", str(saved))
    project.expect(0, "apply", str(saved), "--no-wait")
    project.expect(7, "apply", str(saved), "--wait-timeout", "1s")
    service.finish(service.run_ids[0])
    assert "1 succeeded" in project.expect(0, "apply", str(saved)).stdout
    assert "spent" in project.expect(4, "apply", str(saved)).stderr
    assert samples(service) == [10]
