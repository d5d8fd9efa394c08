"""Tells chats and programs what happens. Each webhook has a thread that posts; the loop never waits for it. An address
is a secret: no log and no message has it.
"""

from __future__ import annotations

import json
import logging
import random
import ssl
import threading
import time
import urllib.parse
import urllib.request
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import httpx

from reconciler import __version__
from reconciler.clock import now
from reconciler.deadline import DeadlineTransport, within
from reconciler.views.paint import one_line
from reconciler.watching.happenings import (
    Applied,
    Followed,
    Happening,
    Led,
    Passed,
    Recovered,
    Refused,
    Rested,
    Stumbled,
    Waits,
)
from reconciler.watching.status import Part
from reconciler.watching.words import lines_of

KINDS: Final = ("led", "followed", "refused", "stumbled", "recovered", "waits", "applied", "rested")
_QUEUE = 100  # messages; then the oldest goes
_REMEMBERED = 1_000  # what was told once and is not told again
_TEXT = 3_000  # characters of a chat's message
_TRY_SECONDS = 10.0
_FIRST, _LONGEST, _GIVEN_UP = 1.0, 600.0, 6 * 3600.0
_STOP_SECONDS = 2.0
_AGAIN = frozenset({408, 425, 429})  # and what is 500 or more
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Webhook:
    """``url``: a secret. ``format``: "slack" | "json". ``events``: some of KINDS."""

    url: str = field(repr=False)
    format: str
    events: frozenset[str]


class Announcer:
    """An observer that announces what is news, from when this replica leads until another one does. Context manager:
    leaving ends its threads.
    """

    def __init__(
        self,
        webhooks: Iterable[Webhook],
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._stop = threading.Event()
        self._posts = [_Post(hook, self._stop, clock, wait or self._stop.wait, chance) for hook in webhooks]
        self._speaks = False
        self._failing: set[Part] = set()
        self._told: OrderedDict[Hashable, None] = OrderedDict()
        self._last: dict[str, Hashable] = {}

    def __enter__(self) -> Announcer:
        for post in self._posts:
            post.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        ends = time.monotonic() + _STOP_SECONDS
        for post in self._posts:
            post.wake()
        for post in self._posts:
            post.thread.join(max(ends - time.monotonic(), 0))

    @property
    def dropped(self) -> int:
        """Messages that were given up."""
        return sum(post.dropped for post in self._posts)

    def __call__(self, happened: Happening) -> None:
        """See ``Observer``."""
        match happened:
            case Led(leader=True):
                self._speaks = True
            case Passed(outcome="standby"):  # until then who lost the lead tells why: nobody else may have it
                self._speaks = False
        kind = type(happened).__name__.lower()
        if kind in KINDS and self._speaks and self._news(kind, happened):
            at = now()
            for post in self._posts:
                if kind in post.webhook.events:
                    post.put(_body(post.webhook.format, kind, happened, at))

    def _news(self, kind: str, happened: Happening) -> bool:
        match happened:
            case Stumbled(part=part):
                new = part not in self._failing
                self._failing.add(part)
                return new
            case Recovered(part=part):
                new = part in self._failing
                self._failing.discard(part)
                return new
            case Refused(commit=commit):
                return self._once(("refused", commit))
            case Waits(planned=planned, held=held):
                return self._once(("waits", planned.digest, held.why))
            case Led(leader=leader):
                if not leader:
                    self._failing.discard(Part.SERVICE)  # who does not lead does not ask it
                return self._changed(kind, leader)
            case Followed(commit=commit):
                return self._changed(kind, commit)
            case Applied():
                done = tuple(sorted(happened.done.items()))
                return self._changed(kind, (happened.commit, happened.digest, done, happened.failures))
            case Rested():
                return True  # each run rests once
        return False

    def _once(self, key: Hashable) -> bool:
        new = key not in self._told
        self._told[key] = None
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        return new

    def _changed(self, kind: str, key: Hashable) -> bool:
        new = self._last.get(kind) != key
        self._last[kind] = key
        return new


def _body(form: str, kind: str, happened: Happening, at: str) -> bytes:
    lines = [one_line(line) for line in lines_of(happened)]
    fields = asdict(happened)
    if "kind" in fields:
        fields["failure"] = fields.pop("kind")  # of what stumbled; "kind" is what happened
    found: dict[str, Any] = {"kind": kind, "at": at, "text": "\n".join(lines), **fields}
    return json.dumps(found if form == "json" else {"text": chat_text(lines)}).encode()


def chat_text(lines: Iterable[str]) -> str:
    """Lines as a chat shows them. What files and the service say makes neither links nor mentions: a word joiner
    (U+2060) parts what a chat would read as one, also where it reads Markdown.
    """
    text = "\n".join(lines)
    if len(text) > _TEXT:
        text = text[: _TEXT - 1] + "…"
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("@", "@\u2060").replace("://", ":\u2060//").replace("](", "]\u2060(")


class _Post:
    """One webhook: its queue and its thread."""

    def __init__(
        self,
        webhook: Webhook,
        stop: threading.Event,
        clock: Callable[[], float],
        wait: Callable[[float], bool],
        chance: Callable[[], float],
    ) -> None:
        self.webhook, self._stop, self._clock, self._wait, self._chance = webhook, stop, clock, wait, chance
        self.dropped = 0
        self._queue: deque[bytes] = deque()
        self._filled = threading.Condition()
        self.thread = threading.Thread(target=self._run, name="webhook", daemon=True)

    def put(self, body: bytes) -> None:
        """Queue it, in the place of the oldest if there is no other."""
        with self._filled:
            if len(self._queue) >= _QUEUE:
                self._queue.popleft()
                self.dropped += 1
            self._queue.append(body)
            self._filled.notify()

    def wake(self) -> None:
        """Let the thread see that it is to end."""
        with self._filled:
            self._filled.notify()

    def _run(self) -> None:
        while True:
            with self._filled:
                while not self._queue and not self._stop.is_set():
                    self._filled.wait()
                if not self._queue:
                    return
                body = self._queue.popleft()
            if not self._delivered(body):
                with self._filled:
                    self.dropped += 1
                _log.warning("a webhook's message was given up")

    def _delivered(self, body: bytes) -> bool:
        began, tries = self._clock(), 0
        while True:
            status, asked = self._try(body)
            if 200 <= status < 300:
                return True
            if status and status < 500 and status not in _AGAIN:
                _log.warning("a webhook answers HTTP %d", status)
                return False
            pause = min(_FIRST * 2 ** min(tries, 30), _LONGEST) * (0.5 + self._chance() / 2)
            pause = max(pause, min(asked, _LONGEST))
            tries += 1
            if self._clock() + pause - began > _GIVEN_UP or self._wait(pause) or self._stop.is_set():
                return False

    def _try(self, body: bytes) -> tuple[int, float]:
        """The status, 0 for no answer, and the seconds of Retry-After. Not through ``httpx.Client``: it follows, and
        logs the address.
        """
        headers = {"content-type": "application/json", "user-agent": f"reconciler/{__version__}"}
        try:
            timeout = httpx.Timeout(_TRY_SECONDS).as_dict()
            request = httpx.Request(
                "POST", self.webhook.url, content=body, headers=headers, extensions={"timeout": timeout}
            )
            with within(_TRY_SECONDS), _network(self.webhook.url) as network:
                answer = network.handle_request(request)
                answer.close()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
            _log.info("a webhook gives no answer: %s", type(error).__name__)
            return 0, 0.0
        told = answer.headers.get("retry-after", "")
        return answer.status_code, float(told) if told.isascii() and told.isdigit() else 0.0


def _network(address: str) -> DeadlineTransport:
    url = urllib.parse.urlsplit(address)
    secure = url.scheme == "https"
    verify = httpx.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    direct = not secure or urllib.request.proxy_bypass(url.hostname or "")
    return DeadlineTransport(verify=verify, proxy=None if direct else urllib.request.getproxies().get("https"))
