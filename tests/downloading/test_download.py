"""Whole runs over real HTTP: into their folders with their provenance, once, and each for itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.dataframer.client import Client
from reconciler.downloading import download as module
from reconciler.downloading.provenance import read, written
from reconciler.model.downloads import DownloadEvent, Fetched, Gained
from reconciler.model.errors import ServiceRefused
from tests.downloading.archives import packed
from tests.downloading.depot import SIGNATURE, Depot, Get, Said
from tests.downloading.origins import fetch_all, files, kinds, origin, words

SCHEMA = Path(__file__).parents[2] / "docs" / "provenance.schema.json"
THREE = {"a.txt": b"one", "de/b.txt": b"two" * 50_000, "empty": b""}


def provenance(folder: Path) -> dict[str, Any]:
    """The provenance file of a run's folder, held against its schema."""
    told: dict[str, Any] = json.loads((folder / "provenance.json").read_bytes())
    Draft202012Validator(json.loads(SCHEMA.read_bytes())).validate(told)
    return told


def gained(told: list[DownloadEvent]) -> int:
    return sum(one.size for one in told if isinstance(one, Gained))


def test_a_run_comes_with_its_provenance(service: Depot, client: Client, tmp_path: Path) -> None:
    service.add("r1", THREE)
    told = fetch_all(tmp_path, client, origin("r1"))
    assert kinds(told) == [("run.x", "Fetched")]
    assert gained(told) == 150_003
    assert files(tmp_path) == {f"run.x/files/{name}": content for name, content in THREE.items()}
    said = provenance(tmp_path / "run.x")
    sha = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert said | {"downloaded_at": "", "tool": "", "files": said["files"][:1]} == {
        "format_version": "1.0",
        "tool": "",
        "address": "run.x",
        "run_id": "r1",
        "service": "https://service.example",
        "state": "lineage-1",
        "attempt": {"number": 1, "rerun": 0, "imported": False, "provisional": False},
        "spec": {"id": "spec-1", "name": "Tickets", "version": 3},
        "parameters": {
            "declared": {"number_of_samples": 10, "spec_id": "spec-1"},
            "sent": {"number_of_samples": 10, "spec_id": "spec-1", "spec_version": 3},
            "effective": {"number_of_samples": 10},
        },
        "status": "SUCCEEDED",
        "samples_completed": 10,
        "samples_failed": 0,
        "total_cost_usd": 0.25,
        "run_created_at": "2026-01-01T00:00:00Z",
        "run_completed_at": "2026-01-01T01:00:00Z",
        "applied": {
            "command": "apply",
            "at": "2025-01-01T00:00:00+00:00",
            "user": "ann",
            "host": "laptop",
            "git_commit": "c0ffee",
            "git_branch": "main",
            "git_dirty": False,
            "plan_id": "plan-1",
            "plan_digest": "sha256:12",
        },
        "downloaded_at": "",
        "source": "files",
        "files": [
            {
                "path": "a.txt",
                "sha256": sha,
                "size_bytes": 3,
                "listed_as": "a.txt",
                "file_id": "f1",
                "file_type": "text/plain",
            }
        ],
    }


def test_the_schema_finds_fault(service: Depot, client: Client, tmp_path: Path) -> None:
    service.add("r1", THREE)
    fetch_all(tmp_path, client, origin("r1", apply_id=None))
    said = provenance(tmp_path / "run.x")
    check = Draft202012Validator(json.loads(SCHEMA.read_bytes()))
    for wrong in ({"files": [{}]}, {"run_id": 1}, {"source": "elsewhere"}, {"link": "https://"}):
        assert not check.is_valid(said | wrong)


def test_a_second_time_asks_for_nothing(service: Depot, client: Client, tmp_path: Path) -> None:
    service.add("r1", THREE)
    fetch_all(tmp_path, client, origin("r1"))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    service.asked.clear()
    told = fetch_all(tmp_path, client, origin("r1"))
    assert (kinds(told), service.asked) == ([("run.x", "Kept")], [])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_what_was_changed_or_lost_is_fetched_again_and_no_more(service: Depot, client: Client, tmp_path: Path) -> None:
    service.add("r1", {**THREE, "c.txt": b"three"})
    fetch_all(tmp_path, client, origin("r1"))
    folder = tmp_path / "run.x"
    said = provenance(folder)
    (folder / "files" / "a.txt").write_bytes(b"ONE")
    (folder / "files" / "c.txt").unlink()
    (folder / "files" / "mine.txt").write_bytes(b"notes of the user")
    service.asked.clear()
    told = fetch_all(tmp_path, client, origin("r1"))
    assert kinds(told) == [("run.x", "Fetched")]
    assert len(words(told)) == 2
    assert sorted(service.gets("/storage/")) == ["/storage/r1/f1", "/storage/r1/f4"]
    whole = {f"run.x/files/{name}": content for name, content in {**THREE, "c.txt": b"three"}.items()}
    kept = {"run.x/files/mine.txt": b"notes of the user", "run.x/changed/a.txt": b"ONE"}
    assert files(tmp_path) == whole | kept
    again = provenance(folder)
    assert again | {"downloaded_at": ""} == said | {"downloaded_at": ""}
    assert kinds(fetch_all(tmp_path, client, origin("r1"))) == [("run.x", "Kept")]


def test_runs_fail_each_for_itself(service: Depot, client: Client, tmp_path: Path) -> None:
    for name in ("good", "wicked", "short", "working", "failed", "twice"):
        service.add(name, {"a.txt": b"one", "b.txt": b"two"})
    service.runs["wicked"]["generated_files"][1]["path"] = "../../b.txt"
    service.runs["short"]["generated_files"][1]["size_bytes"] = 4
    service.runs["working"]["status"] = "PROCESSING"
    service.runs["failed"]["status"] = "FAILED"
    service.runs["twice"]["generated_files"][1]["path"] = "A.TXT"
    told = fetch_all(tmp_path / "out", client, *(origin(name, f"run.{name}") for name in (*service.runs, "gone")))
    ends = dict(kinds(told))
    assert {name for name, end in ends.items() if end == "Fetched"} == {"run.good", "run.twice"}
    why = dict(line.split(": ", 1) for line in words(told))
    assert why.keys() == ends.keys() - {"run.good", "run.twice"}
    assert "leads out of the folder" in why["run.wicked"]
    assert "b.txt: the storage has 3 bytes of it, the service lists 4" in why["run.short"]
    assert "PROCESSING" in why["run.working"]
    assert "FAILED" in why["run.failed"]
    assert "gone from the service" in why["run.gone"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    whole = [path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")]
    assert sorted(whole) == ["run.good", "run.twice"]
    paths = [one["path"] for one in provenance(tmp_path / "out" / "run.twice")["files"]]
    assert len({path.casefold() for path in paths}) == 2


def test_a_run_that_does_not_fit_on_the_disk_is_not_begun(service: Depot, client: Client, tmp_path: Path) -> None:
    service.add("r1", THREE)
    service.runs["r1"]["generated_files"][1]["size_bytes"] = 10**16
    told = fetch_all(tmp_path, client, origin("r1"))
    assert "10,000,000,000,000,003 bytes do not fit on the disk" in words(told)[0]
    assert (files(tmp_path), service.gets("/download/")) == ({}, [])


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_key_that_is_refused_ends_it_all(service: Depot, client: Client, tmp_path: Path, status: int) -> None:
    service.api = lambda path: Said(status, b'{"error": "no"}')
    with pytest.raises(ServiceRefused, match=str(status)):
        fetch_all(tmp_path, client, *(origin(f"r{n}", f"run.x{n}") for n in range(50)))
    assert len(service.asked) < 50


def test_many_runs_at_once(service: Depot, client: Client, tmp_path: Path) -> None:
    for n in range(20):
        service.add(f"r{n}", {f"{i}.txt": f"{n} {i}".encode() for i in range(10)})
    told = fetch_all(tmp_path, client, *(origin(f"r{n}", f"run.x{n}") for n in range(20)), threads=8)
    assert [end for _, end in kinds(told)] == ["Fetched"] * 20
    assert len(files(tmp_path)) == 200
    assert files(tmp_path)["run.x7/files/3.txt"] == b"7 3"


# -- a run of before ---------------------------------------------------------------------------------------------------


def test_a_replaced_run_is_kept_under_its_id_and_comes_back_for_nothing(
    service: Depot, client: Client, tmp_path: Path
) -> None:
    service.add("r1", {"a.txt": b"old"})
    service.add("r2", {"a.txt": b"new"})
    fetch_all(tmp_path, client, origin("r1"))
    fetch_all(tmp_path, client, origin("r2", number=2))
    assert files(tmp_path) == {"run.x/files/a.txt": b"new", "run.x@r1/files/a.txt": b"old"}
    service.asked.clear()
    told = fetch_all(tmp_path, client, origin("r1"))
    assert (kinds(told), service.asked) == ([("run.x", "Kept")], [])
    assert files(tmp_path) == {"run.x/files/a.txt": b"old", "run.x@r2/files/a.txt": b"new"}


def test_two_addresses_that_differ_in_case_have_two_folders(service: Depot, client: Client, tmp_path: Path) -> None:
    for run_id in ("r1", "r2", "r3"):
        service.add(run_id, {"a.txt": run_id.encode()})
    fetch_all(tmp_path, client, origin("r1", "run.a"), origin("r2", "run.A"), origin("r3", 'run.a["B/../../x"]'))
    folders = {path.name.casefold(): files(path) for path in tmp_path.iterdir() if path.is_dir()}
    assert sorted(str(one["files/a.txt"]) for one in folders.values()) == ["b'r1'", "b'r2'", "b'r3'"]


# -- what is in the way ------------------------------------------------------------------------------------------------


def _folder(out: Path) -> None:
    (out / "run.x").mkdir()
    (out / "run.x" / "thesis.txt").write_text("mine")


def _link(out: Path) -> None:
    (out.parent / "elsewhere").mkdir()
    (out / "run.x").symlink_to(out.parent / "elsewhere")


def _file(out: Path) -> None:
    (out / "run.x").write_text("mine")


def _another(out: Path) -> None:
    (out / "run.x").mkdir()
    told = {"format_version": "1.0", "address": "run.y", "run_id": "r1", "files": []}
    (out / "run.x" / "provenance.json").write_bytes(written(told))


def _staging(out: Path) -> None:
    (out.parent / "elsewhere").mkdir()
    (out / ".run.x@r1.partial").symlink_to(out.parent / "elsewhere")


def _within_staging(out: Path) -> None:
    (out.parent / "elsewhere").mkdir()
    (out / ".run.x@r1.partial").mkdir()
    (out / ".run.x@r1.partial" / "files").symlink_to(out.parent / "elsewhere")


@pytest.mark.parametrize("put", [_folder, _link, _file, _another, _staging, _within_staging])
def test_what_download_did_not_make_is_not_touched(service: Depot, client: Client, tmp_path: Path, put: Any) -> None:
    service.add("r1", THREE)
    out = tmp_path / "out"
    out.mkdir()
    put(out)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    told = fetch_all(out, client, origin("r1"))
    assert kinds(told) == [("run.x", "Failed")]
    assert "Move it away" in words(told)[0]
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name[0] != "."}
    assert after == before


def test_a_folder_of_files_that_became_a_link_is_not_written_through(
    service: Depot, client: Client, tmp_path: Path
) -> None:
    service.add("r1", THREE)
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    fetch_all(out, client, origin("r1"))
    (out / "run.x" / "files" / "de").rename(elsewhere)
    (out / "run.x" / "files" / "de").symlink_to(elsewhere)
    assert kinds(fetch_all(out, client, origin("r1"))) == [("run.x", "Kept")]  # read through it is
    (elsewhere / "b.txt").write_bytes(b"somebody's own")
    told = fetch_all(out, client, origin("r1"))
    assert kinds(told) == [("run.x", "Failed")]
    assert "no folder any more" in words(told)[-1]
    assert files(elsewhere) == {"b.txt": b"somebody's own"}


def test_a_provenance_file_that_leads_out_is_none(service: Depot, client: Client, tmp_path: Path) -> None:
    service.add("r1", THREE)
    fetch_all(tmp_path / "out", client, origin("r1"))
    told = provenance(tmp_path / "out" / "run.x")
    (tmp_path / "victim").write_bytes(b"somebody's own")
    told["files"][0]["path"] = "../../../victim"
    (tmp_path / "out" / "run.x" / "provenance.json").write_bytes(written(told))
    found = fetch_all(tmp_path / "out", client, origin("r1"))
    assert kinds(found) == [("run.x", "Failed")]
    assert "is not what `download` made" in words(found)[0]
    assert (tmp_path / "victim").read_bytes() == b"somebody's own"


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b"null", b"[" * 100_000, b'{"format_version": "2.0"}', b'{"format_version": 1}']
)
def test_a_provenance_file_that_can_not_be_read_is_none(data: bytes) -> None:
    assert read(data) is None


# -- the archive -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listed", [None, [], [{"path": "a.txt"}], [{"id": "../x", "path": "a.txt"}], [{"id": "f1"}]])
def test_a_run_that_lists_no_files_comes_from_its_archive(
    service: Depot, client: Client, tmp_path: Path, listed: Any
) -> None:
    service.add("r1", {}, generated_files=listed)
    service.archives["r1"] = packed(THREE)
    service.packing = 2
    told = fetch_all(tmp_path, client, origin("r1"))
    assert files(tmp_path) == {f"run.x/files/{name}": content for name, content in THREE.items()}
    said = provenance(tmp_path / "run.x")
    assert (said["source"], [one["file_id"] for one in said["files"]]) == ("archive", [None] * 3)
    assert len(service.gets("/files/download/")) == 3
    assert kinds(fetch_all(tmp_path, client, origin("r1"))) == [("run.x", "Kept")]
    assert [one.files for one in told if isinstance(one, Fetched)] == [3]


def test_very_many_files_come_from_the_archive(
    service: Depot, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MANY_FILES", 2)
    service.add("r1", THREE)
    service.archives["r1"] = packed({**THREE, "a.txt.metadata": b"{}", "top_level.metadata": b"{}"})
    fetch_all(tmp_path, client, origin("r1"))
    assert files(tmp_path) == {f"run.x/files/{name}": content for name, content in THREE.items()}
    assert service.gets("/storage/") == ["/storage/r1.zip"]
    said = provenance(tmp_path / "run.x")
    assert (said["source"], [one["file_id"] for one in said["files"]]) == ("archive", ["f1", "f2", "f3"])
    (tmp_path / "run.x" / "files" / "a.txt").unlink()
    fetch_all(tmp_path, client, origin("r1"))
    assert service.gets("/storage/")[1:] == ["/storage/r1/f1"]


@pytest.mark.parametrize(
    "archive",
    [
        packed({name: content for name, content in THREE.items() if name != "empty"}),
        packed({**THREE, "a.txt": b"other"}),
        packed({**THREE, "A.TXT": b"other"}),
        packed({**THREE, "../evil": b"x"}),
        b"no archive",
    ],
)
def test_an_archive_that_is_not_what_is_listed_costs_nothing(
    service: Depot, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: bytes
) -> None:
    monkeypatch.setattr(module, "MANY_FILES", 2)
    service.add("r1", THREE)
    service.archives["r1"] = archive
    told = fetch_all(tmp_path / "out", client, origin("r1"))
    assert kinds(told) == [("run.x", "Fetched")]
    assert words(told)[0].endswith("its files are fetched one by one")
    assert files(tmp_path) == {f"out/run.x/files/{name}": content for name, content in THREE.items()}


def test_files_that_came_one_by_one_are_not_fetched_in_an_archive_again(
    service: Depot, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MANY_FILES", 2)
    service.add("r1", THREE)
    service.storage = lambda get: Said(405) if get.path.endswith(("/f2", ".zip")) else None
    told = fetch_all(tmp_path, client, origin("r1"), patience=0, threads=1)
    assert (kinds(told), len(service.gets("/files/download/"))) == ([("run.x", "Failed")], 1)
    service.storage = lambda get: None
    service.asked.clear()
    fetch_all(tmp_path, client, origin("r1"))
    assert files(tmp_path) == {f"run.x/files/{name}": content for name, content in THREE.items()}
    assert (service.gets("/files/download/"), "/storage/r1/f1" in service.asked) == ([], False)


def test_one_file_that_is_listed_twice_is_there_twice(service: Depot, client: Client, tmp_path: Path) -> None:
    service.add("r1", {f"{n}.txt": b"same" * 50_000 for n in range(8)})
    for one in service.runs["r1"]["generated_files"]:
        one["id"] = "f1"
    fetch_all(tmp_path, client, origin("r1"), threads=8)
    assert set(files(tmp_path).values()) == {b"same" * 50_000}
    assert len(files(tmp_path)) == 8


def test_an_archive_that_has_changed_still_repairs_a_run(service: Depot, client: Client, tmp_path: Path) -> None:
    service.add("r1", {}, generated_files=None)
    service.archives["r1"] = packed(THREE)
    fetch_all(tmp_path, client, origin("r1"))
    service.archives["r1"] = packed({**THREE, "a.txt.metadata": b"{}", "top_level.metadata": b"{}"})
    assert kinds(fetch_all(tmp_path, client, origin("r1"))) == [("run.x", "Kept")]
    (tmp_path / "run.x" / "files" / "a.txt").unlink()
    assert kinds(fetch_all(tmp_path, client, origin("r1"))) == [("run.x", "Fetched")]
    assert files(tmp_path) == {f"run.x/files/{name}": content for name, content in THREE.items()}
    service.archives["r1"] = packed({"de/b.txt": b"two" * 50_000})
    (tmp_path / "run.x" / "files" / "a.txt").unlink()
    told = fetch_all(tmp_path, client, origin("r1"))
    assert "does not hold a.txt any more" in words(told)[-1]


def test_an_archive_that_is_never_packed_is_not_waited_for_for_ever(
    service: Depot, client: Client, tmp_path: Path
) -> None:
    service.add("r1", {}, generated_files=None)
    told = fetch_all(tmp_path, client, origin("r1"), patience=0)
    assert "still being packed" in words(told)[0]
    assert "--wait-timeout" in words(told)[0]


def test_a_wicked_archive_leaves_nothing(service: Depot, client: Client, tmp_path: Path) -> None:
    for name, content in {"up": {"../evil": b"x"}, "fine": {"a": b"x"}}.items():
        service.add(name, {}, generated_files=None)
        service.archives[name] = packed(content)
    told = fetch_all(tmp_path / "out", client, origin("up", "run.up"), origin("fine", "run.fine"))
    assert kinds(told) == [("run.fine", "Fetched"), ("run.up", "Failed")]
    assert files(tmp_path) == {"out/run.fine/files/a": b"x"}


def test_an_archive_goes_on_after_a_break(service: Depot, client: Client, tmp_path: Path) -> None:
    service.add("r1", {}, generated_files=None)
    service.archives["r1"] = data = packed({"a": bytes(range(256)) * 4000})

    def storage(get: Get) -> Said | None:
        return Said(200, data, {"etag": '"x"'}, cut=len(data) // 2) if get.number == 0 else None

    service.storage = storage
    assert kinds(fetch_all(tmp_path, client, origin("r1"))) == [("run.x", "Fetched")]


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_nothing_of_a_link_is_stored_or_told(service: Depot, client: Client, tmp_path: Path) -> None:
    service.add("r1", THREE)
    service.add("r2", {}, generated_files=None)
    service.archives["r2"] = packed(THREE)
    service.add("r3", {"a.txt": b"one"})

    def storage(get: Get) -> Said | None:
        if "/r3/" in get.path:
            return Said(403, f"<Error>{SIGNATURE}</Error>".encode())
        if get.path != "/storage/r1/f2":
            return None
        return Said(405) if get.number else Said(200, b"two" * 50_000, {"etag": '"x"'}, cut=70_000)

    service.storage = storage
    told = fetch_all(tmp_path, client, origin("r1", "run.a"), origin("r2", "run.b"), origin("r3", "run.c"))
    assert kinds(told) == [("run.a", "Failed"), ("run.b", "Fetched"), ("run.c", "Failed")]
    assert (tmp_path / ".run.a@r1.partial" / "parts").is_dir()  # what a break leaves is searched, too
    assert SIGNATURE not in repr(told)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and SIGNATURE.encode() in path.read_bytes()] == []
