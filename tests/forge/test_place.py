"""Which pull request, whose token: from the command line, else from CI; everything that is missing is said at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconciler.forge.place import Given, Place, find_place
from reconciler.model.errors import UsageError
from tests.forge.fake import COMMIT, GITHUB, GITLAB, TOKEN

ON_GITHUB = {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "acme/evals", "GITHUB_REF": "refs/pull/7/merge"}
ON_GITLAB = {"GITLAB_TOKEN": TOKEN, "CI_PROJECT_ID": "42", "CI_MERGE_REQUEST_IID": "7"}
NOTHING_GIVEN = Given()
DEFAULTS = {GITHUB: "https://api.github.com", GITLAB: "https://gitlab.com/api/v4"}


@dataclass(frozen=True)
class Found:
    """What is found, of a provider, with these changes to what its CI says (None removes)."""

    provider: str = GITHUB
    changes: Mapping[str, str | None] = field(default_factory=dict)
    given: Given = NOTHING_GIVEN
    merged: bool = False
    number: int = 7
    where: str | None = None
    url: str | None = None
    commit: str = ""


def place(
    provider: str, changes: Mapping[str, str | None], given: Given = NOTHING_GIVEN, merged: bool = False
) -> Place:
    environ = (ON_GITHUB if provider == GITHUB else ON_GITLAB) | dict(changes)
    return find_place(
        provider, {name: value for name, value in environ.items() if value is not None}, given, merged=merged
    )


NO_PULL: Mapping[str, str | None] = {"GITHUB_REF": "refs/heads/main", "GITHUB_SHA": COMMIT}
FOUND = {
    "GitHub's CI": Found(),
    "GitLab's CI": Found(GITLAB),
    "a token with a line end": Found(changes={"GITHUB_TOKEN": f" {TOKEN}\n"}),
    "a server of its own": Found(
        changes={"GITHUB_API_URL": "https://ghe.example/api/v3/"}, url="https://ghe.example/api/v3"
    ),
    "a server that is said": Found(
        GITLAB, given=Given(api_url="http://localhost:8080/api/v4"), url="http://localhost:8080/api/v4"
    ),
    "a number that is said": Found(given=Given(number=9), number=9),
    "another repository": Found(
        given=Given(number=9, repository="acme/other.repo"), number=9, where="/repos/acme/other.repo/"
    ),
    "the same repository": Found(given=Given(repository="Acme/Evals"), where="/repos/Acme/Evals/"),
    "a project by its path": Found(
        GITLAB,
        given=Given(number=9, repository="acme/sub.group/evals"),
        number=9,
        where="/projects/acme%2Fsub.group%2Fevals/",
    ),
    "the project's own path": Found(
        GITLAB, {"CI_PROJECT_PATH": "acme/evals"}, Given(repository="acme/evals"), where="/projects/acme%2Fevals/"
    ),
    "the pipeline of a fork": Found(
        GITLAB, {"CI_PROJECT_ID": "99", "CI_MERGE_REQUEST_PROJECT_ID": "42"}, where="/projects/42/"
    ),
    "after the merge": Found(changes=NO_PULL, merged=True, number=0, commit=COMMIT),
    "after the merge on GitLab": Found(
        GITLAB, {"CI_MERGE_REQUEST_IID": None, "CI_COMMIT_SHA": COMMIT}, merged=True, number=0, commit=COMMIT
    ),
    "a commit that is said": Found(given=Given(commit=COMMIT.upper()), merged=True, number=0, commit=COMMIT),
    "a digest before the merge": Found(changes={"GITHUB_SHA": COMMIT}, merged=True),
}


@pytest.mark.parametrize("case", FOUND.values(), ids=FOUND)
def test_what_is_found(case: Found) -> None:
    found = place(case.provider, case.changes, case.given, case.merged)
    assert (found.api.number, found.commit) == (case.number, case.commit)
    assert found.url == (case.url or DEFAULTS[case.provider])
    where = case.where or ("/repos/acme/evals/" if case.provider == GITHUB else "/projects/42/")
    assert found.api.comments().path.startswith(where)
    assert found.token.reveal() == TOKEN
    assert TOKEN not in repr(found)


@pytest.mark.parametrize(
    ("event", "number"),
    [
        ({"number": 8, "pull_request": {"number": 9}}, 9),
        ({"number": 8}, 8),
        ({"pull_request": None}, 7),
        ({"number": True}, 7),
        ({"number": "8"}, 7),
        ([], 7),
        ("{", 7),
        (None, 7),
    ],
)
def test_the_number_of_the_event(tmp_path: Path, event: object, number: int) -> None:
    path = tmp_path / "event.json"
    if event is not None:
        path.write_text(event if isinstance(event, str) else json.dumps(event))
    assert place(GITHUB, {"GITHUB_EVENT_PATH": str(path)}).api.number == number


@dataclass(frozen=True)
class Missing:
    """What is said, one part for each thing that is missing or wrong."""

    provider: str
    changes: Mapping[str, str | None]
    said: tuple[str, ...]
    given: Given = NOTHING_GIVEN
    merged: bool = False


NOTHING = dict.fromkeys([*ON_GITHUB, *ON_GITLAB])
MISSING = {
    "everything on GitHub": Missing(
        GITHUB, NOTHING, ("GITHUB_TOKEN: a token that may write", "GITHUB_REPOSITORY: ", "--number N")
    ),
    "everything on GitLab": Missing(GITLAB, NOTHING, ("GITLAB_TOKEN: a project", "CI_PROJECT_ID: ", "--number N")),
    "GitLab's own token does not do": Missing(
        GITLAB, {"GITLAB_TOKEN": "", "CI_JOB_TOKEN": "x"}, ("CI_JOB_TOKEN can't write",)
    ),
    "no token": Missing(GITHUB, {"GITHUB_TOKEN": f"{TOKEN}\nGET / HTTP/1.1"}, ("GITHUB_TOKEN: its value is no token",)),
    "letters of no token": Missing(GITHUB, {"GITHUB_TOKEN": f"{TOKEN}ü"}, ("GITHUB_TOKEN: its value is no token",)),
    "a push": Missing(GITHUB, {"GITHUB_REF": "refs/heads/main"}, ("not that of a pull request",)),
    "CI's number is of CI's repository": Missing(GITHUB, {}, ("--number N",), Given(repository="acme/other")),
    "CI's number is of CI's project": Missing(GITLAB, {}, ("--number N",), Given(repository="43")),
    "after a merge that nobody names": Missing(GITHUB, {"GITHUB_REF": None}, ("--commit SHA",), merged=True),
    "a branch is no commit": Missing(GITHUB, {}, ("--commit: 'main' is no whole",), Given(commit="main"), merged=True),
    "half a commit": Missing(GITHUB, NO_PULL | {"GITHUB_SHA": "c0ffee"}, ("GITHUB_SHA: 'c0ffee'",), merged=True),
    **{
        f"the repository {name!r}": Missing(GITHUB, {}, ("--repository: ",), Given(number=7, repository=name))
        for name in ("evals", "acme/evals/x", "../evals", "acme/..", "acme/e vals", "acme/evals?x", "acmé/evals")
    },
    **{
        f"the project {name!r}": Missing(GITLAB, {}, ("--repository: ",), Given(number=7, repository=name))
        for name in ("evals", "0", "acme/", "/evals", "acme/evals#")
    },
    **{
        f"the address {url}": Missing(GITHUB, {}, (f"--api-url: {said}",), Given(api_url=url))
        for url, said in {
            "http://api.example": "http:// to api.example",
            "http://127.0.0.1.evil.example": "http:// to",
            "ftp://api.example": "an address",
            "api.example": "an address",
            "https://": "an address",
            "https://h/api?x=1": "an address",
            "https://user:secret@h": "the address holds a user",
            "https://h:port": "it is no address",
            "https://[h": "it is no address",
            "https://h/a b": "the address holds characters",
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("case", MISSING.values(), ids=MISSING)
def test_what_is_missing_is_said_at_once(case: Missing) -> None:
    with pytest.raises(UsageError) as caught:
        place(case.provider, case.changes, case.given, case.merged)
    notes = caught.value.__notes__
    assert len(notes) == len(case.said)
    for note, said in zip(notes, case.said, strict=True):
        assert said in note
    assert TOKEN not in " ".join([str(caught.value), *notes])
    assert "secret" not in " ".join(notes)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/api", "http://[::1]/api", "http://localhost"])
def test_this_machine_needs_no_tls(url: str) -> None:
    assert place(GITHUB, {"GITHUB_API_URL": url}).url == url
