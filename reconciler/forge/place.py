"""Which pull request is meant, and whose token: from the command line, else from what CI says in the environment."""

from __future__ import annotations

import ipaddress
import json
import re
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from reconciler.forge.api import Api, number_in
from reconciler.forge.github import GitHub
from reconciler.forge.gitlab import GitLab
from reconciler.forge.transport import Token
from reconciler.model.errors import UsageError

_REPOSITORY: Final = re.compile(r"(?!\.{1,2}/)[\w.-]+/(?!\.{1,2}$)[\w.-]+", re.ASCII)
_PROJECT: Final = re.compile(r"[1-9][0-9]*|[\w.-]+(/[\w.-]+)+", re.ASCII)
_COMMIT: Final = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_REF: Final = re.compile(r"refs/pull/([1-9][0-9]{0,9})/(?:merge|head)")
_NUMBER: Final = re.compile("[1-9][0-9]{0,9}")
_LARGEST_EVENT: Final = 64 * 2**20  # bytes


class Given(Struct, frozen=True):
    """What the command line says; None where it says nothing."""

    number: int | None = None
    commit: str | None = None
    repository: str | None = None
    api_url: str | None = None


class Place(Struct, frozen=True):
    """Where comments are. ``api``: its number is 0 where only ``commit`` says which pull request is meant."""

    api: Api
    url: str
    token: Token
    commit: str


def find_place(provider: str, environ: Mapping[str, str], given: Given, *, merged: bool) -> Place:
    """``merged``: a commit may stand for the pull request that it was merged by. Raises UsageError that names
    everything that is missing, or wrong, at once.
    """
    found = _Found(environ, [])
    place = _github(found, given, merged) if provider == "github" else _gitlab(found, given, merged)
    if found.missing:
        one = len(found.missing) == 1
        error = UsageError(f"The comment can't be reached: {'this is' if one else 'these are'} missing or wrong.")
        for line in found.missing:
            error.add_note(f"  {line}")
        raise error
    return place


class _Found(Struct):
    """The environment, and what it lacks."""

    environ: Mapping[str, str]
    missing: list[str]

    def get(self, name: str) -> str:
        return self.environ.get(name, "").strip()

    def lacks(self, what: str) -> str:
        self.missing.append(what)
        return ""

    def token(self, name: str, hint: str) -> Token:
        value = self.get(name)
        if not value:
            self.lacks(f"{name}: {hint}")
        elif not (value.isascii() and value.isprintable() and " " not in value):
            self.lacks(f"{name}: its value is no token: it holds blanks, line ends or letters that no token has")
            value = ""
        return Token(name, value)

    def url(self, given: str | None, name: str, default: str) -> str:
        url = given or self.get(name) or default
        wrong = _wrong_address(url)
        where = "--api-url" if given else name
        return self.lacks(f"{where}: {wrong}") if wrong else url.rstrip("/")

    def matching(self, pattern: re.Pattern[str], given: str | None, name: str, option: str, form: str) -> str:
        value = given or self.get(name)
        if not value:
            return self.lacks(f"{name}: set by CI; elsewhere say {option} {form}")
        if not pattern.fullmatch(value):
            return self.lacks(f"{option if given else name}: {value!r} is not of the form {form}")
        return value

    def request(self, given: Given, number: int, commit_name: str, merged: bool, where: str) -> tuple[int, str]:
        """Its number, else the commit that stands for it."""
        if given.number is not None:
            return given.number, ""
        if given.commit is None and number:
            return number, ""
        if not merged:
            self.lacks(f"the number: {where}; elsewhere say --number N")
            return 0, ""
        commit = (given.commit or self.get(commit_name)).lower()
        if not commit:
            self.lacks(
                f"the number: {where}; elsewhere say --number N, or --commit SHA after the merge ({commit_name})"
            )
        elif not _COMMIT.fullmatch(commit):
            self.lacks(f"{'--commit' if given.commit else commit_name}: {commit!r} is no whole commit hash")
        return 0, commit


def _github(found: _Found, given: Given, merged: bool) -> Place:
    hint = "a token that may write pull requests; in Actions `env: GITHUB_TOKEN: ${{ github.token }}`"
    token = found.token("GITHUB_TOKEN", hint)
    url = found.url(given.api_url, "GITHUB_API_URL", "https://api.github.com")
    repository = found.matching(_REPOSITORY, given.repository, "GITHUB_REPOSITORY", "--repository", "OWNER/NAME")
    number = _number_of_event(found.get("GITHUB_EVENT_PATH"))
    ref = _REF.fullmatch(found.get("GITHUB_REF"))
    known = number or (int(ref[1]) if ref else 0)
    if given.repository and given.repository.casefold() != found.get("GITHUB_REPOSITORY").casefold():
        known = 0  # CI's number is of another repository
    where = "the event of the workflow (GITHUB_EVENT_PATH, GITHUB_REF) is not that of a pull request"
    number, commit = found.request(given, known, "GITHUB_SHA", merged, where)
    return Place(GitHub(repository, number), url, token, commit)


def _gitlab(found: _Found, given: Given, merged: bool) -> Place:
    hint = "a project access token with the `api` scope, in a masked CI/CD variable"
    if found.get("CI_JOB_TOKEN"):
        hint += "; the job's own CI_JOB_TOKEN can't write notes"
    token = found.token("GITLAB_TOKEN", hint)
    url = found.url(given.api_url, "CI_API_V4_URL", "https://gitlab.com/api/v4")
    # In the pipeline of a fork, CI_PROJECT_ID is the fork's.
    target = "CI_MERGE_REQUEST_PROJECT_ID" if found.get("CI_MERGE_REQUEST_PROJECT_ID") else "CI_PROJECT_ID"
    project = found.matching(_PROJECT, given.repository, target, "--repository", "PROJECT_ID")
    iid = found.get("CI_MERGE_REQUEST_IID")
    where = "the pipeline is not that of a merge request (CI_MERGE_REQUEST_IID)"
    known = int(iid) if _NUMBER.fullmatch(iid) else 0
    if given.repository and given.repository not in map(found.get, (target, target.replace("_ID", "_PATH"))):
        known = 0  # CI's number is of another project
    number, commit = found.request(given, known, "CI_COMMIT_SHA", merged, where)
    return Place(GitLab(project, number), url, token, commit)


def _number_of_event(path: str) -> int:
    """Of the pull request that a workflow's event is about; 0 where it is about none."""
    try:
        with Path(path).open("rb") as file:
            event = json.loads(file.read(_LARGEST_EVENT)) if path else None
    except (OSError, ValueError, RecursionError):
        return 0
    if not isinstance(event, dict):
        return 0
    request = event.get("pull_request")
    within = number_in(request.get("number")) if isinstance(request, dict) else None
    return within or number_in(event.get("number")) or 0


def _wrong_address(url: str) -> str:
    """What is wrong with an API's address, or an empty text. Never repeats it: it may hold a password."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, user, _ = parts.hostname or "", parts.username, parts.port
    except ValueError:
        return "it is no address"
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        return "an address of the form https://HOST/PATH is wanted"
    if not (url.isascii() and url.isprintable()) or " " in url:
        return "the address holds characters that none may have"
    if user is not None:
        return "the address holds a user; the token alone says who asks"
    if parts.scheme == "http" and not _is_loopback(host):
        return f"http:// to {host} would show the token to everybody on the way; use https://"
    return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
