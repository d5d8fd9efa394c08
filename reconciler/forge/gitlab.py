"""GitLab's REST calls for the notes of a merge request."""

from __future__ import annotations

import urllib.parse

from msgspec import Struct
from msgspec.structs import replace

from reconciler.forge.api import Call, Comment, Merged, address_in, login_in, number_in, text_in


class GitLab(Struct, frozen=True):
    """``project``: its id, or its path."""

    project: str
    number: int = 0

    name = "GitLab"
    noun = "merge request"
    longest = 1_000_000
    secret = "GITLAB_TOKEN"
    needs = (
        "the token needs the `api` scope and at least the role of a Reporter; a project access token in a masked CI/CD "
        "variable does. A pipeline of a fork has no such variable: the plan is in the job's output there"
    )
    nameless = None

    def numbered(self, number: int) -> GitLab:
        """See :class:`Api`."""
        return replace(self, number=number)

    def headers(self, token: str) -> dict[str, str]:
        """See :class:`Api`."""
        return {"private-token": token, "accept": "application/json"}

    def whoami(self) -> Call:
        """See :class:`Api`."""
        return Call("GET", "/user")

    def login(self, value: object) -> str | None:
        """See :class:`Api`."""
        return login_in(value, "username")

    def comments(self) -> Call:
        """Fewer a page than GitHub's: each may be fifteen times as long."""
        return Call("GET", f"{self._request}/notes", (("per_page", "50"), ("sort", "asc"), ("order_by", "created_at")))

    def comment(self, value: object) -> Comment | None:
        """See :class:`Api`."""
        if not isinstance(value, dict) or value.get("system") is True:
            return None
        known, body = number_in(value.get("id")), text_in(value.get("body"))
        author = login_in(value.get("author"), "username")
        if known is None or author is None or body is None:
            return None
        return Comment(known, author, body, "")

    def post(self, body: str) -> Call:
        """See :class:`Api`."""
        return Call("POST", f"{self._request}/notes", json={"body": body})

    def update(self, comment: int, body: str) -> Call:
        """See :class:`Api`."""
        return Call("PUT", f"{self._request}/notes/{comment}", json={"body": body})

    def page(self) -> Call | None:
        """See :class:`Api`."""
        return Call("GET", self._request)

    def address(self, value: object, comment: int) -> str:
        """See :class:`Api`."""
        page = address_in(value.get("web_url")) if isinstance(value, dict) else ""
        return f"{page}#note_{comment}" if page else ""

    def pulls(self, commit: str) -> Call:
        """See :class:`Api`."""
        return Call("GET", f"{self._project}/repository/commits/{commit}/merge_requests", (("per_page", "100"),))

    def merged(self, value: object, commit: str) -> Merged | None:
        """See :class:`Api`. A fast-forward makes no commit: the merge request's own is the one."""
        number = number_in(value.get("iid")) if isinstance(value, dict) else None
        if number is None or not isinstance(value, dict) or value.get("state") != "merged":
            return None
        return Merged(number, commit in (value.get(key) for key in ("merge_commit_sha", "squash_commit_sha", "sha")))

    @property
    def _project(self) -> str:
        return f"/projects/{urllib.parse.quote(self.project, safe='')}"

    @property
    def _request(self) -> str:
        return f"{self._project}/merge_requests/{self.number}"
