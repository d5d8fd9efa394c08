"""The plan's comment: found again by author and marker, updated where it is, posted where it is not; and the digest
that it says was reviewed. One algorithm for every provider.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from reconciler.forge.api import Answer, Api, Call, Comment
from reconciler.forge.transport import Sender
from reconciler.forge.words import said, same, short_form, too_long
from reconciler.model.errors import ForgeError, ForgeRefused, ForgeUnclear
from reconciler.model.marker import Marker

_MOST_PAGES: Final = 100
_NEXT: Final = re.compile(r'<([^<>]*)>\s*;[^,<>]*\brel="?next"?')
_DIGEST: Final = re.compile("sha256:[0-9a-f]{64}")


class Deed(Enum):
    """What was done."""

    POSTED = "Posted the plan's comment"
    UPDATED = "Updated the plan's comment"
    UNCHANGED = "The plan's comment says so already"


class Done(Struct, frozen=True):
    """``where``: the comment's address; ``shortened``: it holds the verdict alone; ``notes``: what else to know."""

    deed: Deed
    where: str
    shortened: bool
    notes: tuple[str, ...]


class Forge:
    """One pull request. ``author``: the login whose comments are ours; None: the token's."""

    def __init__(self, api: Api, sender: Sender, author: str | None = None) -> None:
        self._api, self._sender, self._author = api, sender, author

    def put(self, body: str) -> Done:
        """Make ``body``, which begins with a marker, the text of our comment. One that is too long is put in its short
        form. Raises ForgeError.
        """
        marker = Marker.read(body)
        assert marker is not None, "whoever calls has looked"
        before = self._newest(marker.environment, marker.folder)
        short = short_form(body, marker, self._api)
        try:
            try:
                whole = self._place(body, before) if len(body) <= self._api.longest else None
            except ForgeRefused as refused:
                if not too_long(refused):
                    raise
                whole = None
            return whole or replace(self._place(short, before), shortened=True)
        except ForgeError as problem:
            if before is not None and not same(before.body, body):
                problem.add_note(f"The comment of before may be outdated, for it still stands: {self._named(before)}")
            raise

    def digest(self, environment: str, folder: str) -> str:
        """The plan's digest in our newest comment for an environment and a folder. Raises ForgeError."""
        found = self._newest(environment, folder)
        if found is None:
            what = f"environment {environment!r}" if environment else "the default environment"
            raise ForgeError(
                f"There is no plan comment on {self._request} by {self._us()} for {what} and {_folder(folder)}: "
                "nothing says what was reviewed. Look at --env, --folder, --author, or give `apply` the digest itself."
            )
        marker = Marker.read(found.body)
        if marker is None or not _DIGEST.fullmatch(marker.digest):
            raise ForgeError(f"The plan comment holds no digest any more: {self._where(found)}. Plan once more.")
        return marker.digest

    def merged_by(self, commit: str) -> Forge:
        """The pull request that a commit was merged by. Raises ForgeError where there is none, or more than one."""
        items = self._all(self._api.pulls(commit), f"look for the {self._api.noun} of commit {commit[:12]}")
        merged = [found for item in items if (found := self._api.merged(item, commit)) is not None]
        by_it = {found.number for found in merged if found.by_it}
        numbers = sorted(by_it or {found.number for found in merged})
        if len(numbers) == 1:
            return Forge(self._api.numbered(numbers[0]), self._sender, self._author)
        several = " and ".join(map(str, numbers[:5]))
        found_text = f"{len(numbers)} merged {self._api.noun}s: {several}" if numbers else f"no merged {self._api.noun}"
        raise ForgeError(f"{self._api.name} knows {found_text} of commit {commit[:12]}. Say which one with --number N.")

    # Finding

    def _us(self) -> str:
        """The login whose comments are ours."""
        if self._author is None:
            doing = "ask whose token it is"
            answer = self._sender.send(self._api.whoami())
            if answer.status == 403 and self._api.nameless is not None:
                self._author = self._api.nameless
                return self._author
            self._check(answer, doing)
            login = self._api.login(answer.value)
            if login is None:
                raise self._unreadable(doing)
            self._author = login
        return self._author

    def _newest(self, environment: str, folder: str) -> Comment | None:
        """Of our comments, the newest for this environment and folder."""
        newest = None
        for comment in self._ours():
            marker = Marker.read(comment.body)
            if marker is not None and (marker.environment, marker.folder) == (environment, folder):
                newest = comment if newest is None or comment.id > newest.id else newest
        return newest

    def _ours(self) -> Iterator[Comment]:
        us = self._us().casefold()
        for item in self._all(self._api.comments(), f"read the comments of {self._request}"):
            comment = self._api.comment(item)
            if comment is not None and comment.author.casefold() == us:
                yield comment

    def _all(self, call: Call, doing: str) -> Iterator[Any]:
        """Every element of a list, page by page. Of the address of a next page only the query is taken, so that nothing
        is ever asked of another host.
        """
        asked = set()
        for _ in range(_MOST_PAGES):
            asked.add(call.query)
            answer = self._sender.send(call)
            self._check(answer, doing)
            if not isinstance(answer.value, list):
                raise self._unreadable(doing)
            yield from answer.value
            query = _next_page(answer)
            if query is None:
                return
            if query in asked:
                break
            call = replace(call, query=query)
        raise ForgeError(f"{self._api.name} lists more than can be read to {doing}: {len(asked)} pages, and no end.")

    # Writing

    def _place(self, body: str, before: Comment | None) -> Done:
        if before is None:
            return self._done(Deed.POSTED, self._post(body))
        if same(before.body, body):
            return self._done(Deed.UNCHANGED, before)
        try:
            return self._done(Deed.UPDATED, self._update(before, body))
        except ForgeRefused as refused:
            if refused.status not in (403, 404, 410):
                raise
            status = refused.status
        done = self._done(Deed.POSTED, self._post(body))
        note = f"The comment of before can't be changed (HTTP {status}), and is outdated: {self._where(before)}"
        return replace(done, notes=(note, *done.notes))

    def _post(self, body: str) -> Comment:
        """A new comment. Where nobody knows what became of it, it is looked for before it is posted once more."""
        for last in (False, True):
            try:
                return self._written(self._api.post(body), f"comment on {self._request}")
            except ForgeUnclear as problem:
                found = self._there(body, problem)
                if found is not None:
                    return found
                if last or not problem.sent:
                    raise
        raise AssertionError("the second time ends it")

    def _update(self, before: Comment, body: str) -> Comment:
        try:
            return self._written(self._api.update(before.id, body), "change the comment of before")
        except ForgeUnclear as problem:
            found = self._there(body, problem)
            if found is None:
                raise
            return found

    def _written(self, call: Call, doing: str) -> Comment:
        answer = self._sender.send(call)
        self._check(answer, doing)
        comment = self._api.comment(answer.value)
        if comment is None:
            raise ForgeUnclear(str(self._unreadable(doing)), sent=True)
        return comment

    def _there(self, body: str, problem: ForgeUnclear) -> Comment | None:
        """Our comment that has this very text, after an attempt to write it of which nobody knows what became."""
        if not problem.sent:
            return None
        problem.add_note(f"It may have been written all the same: look at {self._request}.")
        self._sender.rest()
        try:
            return next((comment for comment in self._ours() if same(comment.body, body)), None)
        except ForgeError:
            raise problem from None

    def _done(self, deed: Deed, comment: Comment) -> Done:
        us, them = self._us(), comment.author
        note = f"It was written as {them}, not as {us}: without --author '{them}' the next plan does not find it again."
        notes = (note,) if them.casefold() != us.casefold() else ()
        return Done(deed, self._where(comment), shortened=False, notes=notes)

    # Words

    @property
    def _request(self) -> str:
        return f"{self._api.noun} {self._api.number}"

    def _where(self, comment: Comment) -> str:
        """A comment's address, else what to look for. Asking for it must not undo what was done."""
        page = None if comment.url else self._api.page()
        try:
            answer = self._sender.send(page) if page is not None else None
        except ForgeError:
            answer = None
        address = self._api.address(answer.value, comment.id) if answer is not None and answer.status == 200 else ""
        return address or self._named(comment)

    def _named(self, comment: Comment) -> str:
        """The same without asking."""
        return comment.url or f"comment {comment.id} of {self._request}"

    def _unreadable(self, doing: str) -> ForgeError:
        return ForgeError(
            f"{self._api.name} gave an answer that can't be read to {doing}. Is --api-url the REST API's?"
        )

    def _check(self, answer: Answer, doing: str) -> None:
        """Raises ForgeRefused where an answer is not 2xx."""
        name, status = self._api.name, answer.status
        if 200 <= status < 300:
            return
        words = said(answer)
        if 300 <= status < 400:
            way = "Redirects are not followed with the token: has the repository a new name? Say it with --repository"
        elif status == 401:
            way = f"The token in {self._api.secret} is wrong, expired or revoked"
        elif status in (403, 404):
            way = f"If it is there, {self._api.needs}"
        else:
            way = "Nothing was changed by this call"
        told = f" and says: {words}" if words else ""
        raise ForgeRefused(
            status, answer.text, f"{name} answers HTTP {status} to the attempt to {doing}{told.rstrip('.')}. {way}."
        )


def _next_page(answer: Answer) -> tuple[tuple[str, str], ...] | None:
    found = _NEXT.search(answer.headers.get("link", ""))
    try:
        query = parse_qsl(urlsplit(found[1]).query, keep_blank_values=True) if found else []
    except ValueError:
        return None
    return tuple(query) or None


def _folder(folder: str) -> str:
    return f"folder {folder!r}" if folder else "the repository's top folder"
