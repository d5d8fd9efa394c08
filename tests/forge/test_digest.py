"""The digest that was reviewed: of the newest own comment, on the pull request that the commit was merged by."""

from __future__ import annotations

import pytest

from reconciler.model.errors import ForgeError
from tests.forge.fake import COMMIT, DIGEST, GITHUB, GITLAB, FakeForge, bound, comment_text

OTHER = "sha256:" + "7b" * 32


def test_of_the_newest_own_comment(forge: FakeForge) -> None:
    forge.write(comment_text(digest=OTHER))
    forge.write(comment_text(digest=DIGEST))
    forge.write(comment_text(digest=OTHER), "mallory")
    assert bound(forge).digest("", "") == DIGEST
    assert {item.method for item in forge.asked} == {"GET"}


@pytest.mark.parametrize(
    ("environment", "folder"), [("", ""), ("staging", ""), ("", "teams/evals"), ("staging", "a b")]
)
def test_each_environment_and_folder_has_its_own(forge: FakeForge, environment: str, folder: str) -> None:
    for one in ("", "staging", "production"):
        for other in ("", "teams/evals", "a b"):
            mine = (one, other) == (environment, folder)
            forge.write(comment_text(environment=one, folder=other, digest=DIGEST if mine else OTHER))
    assert bound(forge).digest(environment, folder) == DIGEST


@pytest.mark.parametrize("body", [None, comment_text(environment="staging"), "## Plan"])
def test_without_one_nothing_was_reviewed(forge: FakeForge, body: str | None) -> None:
    if body:
        forge.write(body)
    with pytest.raises(ForgeError, match="nothing says what was reviewed") as caught:
        bound(forge).digest("", "")
    assert forge.writes_as in str(caught.value)


@pytest.mark.parametrize("digest", ["", "sha256:", DIGEST[:-1], f"{DIGEST}\\n$(reboot)", f"{DIGEST} --auto-approve"])
def test_what_is_no_digest_is_not_printed(forge: FakeForge, digest: str) -> None:
    forge.write(comment_text(digest=DIGEST).replace(DIGEST, digest))
    with pytest.raises(ForgeError, match="no digest"):
        bound(forge).digest("", "")


# After the merge


def test_the_one_that_the_merge_made(forge: FakeForge) -> None:
    forge.merged(3)
    forge.merged(7, merge_commit_sha=COMMIT)
    forge.write(comment_text())
    assert bound(forge, number=0).merged_by(COMMIT).digest("", "") == DIGEST


@pytest.mark.parametrize("key", ["squash_commit_sha", "sha"])
def test_gitlab_may_squash_or_go_forward_without_a_commit_of_its_own(key: str) -> None:
    with FakeForge(GITLAB) as forge:
        forge.merged(3)
        forge.merged(7, **{key: COMMIT, "merge_commit_sha": None})
        forge.write(comment_text())
        assert bound(forge, number=0).merged_by(COMMIT).digest("", "") == DIGEST


def test_the_only_one_that_was_merged(forge: FakeForge) -> None:
    forge.merged(7)
    forge.merged(8, merged_at=None, state="open")
    forge.write(comment_text())
    assert bound(forge, number=0).merged_by(COMMIT).digest("", "") == DIGEST


def test_one_into_a_fork_is_not_of_this_repository() -> None:
    with FakeForge(GITHUB) as forge:
        forge.merged(7, merge_commit_sha=COMMIT, base={"repo": {"full_name": "mallory/evals"}})
        with pytest.raises(ForgeError, match="no merged pull request"):
            bound(forge, number=0).merged_by(COMMIT)


@pytest.mark.parametrize("numbers", [(), (3, 7)])
def test_none_or_several_are_told(forge: FakeForge, numbers: tuple[int, ...]) -> None:
    for number in numbers:
        forge.merged(number)
    with pytest.raises(ForgeError, match="--number") as caught:
        bound(forge, number=0).merged_by(COMMIT)
    assert ("3 and 7" if numbers else "no merged") in str(caught.value)


def test_what_is_no_pull_request_is_none(forge: FakeForge) -> None:
    forge.pulls = [
        None,
        7,
        {},
        {"number": True, "iid": 0, "state": "merged"},
        {"number": 7, "merged_at": "x", "base": None},
    ]
    with pytest.raises(ForgeError, match="no merged"):
        bound(forge, number=0).merged_by(COMMIT)
