"""The calls that the product makes. Reads are tried again; a create call is made once and its reply handed on."""

from __future__ import annotations

import random
import re
import time
import urllib.parse
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from msgspec import Struct

from reconciler.dataframer import wirelog
from reconciler.dataframer.advice import with_advice
from reconciler.dataframer.outcomes import MAX_WAIT_SECONDS, Answer, NoAnswer, Outcome, Reply, judge_create, retry_after
from reconciler.dataframer.parse import parse_json, parse_run, parse_spec, service_words, usable_id
from reconciler.dataframer.storage import Link, Storage
from reconciler.dataframer.transport import Transport
from reconciler.model.errors import ServiceRefused, ServiceUnreachable
from reconciler.model.run import Run, Spec

_RUNS = "/api/dataframer/runs/"
_SPECS = "/api/dataframer/specs/"
_READ_SECONDS = 60.0
_READ_TRIES = 4
# The largest answers: of a call that changes something, of one run or spec (with its files), of a list.
_CHANGE_BYTES = 2**20
_ONE_BYTES = 64 * 2**20
_LIST_BYTES = 512 * 2**20
# Tells the service that its answer may lead elsewhere; without it, accounts that keep their own files get a 501.
_FOLLOW = {"x-data-plane-follow": "1"}
_QUERY = re.compile(r"\?[^\s\"'<>]*")  # of whatever link somebody repeats


class Listing(Struct, frozen=True):
    """Every run of the account, newest first, and the service's own ``Date``."""

    runs: tuple[Run, ...]
    date: str | None


class Archive(Struct, frozen=True):
    """Where the archive of a run lies, once it is packed. ``wait``: else, seconds that the service asks to wait."""

    link: Link | None
    size: int | None = None
    wait: float | None = None


class Parsed:
    """Runs of lists that are asked for again and again, by the very bytes that they were parsed from."""

    def __init__(self) -> None:
        self._runs: dict[bytes, Run] = {}

    def parse(self, body: bytes) -> list[Run | None] | None:
        """As ``parse_run`` for each item of a list; only what has changed since the last one is read. None where this
        is no list that can be cut into items: it is to be read whole.
        """
        try:
            items = [bytes(item) for item in _cut(body)]
        except (ValueError, RecursionError):  # msgspec raises a ValueError of its own
            return None
        known, runs = self._runs, list[Run | None]()
        self._runs = {}
        for item in items:
            run = known.get(item) or parse_run(parse_json(item))
            if run is not None:
                self._runs[item] = run
            runs.append(run)
        return runs


@cache
def _cutter() -> Callable[[bytes], list[Any]]:
    import msgspec  # only who follows many runs needs it

    return msgspec.json.Decoder(list[msgspec.Raw]).decode


def _cut(body: bytes) -> list[Any]:
    return _cutter()(body)


class Client:
    """The Dataframer API over a transport. Errors: ServiceRefused, ServiceUnreachable. ``patience``: seconds that a
    read waits at most before it is tried again; a service that asks for more is told of.
    """

    def __init__(
        self,
        transport: Transport,
        sleep: Callable[[float], object] = time.sleep,
        closing: Callable[[], None] = lambda: None,
        storage: Storage | None = None,
        patience: float = MAX_WAIT_SECONDS,
    ) -> None:
        self.storage = storage or Storage()  # what signed links lead to
        self._transport = transport
        self._sleep = sleep
        self._closing = closing
        self._patience = patience

    def create_run(
        self, body: dict[str, Any], seconds: float, before_first_byte: Callable[[], None] | None = None
    ) -> Outcome:
        """Buy one run: exactly one request, at most. ``seconds`` bounds the whole exchange."""
        reply = self._transport.send(
            "POST", _RUNS, json=body, seconds=seconds, most_bytes=_CHANGE_BYTES, before_first_byte=before_first_byte
        )
        return judge_create(reply)

    def list_runs(self, before: Parsed | None = None) -> Listing:
        """Every run that the account can see. An answer that is no bare array, or has an item without an id, is
        no listing: ServiceUnreachable. ``before``: what an earlier list had; an item that is as it was then is not
        parsed once more.
        """
        answer = self._read(_RUNS, _LIST_BYTES)
        runs = None if before is None else before.parse(answer.body)
        if runs is None:
            items = parse_json(answer.body)
            runs = [parse_run(item) for item in items] if isinstance(items, list) else [None]
        if any(run is None for run in runs):
            raise ServiceUnreachable(
                f"GET {_RUNS}: the answer is not a list of runs: {service_words(answer.body)[:200]}"
            )
        return Listing(tuple(run for run in runs if run is not None), answer.headers.get("date"))

    def get_run(self, run_id: str) -> Run | None:
        """One run in full, or None when the service answers 404 for this id."""
        answer = self._read(_path(_RUNS, run_id), _ONE_BYTES, missing_ok=True)
        if answer.status == 404:
            return None
        run = parse_run(parse_json(answer.body))
        if run is None or run.id != run_id:
            raise ServiceUnreachable(f"GET {_path(_RUNS, run_id)}: the answer is not this run")
        return run

    def cancel_run(self, run_id: str) -> Run | None:
        """Ask to stop a run, and return how it stands afterwards (None: gone). Safe to repeat: whatever the service
        answers, the run's own status decides.
        """
        answer = self._change("POST", _path(_RUNS, run_id) + "cancel/")
        run = self.get_run(run_id)
        if run is not None and not run.status.final and not 200 <= answer.status < 300:
            raise ServiceRefused(answer.status, _refusal("POST", _path(_RUNS, run_id) + "cancel/", answer))
        return run

    def delete_run(self, run_id: str) -> None:
        """Remove a run and its files; one that is gone already is fine."""
        answer = self._change("DELETE", _path(_RUNS, run_id))
        if answer.status != 404 and not 200 <= answer.status < 300:
            raise ServiceRefused(answer.status, _refusal("DELETE", _path(_RUNS, run_id), answer))

    def list_specs(self) -> tuple[Spec, ...]:
        """Every spec of the account."""
        answer = self._read(_SPECS, _LIST_BYTES)
        items = parse_json(answer.body)
        specs = [parse_spec(item) for item in items] if isinstance(items, list) else [None]
        if any(spec is None for spec in specs):
            raise ServiceUnreachable(f"GET {_SPECS}: the answer is not a list of specs")
        return tuple(spec for spec in specs if spec is not None)

    def get_spec(self, spec_id: str) -> Spec | None:
        """One spec with its content and versions, or None when the service answers 404."""
        answer = self._read(_path(_SPECS, spec_id), _ONE_BYTES, {"include_versions": "true"}, missing_ok=True)
        if answer.status == 404:
            return None
        spec = parse_spec(parse_json(answer.body))
        if spec is None or spec.id.lower() != spec_id.lower():
            raise ServiceUnreachable(f"GET {_path(_SPECS, spec_id)}: the answer is not this spec")
        return spec

    def file_link(self, run_id: str, file_id: str) -> Link:
        """A signed link to one file of a run, good for an hour."""
        path = f"{_path(_path(_RUNS, run_id) + 'files/', file_id)}download/"
        answer = self._linked(path)
        link = _link(answer)
        if link is None:
            raise _pointer(path)
        return link

    def archive(self, run_id: str) -> Archive:
        """The archive of a run; the first call starts to pack it."""
        path = f"{_path(_RUNS, run_id)}files/download/"
        answer = self._linked(path)
        link, said = _link(answer), parse_json(answer.body)
        if link is not None:
            size = said.get("size_bytes")
            return Archive(link, size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None)
        if answer.status != 202 and (not isinstance(said, dict) or said.get("download_url", "") not in ("", None)):
            raise _pointer(path)
        return Archive(None, wait=retry_after(answer.headers))

    def conceal(self, secrets: Iterable[str]) -> None:
        """Values that nothing may show, whoever repeats them."""
        self._transport.conceal(secrets)

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()
        self.storage.close()
        self._closing()

    def _read(
        self, path: str, most_bytes: int, query: dict[str, str] | None = None, missing_ok: bool = False
    ) -> Answer:
        answer = self._try("GET", path, most_bytes, query)
        if 200 <= answer.status < 300 or (answer.status == 404 and missing_ok):
            return answer
        raise ServiceRefused(answer.status, _refusal("GET", path, answer), retry_after(answer.headers))

    def _linked(self, path: str) -> Answer:
        """An answer that may hold a signed link: nothing of it is repeated but the words of an error."""
        answer = self._try("GET", path, _CHANGE_BYTES, None, _FOLLOW)
        if 200 <= answer.status < 300:
            return answer
        raise ServiceRefused(answer.status, _QUERY.sub("?…", _refusal("GET", path, answer)))

    def _change(self, method: str, path: str) -> Answer:
        answer = self._try(method, path, _CHANGE_BYTES, None)
        if answer.status in (401, 402, 403):
            raise ServiceRefused(answer.status, _refusal(method, path, answer))
        return answer

    def _try(
        self,
        method: str,
        path: str,
        most_bytes: int,
        query: dict[str, str] | None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Reads, cancels and deletes may be repeated; only create calls may not."""
        reply: Reply = NoAnswer(False, "", "")
        for attempt in range(_READ_TRIES):
            reply = self._transport.send(
                method, path, seconds=_READ_SECONDS, most_bytes=most_bytes, query=query, headers=headers
            )
            passing = isinstance(reply, NoAnswer) or reply.status in (408, 425, 429) or reply.status >= 500
            if not passing:
                break
            if attempt + 1 < _READ_TRIES:
                asked = None if isinstance(reply, NoAnswer) else retry_after(reply.headers)
                if asked is not None and asked > self._patience:
                    break
                seconds = asked if asked is not None else random.uniform(0.5, 1.0) * 0.5 * 2**attempt
                wirelog.again(method, path, attempt + 2, _READ_TRIES, seconds, asked is not None)
                self._sleep(seconds)
        if isinstance(reply, NoAnswer):
            raise ServiceUnreachable(f"{method} {path}: {reply.error}: {reply.message}. Check the network and base_url")
        return reply


def _link(answer: Answer) -> Link | None:
    said = parse_json(answer.body)
    url = said.get("download_url") if isinstance(said, dict) else None
    return Link(url) if isinstance(url, str) and url else None


def _pointer(path: str) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"GET {path}: the answer holds no link. An account that keeps its own files has to fetch them there"
    )


def _path(prefix: str, identifier: str) -> str:
    """The path of one run or spec. Raises ServiceUnreachable for what can't be an id: nothing is asked, for ``..`` or
    a slash in it would ask for something else.
    """
    if not usable_id(identifier):
        raise ServiceUnreachable(f"{identifier[:100]!r} can't be an id of the service, so nothing was asked")
    return f"{prefix}{urllib.parse.quote(identifier, safe='')}/"


def _refusal(method: str, path: str, answer: Answer) -> str:
    return f"{method} {path}: {with_advice(answer.status, service_words(answer.body))}"
