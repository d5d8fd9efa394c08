"""GitHub's REST calls for the comments of a pull request, which are those of an issue there."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from reconciler.forge.api import Call, Comment, Merged, address_in, login_in, number_in, text_in

_VERSION = "2022-11-28"  # of the REST API


class GitHub(Struct, frozen=True):
    """``repository``: ``OWNER/NAME``."""

    repository: str
    number: int = 0

    name = "GitHub"
    noun = "pull request"
    longest = 65_536
    secret = "GITHUB_TOKEN"
    needs = (
        "the workflow needs `permissions: pull-requests: write` (`read` for --digest). For a pull request from a "
        "fork the token may only read: write the plan into the step summary there (GITHUB_STEP_SUMMARY)"
    )
    nameless = "github-actions[bot]"

    def numbered(self, number: int) -> GitHub:
        """See :class:`Api`."""
        return replace(self, number=number)

    def headers(self, token: str) -> dict[str, str]:
        """See :class:`Api`."""
        return {
            "authorization": f"Bearer {token}",
            "accept": "application/vnd.github+json",
            "x-github-api-version": _VERSION,
        }

    def whoami(self) -> Call:
        """See :class:`Api`."""
        return Call("GET", "/user")

    def login(self, value: object) -> str | None:
        """See :class:`Api`."""
        return login_in(value, "login")

    def comments(self) -> Call:
        """Oldest first; GitHub knows no other order here."""
        return Call("GET", f"{self._issues}/{self.number}/comments", (("per_page", "100"),))

    def comment(self, value: object) -> Comment | None:
        """See :class:`Api`."""
        if not isinstance(value, dict):
            return None
        known, author, body = (
            number_in(value.get("id")),
            login_in(value.get("user"), "login"),
            text_in(value.get("body")),
        )
        if known is None or author is None or body is None:  # an account that is gone is null
            return None
        return Comment(known, author, body, address_in(value.get("html_url")))

    def post(self, body: str) -> Call:
        """See :class:`Api`."""
        return Call("POST", f"{self._issues}/{self.number}/comments", json={"body": body})

    def update(self, comment: int, body: str) -> Call:
        """See :class:`Api`."""
        return Call("PATCH", f"{self._issues}/comments/{comment}", json={"body": body})

    def page(self) -> Call | None:
        """Comments say it themselves."""
        return None

    def address(self, value: object, comment: int) -> str:
        """See ``page``."""
        return ""

    def pulls(self, commit: str) -> Call:
        """See :class:`Api`."""
        return Call("GET", f"/repos/{self.repository}/commits/{commit}/pulls", (("per_page", "100"),))

    def merged(self, value: object, commit: str) -> Merged | None:
        """See :class:`Api`; one into a fork is none of this repository."""
        number = number_in(value.get("number")) if isinstance(value, dict) else None
        if number is None or not isinstance(value, dict) or text_in(value.get("merged_at")) is None:
            return None
        base = value.get("base")
        within = base.get("repo") if isinstance(base, dict) else None
        target = login_in(within, "full_name") or ""
        if target.casefold() != self.repository.casefold():
            return None
        return Merged(number, value.get("merge_commit_sha") == commit)

    @property
    def _issues(self) -> str:
        return f"/repos/{self.repository}/issues"
