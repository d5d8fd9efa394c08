"""What both providers have in common: calls as values, and what their answers hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from msgspec import Struct

_T = TypeVar("_T", bound="Api")


class Call(Struct, frozen=True):
    """One request. ``path``: below the API's URL, already quoted."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    json: Mapping[str, object] | None = None


class Answer(Struct, frozen=True):
    """A status, headers by lower-case name, and the body's JSON (None where it holds none). ``text``: its beginning."""

    status: int
    headers: Mapping[str, str]
    value: object
    text: str


class Comment(Struct, frozen=True):
    """A comment as its provider tells it. ``author``: login; ``url``: empty where the provider says none."""

    id: int
    author: str
    body: str
    url: str


class Merged(Struct, frozen=True):
    """A merged pull request that holds a commit. ``by_it``: the commit is what the merge made."""

    number: int
    by_it: bool


class Api(Protocol):
    """One provider's calls for one repository, and how its answers are read. Pure: sends nothing. What reads an answer
    takes any JSON value, and returns None for what is not of the provider's shape.
    """

    @property
    def number(self) -> int:
        """Of the pull request; 0 while it is not known."""

    @property
    def name(self) -> str:
        """The provider, for people."""

    @property
    def noun(self) -> str:
        """What it calls a pull request."""

    @property
    def longest(self) -> int:
        """Characters that a comment may have."""

    @property
    def needs(self) -> str:
        """What the token has to be allowed, and who gives that."""

    @property
    def secret(self) -> str:
        """The variable that holds the token."""

    @property
    def nameless(self) -> str | None:
        """Who writes where the token may not ask for its own name."""

    def numbered(self: _T, number: int) -> _T:
        """The same for this pull request."""

    def headers(self, token: str) -> dict[str, str]:
        """Headers of every request."""

    def whoami(self) -> Call:
        """Asks whose token it is."""

    def login(self, value: object) -> str | None:
        """The login in the answer."""

    def comments(self) -> Call:
        """Lists comments; the answer may have more pages."""

    def comment(self, value: object) -> Comment | None:
        """One of them; None also for what the provider itself noted."""

    def post(self, body: str) -> Call:
        """A new comment; answered with it."""

    def update(self, comment: int, body: str) -> Call:
        """Another text for a comment; answered with it."""

    def page(self) -> Call | None:
        """Asks for the pull request, where its comments do not say where they are."""

    def address(self, value: object, comment: int) -> str:
        """Where a comment is, given that answer; empty where it does not say."""

    def pulls(self, commit: str) -> Call:
        """Lists pull requests that a commit belongs to."""

    def merged(self, value: object, commit: str) -> Merged | None:
        """One of them, if it was merged here."""


def number_in(value: object) -> int | None:
    """A positive number, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def text_in(value: object) -> str | None:
    """A text, or None."""
    return value if isinstance(value, str) else None


def address_in(value: object) -> str:
    """An address to be shown, or an empty text."""
    fine = isinstance(value, str) and value.startswith(("https://", "http://")) and len(value) <= 2_000
    return str(value) if fine and str(value).isprintable() and " " not in str(value) else ""


def login_in(value: object, key: str) -> str | None:
    """The login of an account, which the providers keep under different names."""
    return (text_in(value.get(key)) or None) if isinstance(value, dict) else None
