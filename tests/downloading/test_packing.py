"""An archive that is being packed is waited for, ever more patiently, and not for ever."""

from __future__ import annotations

import pytest

from reconciler.dataframer.client import Client
from reconciler.downloading import packing
from reconciler.downloading.packing import packed
from reconciler.model.errors import DownloadError, ServiceUnreachable
from tests.downloading.depot import Depot, Said


def test_pauses_grow_and_end_with_the_patience(service: Depot, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    now, waited = [0.0], []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(packing.time, "monotonic", lambda: now[0])
    service.api = lambda path: Said(202, b"{}")
    with pytest.raises(DownloadError, match="still being packed after 60 s"):
        packed(client, "r1", 60, sleep)
    assert sum(waited) == pytest.approx(60)
    assert 0.3 < waited[0] <= 0.5
    assert 7 < max(waited) <= 10


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(Said(202, b"{}", {"retry-after": "3"}), [3.0]), (Said(200, b'{"download_url": ""}'), None)],
)
def test_what_still_packing_looks_like(
    service: Depot, client: Client, answer: Said, expected: list[float] | None
) -> None:
    waited: list[float] = []
    service.archives["r1"] = b"zip"
    service.api = lambda path: None if waited else answer
    found = packed(client, "r1", 60, waited.append)
    assert (found.size, len(waited)) == (3, 1)
    assert expected in (None, waited)


def test_a_link_is_used_once_and_then_asked_anew(service: Depot, client: Client) -> None:
    service.archives["r1"] = b"zip"
    found = packed(client, "r1", 60, lambda seconds: None)
    first, second = found.again(client), found.again(client)
    assert first is not second
    assert len(service.gets("/files/download/")) == 2
    del service.archives["r1"]
    with pytest.raises(DownloadError, match="packed anew"):
        found.again(client)


def test_an_account_that_keeps_its_own_files_is_told(service: Depot, client: Client) -> None:
    service.api = lambda path: Said(200, b'{"download_url": {"gateway": "https://x.example"}}')
    for ask in (lambda: client.archive("r1"), lambda: client.file_link("r1", "f1")):
        with pytest.raises(ServiceUnreachable, match="keeps its own files"):
            ask()
