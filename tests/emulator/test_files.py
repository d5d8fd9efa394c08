"""Output files: what there is, packing, links that expire, ranges."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reconciler.dataframer.emulator.core import Emulator
from reconciler.dataframer.emulator.faults import Faults
from tests.emulator.api import RUNS, Answer, Api, Clock


def _finished(api: Api, clock: Clock, samples: int = 3) -> str:
    run_id = api.create(samples)
    clock.forward(10)
    return run_id


def _below_origin(link: str) -> str:
    url = urlsplit(link)
    assert f"{url.scheme}://{url.netloc}" == "https://emulator.invalid"
    return f"{url.path}?{url.query}"


def _archive(api: Api, clock: Clock, run_id: str) -> Answer:
    api.get(f"{RUNS}{run_id}/files/download/")
    clock.forward(0.6)
    answer = api.get(f"{RUNS}{run_id}/files/download/")
    assert answer.status == 200
    return answer


@pytest.mark.parametrize(("samples", "count"), [(1, 1), (20, 20), (21, 21), (5000, 21)])
def test_a_run_shows_a_capped_number_of_files(api: Api, clock: Clock, samples: int, count: int) -> None:
    run_id = api.create(samples)
    assert api.run(run_id)["generated_files"] == []
    clock.forward(10)
    files = api.run(run_id)["generated_files"]
    assert len(files) == len({made["id"] for made in files}) == count
    assert files[0] == {**files[0], "path": "sample_1.txt", "file_type": "text/plain"}
    assert files[-1]["path"] == ("samples.jsonl" if samples > 20 else f"sample_{samples}.txt")


def test_each_file_can_be_fetched(api: Api, clock: Clock) -> None:
    run_id = _finished(api, clock, 25)
    for made in api.run(run_id)["generated_files"]:
        link = api.get(f"{RUNS}{run_id}/files/{made['id']}/download/").json
        assert (link["filename"], link["content_type"]) == (made["path"], made["file_type"])
        content = api.get(_below_origin(link["download_url"]))
        assert content.status == 200
        assert len(content.body) == made["size_bytes"]
        assert content.headers["content-type"] == made["file_type"]
    assert len(content.body.decode().splitlines()) == 25
    assert json.loads(content.body.splitlines()[0])["sample"] == 1


def test_the_archive_is_packed_first(api: Api, clock: Clock) -> None:
    run_id = _finished(api, clock)
    target = f"{RUNS}{run_id}/files/download/"
    first = api.get(target)
    assert (first.status, first.json) == (202, {})
    clock.forward(0.3)
    assert api.get(target).status == 202
    clock.forward(0.3)
    link = api.get(target)
    assert link.status == 200
    content = api.get(_below_origin(link.json["download_url"]))
    assert len(content.body) == link.json["size_bytes"]
    with zipfile.ZipFile(io.BytesIO(content.body)) as archive:
        assert archive.testzip() is None
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    assert sizes == {made["path"]: made["size_bytes"] for made in api.run(run_id)["generated_files"]}


def test_an_evaluation_changes_the_archive(api: Api, clock: Clock) -> None:
    run_id = _finished(api, clock)
    before = api.get(_below_origin(_archive(api, clock, run_id).json["download_url"]))
    api.call("POST", "/api/dataframer/evaluations/", {"run_id": run_id})
    clock.forward(5)
    after = api.get(_below_origin(_archive(api, clock, run_id).json["download_url"]))
    assert before.headers["etag"] != after.headers["etag"]
    with zipfile.ZipFile(io.BytesIO(after.body)) as archive:
        assert {"top_level.metadata", "sample_1.txt.metadata", "sample_1.txt"} <= set(archive.namelist())


def test_links_expire_after_an_hour(api: Api, clock: Clock) -> None:
    run_id = _finished(api, clock)
    link = _below_origin(_archive(api, clock, run_id).json["download_url"])
    clock.forward(3598)
    assert api.get(link).status == 200
    clock.forward(3)
    assert api.get(link).status == 403
    assert api.get(_below_origin(_archive(api, clock, run_id).json["download_url"])).status == 200


def test_a_link_opens_nothing_else(api: Api, clock: Clock) -> None:
    run_id, other = _finished(api, clock), _finished(api, clock)
    link = _below_origin(_archive(api, clock, run_id).json["download_url"])
    path = link.partition("?")[0]
    forged = [
        path,
        f"{path}?signature=&expires=",
        link.replace(run_id, other),
        link.replace("signature=", "signature=0"),
        link.partition("&expires=")[0] + "&expires=99999999999",
        f"{path}?signature=%C3%A9&expires=1",
        link.replace("archive.zip", "files/file-0001"),
    ]
    assert [api.get(target).status for target in forged] == [403] * len(forged)


def test_a_link_outlives_the_process_but_not_the_run(api: Api, clock: Clock, database: Path) -> None:
    run_id = _finished(api, clock)
    link = _below_origin(_archive(api, clock, run_id).json["download_url"])
    restarted = Emulator(database, clock, faults=Faults())
    assert Api(restarted).get(link).body == api.get(link).body
    restarted.close()
    api.call("DELETE", f"{RUNS}{run_id}/")
    assert api.get(link).status == 404


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-9", 0, 10), ("bytes=5-", 5, None), ("bytes=-7", -7, None), ("bytes=0-999999", 0, None)],
)
def test_ranges(api: Api, clock: Clock, asked: str, start: int, end: int | None) -> None:
    run_id = _finished(api, clock)
    link = _below_origin(_archive(api, clock, run_id).json["download_url"])
    whole = api.get(link)
    assert whole.headers["accept-ranges"] == "bytes"
    part = api.get(link, range=asked)
    assert part.status == 206
    assert part.body == whole.body[start:end]
    first = start % len(whole.body)
    expected = f"bytes {first}-{first + len(part.body) - 1}/{len(whole.body)}"
    assert part.headers["content-range"] == expected


def test_ranges_that_cannot_be_served(api: Api, clock: Clock) -> None:
    run_id = _finished(api, clock)
    link = _below_origin(_archive(api, clock, run_id).json["download_url"])
    size = len(api.get(link).body)
    beyond = api.get(link, range=f"bytes={size}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    for whole in ({"range": "bytes=0-1,4-5"}, {"range": "bytes=0-1", "if-range": '"other"'}, {"range": "lines=1-2"}):
        assert api.get(link, **whole).status == 200


def test_there_is_nothing_to_download_before_the_end(api: Api) -> None:
    run_id = api.create()
    assert api.get(f"{RUNS}{run_id}/files/download/").status == 400
    assert api.call("GET", f"{RUNS}{run_id}/files/file-0001/download/".replace(run_id, "x")).status == 404


def test_an_unknown_file_is_404(api: Api, clock: Clock) -> None:
    assert api.get(f"{RUNS}{_finished(api, clock)}/files/file-0009/download/").status == 404
