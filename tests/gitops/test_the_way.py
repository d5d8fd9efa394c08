"""From a pull request to its runs by the example's own scripts, run as they stand against a forge and a service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.model.marker import Marker
from tests.forge.fake import GITHUB, GITLAB, TOKEN, FakeForge
from tests.gitops.runner import Ran, Repository
from tests.gitops.scripts import EXAMPLE
from tests.service import KEY, FakeService

EXTRA = "[run.letters]\nnumber_of_samples = 11\n"
TOO_MANY = "[run.letters]\nnumber_of_samples = 20_001\nshard_size = 10_000\n"
WRONG = "[run.letters]\nnumber_of_samples = 0\n"


@pytest.fixture
def forge(request: pytest.FixtureRequest) -> Iterator[FakeForge]:
    with FakeForge(request.param) as running:
        yield running


@pytest.fixture
def service() -> Iterator[FakeService]:
    with FakeService() as running:
        yield running


@pytest.fixture
def repository(tmp_path: Path, forge: FakeForge, service: FakeService) -> Repository:
    """On main, nothing is declared but what the example declares; nothing is bought yet."""
    text = (EXAMPLE / "reconciler.toml").read_text("utf-8")
    made = Repository(tmp_path, {}, {"reconciler.toml": f'[api]\nbase_url = "{service.url}"\n\n{text}'})
    made.environ |= {"RECONCILER_STATE_URL": f"sqlite:///{tmp_path}/state.db", "DATAFRAMER_API_KEY": KEY}
    return made


class Hub:
    """Jobs of GitHub: for pull request 7, and after its merge."""

    def __init__(self, repository: Repository, forge: FakeForge) -> None:
        self.repository, self.forge = repository, forge
        secrets = ("RECONCILER_STATE_URL", "DATAFRAMER_API_KEY")
        self.context = {f"secrets.{name}": repository.environ.pop(name) for name in secrets}
        self.context |= {"github.base_ref": "main", "github.token": TOKEN, "github.ref_name": "main"}

    def plan(self, branch: str, job: str = "plan") -> Ran:
        return self.repository.github("plan", job, branch, self.context, self.forge.environment())

    def fresh(self, commit: str, **inputs: str) -> Ran:
        """The first job after a merge."""
        self.forge.pulls.clear()
        self.forge.merged(7, merge_commit_sha=commit)
        self.context |= {f"inputs.{name}": value for name, value in inputs.items()}
        env = self.forge.environment() | {"GITHUB_SHA": commit, "GITHUB_REF": "refs/heads/main"}
        return self.repository.github("apply", "plan", "main", self.context, env)

    def apply(self, planned: Ran) -> Ran:
        """The second one, which has the first one's digest."""
        digest = planned.outputs["steps.reviewed.outputs.digest"]
        context = self.context | {"needs.plan.outputs.digest": digest}
        return self.repository.github("apply", "apply", "main", context, {})


def bought(service: FakeService) -> list[int]:
    return sorted(body["number_of_samples"] for body in service.bodies)


@pytest.mark.parametrize("forge", [GITHUB], indirect=True)
def test_on_github(repository: Repository, forge: FakeForge, service: FakeService) -> None:
    hub = Hub(repository, forge)
    repository.commit({"runs/letters.toml": EXTRA}, "more")
    planned = hub.plan("more")
    assert planned.code == 0, planned.log
    (comment,) = forge.written
    assert "run.letters" in comment.body
    assert comment.body.strip() == planned.summary.strip()
    assert (planned.temporary / "review.plan").exists()
    assert bought(service) == []

    merged = repository.merge("more")
    fresh = hub.fresh(merged)
    assert fresh.code == 0, fresh.log
    assert fresh.outputs["steps.plan.outputs.changes"] == "true"
    digest = fresh.outputs["steps.reviewed.outputs.digest"]
    assert f"Reviewed: `{digest}`" in fresh.summary
    assert digest in comment.body
    applied = hub.apply(fresh)
    assert applied.code == 0, applied.log
    assert applied.summary == "Applied.\n"
    assert bought(service) == [11, 20, 500, 500]
    again = hub.fresh(merged)  # nothing is left, so nobody is asked to approve anything
    assert again.outputs == {"steps.plan.outputs.changes": "false"}


@pytest.mark.parametrize("forge", [GITHUB], indirect=True)
@pytest.mark.parametrize(
    ("text", "code", "verdict"), [(TOO_MANY, 3, "max_new_samples"), (WRONG, 1, "number_of_samples")]
)
def test_what_can_not_be_applied_is_commented_and_fails(
    repository: Repository, forge: FakeForge, text: str, code: int, verdict: str
) -> None:
    repository.commit({"runs/letters.toml": text}, "more")
    planned = Hub(repository, forge).plan("more")
    assert planned.code == code, planned.log
    assert verdict in forge.written[0].body
    assert "::error" in planned.log


@pytest.mark.parametrize("forge", [GITHUB], indirect=True)
def test_a_stale_plan_is_refused_and_reviewed_again(
    repository: Repository, forge: FakeForge, service: FakeService
) -> None:
    hub = Hub(repository, forge)
    repository.commit({"runs/letters.toml": EXTRA}, "more")
    hub.plan("more")
    repository.commit({"runs/letters.toml": EXTRA.replace("11", "12")})  # somebody pushes past the review
    fresh = hub.fresh(repository.merge("main"))
    refused = hub.apply(fresh)
    assert refused.code == 4, refused.log
    assert "not the one that was reviewed; nothing was done" in refused.summary
    assert bought(service) == []
    shown = Marker.read(fresh.summary)  # what the page of the run says there is to apply now
    assert shown is not None
    again = hub.fresh(repository.merge("main"), digest=shown.digest)
    assert hub.apply(again).code == 0
    assert bought(service) == [12, 20, 500, 500]


@pytest.mark.parametrize("forge", [GITHUB], indirect=True)
def test_a_fork_is_planned_without_any_secret(repository: Repository, forge: FakeForge, service: FakeService) -> None:
    hub = Hub(repository, forge)
    hub.context = {"github.base_ref": "main"}
    repository.commit({"runs/letters.toml": EXTRA}, "more")
    planned = hub.plan("more", "declarations")
    assert planned.code == 0, planned.log
    assert "create run.letters" in planned.log
    assert "tickets_eval" not in planned.log  # it is on main
    assert service.requests == []


@pytest.mark.parametrize("forge", [GITLAB], indirect=True)
def test_on_gitlab(repository: Repository, forge: FakeForge, service: FakeService) -> None:
    base = repository.merge("main")
    repository.commit({"runs/letters.toml": EXTRA}, "more")
    env = forge.environment() | {"CI_MERGE_REQUEST_DIFF_BASE_SHA": base}
    planned = repository.gitlab("plan", "more", env)
    assert planned.code == 0, planned.log
    (note,) = forge.written
    assert "run.letters" in note.body
    assert (planned.temporary / "plan.gitlab.json").read_text(
        "utf-8"
    ).strip() == '{"create": 4, "update": 0, "delete": 0}'
    assert "<testsuite" in (planned.temporary / "plan.junit.xml").read_text("utf-8")
    merged = repository.merge("more")
    forge.merged(7, merge_commit_sha=merged)
    after = {name: value for name, value in forge.environment().items() if name != "CI_MERGE_REQUEST_IID"}
    applied = repository.gitlab("apply", "main", after | {"CI_COMMIT_SHA": merged})
    assert applied.code == 0, applied.log
    assert bought(service) == [11, 20, 500, 500]
