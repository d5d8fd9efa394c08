"""One file over real HTTP: resumed, checked, never half; and nothing of its link is told."""

from __future__ import annotations

import itertools
import json
import logging
import socket
import ssl
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from reconciler.dataframer.client import Client
from reconciler.dataframer.storage import Link, Storage
from reconciler.downloading import fetch as module
from reconciler.downloading.fetch import Means, Stopped, Wanted, fetch
from reconciler.model.errors import DownloadError, ReconcilerError
from tests.dataframer.wire import raw_server
from tests.downloading.depot import SIGNATURE, Depot, Get, Said, ranged

CONTENT = bytes(range(256)) * 1024  # 256 KiB
RUN = "r1"


@dataclass
class Bench:
    """Fetches the one file of a depot into a part file."""

    depot: Depot
    client: Client
    part: Path
    waited: list[float] = field(default_factory=list)
    gained: list[int] = field(default_factory=list)
    stop_at: int = 10**9  # bytes
    clock: Callable[[], float] = time.monotonic

    def fetch(self, size: int | None = len(CONTENT), most: int = 10**9) -> int:
        ask = lambda: self.client.file_link(RUN, "f1")  # noqa: E731
        stopped = lambda: sum(self.gained) >= self.stop_at  # noqa: E731
        return fetch(
            Wanted("a.txt", ask, size, most),
            self.part,
            Means(self.client.storage, self.waited.append, stopped, self.gained.append, self.clock),
        )

    def ranges(self) -> list[str | None]:
        """The ranges that the storage was asked for, in order."""
        return [head.get("range") for head in self.depot.headers if head["path"].startswith("/storage/")]

    def links(self) -> int:
        return len(self.depot.gets("/download/"))


@pytest.fixture
def bench(service: Depot, client: Client, tmp_path: Path) -> Bench:
    service.add(RUN, {"a.txt": CONTENT})
    return Bench(service, client, tmp_path / "a.part")


def cut_first(at: int) -> Callable[[Get], Said | None]:
    """The first connection breaks after so many bytes."""

    def say(get: Get) -> Said | None:
        if get.number:
            return None
        good = ranged(CONTENT, get.headers)
        return Said(good.status, good.body, good.headers, cut=at)

    return say


def test_a_file_is_fetched_whole(bench: Bench) -> None:
    assert bench.fetch() == len(CONTENT)
    assert bench.part.read_bytes() == CONTENT
    assert (bench.ranges(), bench.links(), sum(bench.gained)) == ([None], 1, len(CONTENT))


def test_it_goes_on_after_a_break_with_the_same_link(bench: Bench) -> None:
    bench.depot.storage = cut_first(100_000)
    assert bench.fetch() == len(CONTENT)
    assert bench.part.read_bytes() == CONTENT
    assert bench.ranges() == [None, "bytes=100000-"]
    assert (bench.links(), sum(bench.gained), len(bench.waited)) == (1, len(CONTENT), 1)


def test_another_process_goes_on_where_one_has_stopped(bench: Bench) -> None:
    bench.stop_at = 100_000
    with pytest.raises(Stopped):
        bench.fetch()
    there = bench.part.stat().st_size
    assert 100_000 <= there < len(CONTENT)
    bench.stop_at = 10**9
    bench.gained.clear()
    assert bench.fetch() == len(CONTENT)
    assert bench.part.read_bytes() == CONTENT
    assert bench.ranges() == [None, f"bytes={there}-"]
    assert bench.gained[0] == there


def test_what_may_not_be_on_the_disk_is_fetched_again(bench: Bench) -> None:
    bench.depot.storage = cut_first(100_000)
    bench.stop_at = 100_000
    with pytest.raises(Stopped):
        bench.fetch()
    notes = bench.part.with_name("a.part.json")
    known = json.loads(notes.read_bytes())
    notes.write_text(json.dumps(known | {"durable": 70_000}))
    with bench.part.open("r+b") as file:  # what a power cut may leave behind the last sync
        file.seek(70_000)
        file.write(b"\0" * 30_000)
    bench.stop_at = 10**9
    assert bench.fetch() == len(CONTENT)
    assert bench.part.read_bytes() == CONTENT
    assert bench.ranges()[-1] == "bytes=70000-"


NOTES = (b"", b"{", b"[]", b'{"mark": 1, "durable": 5}', b'{"mark": "\\"x\\"", "durable": -1}')


@pytest.mark.parametrize("notes", NOTES)
def test_notes_that_say_nothing_begin_anew(bench: Bench, notes: bytes) -> None:
    bench.part.write_bytes(b"?" * 1000)
    bench.part.with_name("a.part.json").write_bytes(notes)
    assert bench.fetch() == len(CONTENT)
    assert (bench.part.read_bytes(), bench.ranges()) == (CONTENT, [None])


def ignores_ranges(get: Get) -> Said:
    return Said(200, CONTENT, {"etag": '"same"'}, cut=None if get.number else 90_000)


def changes(get: Get) -> Said:
    content = b"old" * 50_000 if get.number == 0 else CONTENT
    good = ranged(content, get.headers)
    return Said(good.status, good.body, good.headers, cut=None if get.number else 90_000)


def has_no_mark(get: Get) -> Said:
    return Said(200, CONTENT, cut=None if get.number else 90_000)


def has_a_weak_mark(get: Get) -> Said:
    return Said(200, CONTENT, {"etag": 'W/"x"'}, cut=None if get.number else 90_000)


def answers_416(get: Get) -> Said:
    if get.number == 1:
        return Said(416, b"", {"content-range": "bytes */7"})
    return Said(200, CONTENT, {"etag": '"x"'}, cut=None if get.number else 90_000)


def gives_another_part(get: Get) -> Said:
    if get.number == 1:
        said = {"etag": '"x"', "content-range": f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"}
        return Said(206, CONTENT, said)
    return Said(200, CONTENT, {"etag": '"x"'}, cut=None if get.number else 90_000)


def gives_a_part_of_another(get: Get) -> Said:
    if get.number == 1:
        said = {"etag": '"y"', "content-range": f"bytes 90000-{len(CONTENT) - 1}/{len(CONTENT)}"}
        return Said(206, b"?" * (len(CONTENT) - 90_000), said)
    return Said(200, CONTENT, {"etag": '"x"'}, cut=None if get.number else 90_000)


@pytest.mark.parametrize(
    "storage",
    [
        ignores_ranges, changes, has_no_mark, has_a_weak_mark, answers_416, gives_another_part, gives_a_part_of_another,
    ],
)  # fmt: skip
def test_a_storage_that_can_not_go_on_begins_anew(bench: Bench, storage: Callable[[Get], Said]) -> None:
    bench.depot.storage = storage
    assert bench.fetch() == len(CONTENT)
    assert bench.part.read_bytes() == CONTENT
    assert sum(bench.gained) == len(CONTENT)


def test_a_date_is_a_mark_as_well(bench: Bench) -> None:
    dated = {"last-modified": "Wed, 21 Oct 2026 07:28:00 GMT"}

    def storage(get: Get) -> Said:
        if get.number == 0:
            return Said(200, CONTENT, dated, cut=90_000)
        assert get.headers["if-range"] == dated["last-modified"]
        return Said(206, CONTENT[90_000:], {"content-range": f"bytes 90000-{len(CONTENT) - 1}/*"})

    bench.depot.storage = storage
    bench.fetch()
    assert (bench.part.read_bytes(), bench.ranges()) == (CONTENT, [None, "bytes=90000-"])


def test_a_part_of_what_nobody_knows_the_length_of_is_no_whole(bench: Bench) -> None:
    def storage(get: Get) -> Said | None:
        if get.number == 0:
            return Said(200, CONTENT, {"etag": '"x"'}, cut=90_000)
        start = int(get.headers["range"][6:-1])
        end = min(start + 100_000, len(CONTENT))
        return Said(206, CONTENT[start:end], {"content-range": f"bytes {start}-{end - 1}/{len(CONTENT)}"})

    bench.depot.storage = storage
    assert bench.fetch(None) == len(CONTENT)
    assert bench.part.read_bytes() == CONTENT
    assert bench.ranges() == [None, "bytes=90000-", "bytes=190000-"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_link_that_is_over_is_asked_anew(bench: Bench, status: int) -> None:
    bench.depot.storage = lambda get: Said(status) if get.number == 0 else None
    bench.fetch()
    assert (bench.part.read_bytes(), bench.links(), bench.waited) == (CONTENT, 2, [])


def test_a_link_that_is_over_in_the_middle_costs_nothing(bench: Bench) -> None:
    def storage(get: Get) -> Said | None:
        return cut_first(90_000)(get) if get.number == 0 else Said(403) if get.number == 1 else None

    bench.depot.storage = storage
    bench.fetch()
    assert (bench.part.read_bytes(), bench.links()) == (CONTENT, 2)
    assert bench.ranges() == [None, "bytes=90000-", "bytes=90000-"]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_storage_that_is_busy_is_asked_again(bench: Bench, status: int) -> None:
    bench.depot.storage = lambda get: Said(status, headers={"retry-after": "7"}) if get.number == 0 else None
    bench.fetch()
    assert (bench.part.read_bytes(), bench.waited, bench.links()) == (CONTENT, [7.0], 1)


def test_a_storage_that_drips_is_left_and_asked_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    times = itertools.count(0, 61)
    monkeypatch.setattr(module, "_STALLED_BYTES", 10**9)
    bench.clock = lambda: float(next(times))
    with pytest.raises(DownloadError, match="bytes came within 60 s"):
        bench.fetch()
    assert 3 <= len(bench.ranges()) <= 9


def refuses(status: int) -> Callable[[Get], Said]:
    return lambda get: Said(status, f"no: {get.path}?signature={SIGNATURE}".encode())


FAILURES: dict[str, tuple[Callable[[Get], Said | None], dict[str, Any], str]] = {
    "too short": (lambda get: Said(200, CONTENT[:-1]), {}, "has 262,143 bytes of it, the service lists 262,144"),
    "too long": (lambda get: Said(200, CONTENT + b"x"), {}, "more than the 262,144 bytes"),
    "endless": (lambda get: Said(200, CONTENT), {"size": None, "most": 1000}, "more than 1,000 bytes"),
    "of no known length": (
        lambda get: Said(200, CONTENT, {"content-length": ""}), {"size": None}, "can't be told from a part",
    ),
    "packed": (lambda get: Said(200, CONTENT, {"content-encoding": "gzip"}), {}, "packed"),
    "always over": (refuses(403), {}, "new links to it are refused"),
    "always busy": (refuses(503), {}, "HTTP 503"),
    "no such method": (refuses(405), {}, "HTTP 405"),
    "never a byte": (lambda get: Said(200, CONTENT, cut=0), {}, "RemoteProtocolError"),
    "always cut": (lambda get: Said(200, CONTENT, {"etag": '"x"'}, cut=90_000), {}, "RemoteProtocolError"),
    "cut without a mark": (lambda get: Said(200, CONTENT, cut=90_000), {}, "RemoteProtocolError"),
    "a loop": (lambda get: Said(302, headers={"location": f"{get.path}?signature={SIGNATURE}"}), {}, "too often"),
    "to the clear": (
        lambda get: Said(302, headers={"location": f"http://example.com/?signature={SIGNATURE}"}), {}, "not encrypted",
    ),
    "to nowhere": (lambda get: Said(307, headers={"location": f"http://[x/{SIGNATURE}"}), {}, "no address"),
}  # fmt: skip


@pytest.mark.parametrize(("storage", "asked", "why"), FAILURES.values(), ids=FAILURES.keys())
def test_what_can_not_be_had_is_said_without_a_word_of_the_link(
    bench: Bench,
    storage: Callable[[Get], Said],
    asked: dict[str, Any],
    why: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench.depot.storage = storage
    with logging_all(caplog), pytest.raises(DownloadError, match=why) as caught:
        bench.fetch(**asked)
    assert bench.part.stat().st_size < len(CONTENT)
    check_secret(caught.value, caplog.text, bench.part.parent)


@contextmanager
def logging_all(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What the command logs with -vv and more; not what the HTTP engine would log of headers, which nobody asks for."""
    with caplog.at_level(logging.DEBUG, "reconciler"), caplog.at_level(logging.DEBUG, "httpx"):
        yield


def check_secret(problem: BaseException, logged: str, folder: Path) -> None:
    """Nothing of a signed link is in an exception (and what is behind it), in logs or in files."""
    told = "".join(traceback.TracebackException.from_exception(problem, capture_locals=False).format())
    chain: BaseException | None = problem
    while chain is not None:
        told += repr(chain) + str(chain)
        chain = chain.__context__
    assert SIGNATURE not in told
    assert SIGNATURE not in logged
    assert [path for path in folder.rglob("*") if path.is_file() and SIGNATURE.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("http://example.com/x?signature=S", "example.com that is not encrypted"),
        ("ftp://example.com/x?signature=S", "not encrypted"),
        ("file:///etc/passwd?signature=S", "no address"),
        ("https://user:word@example.com/?signature=S", "no address"),
        ("https://[::1/?signature=S", "no address"),
        ("https://example.com:port/?signature=S", "no address"),
        ("https://example.com/\n?signature=S", "no address"),
        (f"https://example.com/?signature=S{'x' * 20_000}", "no address"),
        ("//example.com/?signature=S", "not encrypted"),
        ("http://localhost.example.com/?signature=S", "not encrypted"),
        ("https://127.0.0.1:1/?signature=S", "ConnectError"),
    ],
)
def test_links_that_are_not_followed(
    bench: Bench, link: str, why: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    bench.depot.link = lambda path: link.replace("=S", f"={SIGNATURE}")
    with logging_all(caplog), pytest.raises(DownloadError, match=why) as caught:
        bench.fetch()
    check_secret(caught.value, caplog.text, tmp_path)


def test_a_link_to_this_machine_needs_a_service_on_this_machine(bench: Bench) -> None:
    bench.client.storage = Storage(plain=False)
    with pytest.raises(DownloadError, match="not encrypted"):
        bench.fetch()
    assert bench.depot.gets("/storage/") == []


def test_a_redirect_on_this_machine_is_followed(bench: Bench) -> None:
    target = "/storage/r1/f1"
    bench.depot.storage = lambda get: (
        Said(307, headers={"location": f"{target}?signature={SIGNATURE}"}) if get.number == 0 else None
    )
    bench.fetch()
    assert bench.part.read_bytes() == CONTENT


def test_a_storage_that_nobody_vouches_for_hears_nothing(bench: Bench, tmp_path: Path) -> None:
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem")

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as talking:  # fails: the client hangs up
            raw.heard.append(talking.recv(1000))

    with raw_server(serve, read_first=False) as raw:
        bench.depot.link = lambda path: f"{raw.url.replace('http:', 'https:')}{path}?signature={SIGNATURE}"
        with pytest.raises(DownloadError, match="CERTIFICATE_VERIFY_FAILED"):
            bench.fetch()
    assert (raw.heard, raw.connections > 0) == ([], True)


def test_printing_a_link_gives_its_host() -> None:
    link = Link(f"https://storage.example.com/x?signature={SIGNATURE}")
    assert (str(link), repr(link), f"{link}") == ("Link(storage.example.com)",) * 3
    assert not hasattr(link, "__dict__")


@pytest.mark.parametrize(
    "answer",
    [
        Said(500, b'{"error": "https://x.example/y?signature=' + SIGNATURE.encode() + b'"}'),
        Said(200, b'{"download_url": "https://x.example/y?signature=' + SIGNATURE.encode()),
        Said(200, b'["https://x.example/y?signature=' + SIGNATURE.encode() + b'"]'),
        Said(200, b'{"download_url": {"signature": "' + SIGNATURE.encode() + b'"}}'),
        Said(404, b"https://x.example/y?signature=" + SIGNATURE.encode()),
    ],
)
@pytest.mark.parametrize("call", ["file", "archive"])
def test_a_call_for_a_link_that_goes_wrong_repeats_nothing_of_it(
    bench: Bench, answer: Said, call: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    bench.depot.api = lambda path: answer
    with logging_all(caplog):
        try:
            found = bench.client.archive(RUN) if call == "archive" else bench.client.file_link(RUN, "f1")
        except ReconcilerError as problem:
            check_secret(problem, caplog.text, tmp_path)
        else:  # an archive without a link is still being packed
            assert (call, answer.status) == ("archive", 200)
            assert SIGNATURE not in repr(found)
    assert SIGNATURE not in caplog.text
