"""A crash before any step on the file system leaves whole runs or none, and the next download brings the rest."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.dataframer.client import Client
from reconciler.model.downloads import Fetched
from tests.downloading.archives import packed
from tests.downloading.depot import Depot
from tests.downloading.origins import fetch_all, files, kinds, origin

STEPS = ("rename", "replace", "fsync", "mkdir", "unlink", "rmdir", "open", "write", "ftruncate")
MOST_STEPS = 400
STRIDE = 3  # 1 takes three times as long, and has found no more


class Crash(BaseException):
    """The process is gone."""


def crashing(monkeypatch: pytest.MonkeyPatch, below: Path, at: int) -> None:
    """Let the step with this number, and every later one, be the end."""
    seen = 0
    guard = threading.Lock()

    def instead(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def step(*args: Any, **options: Any) -> Any:
            nonlocal seen
            ours = isinstance(args[0], int) or str(os.fspath(args[0])).startswith(str(below))
            if ours and not (name == "open" and not args[1] & os.O_CREAT):
                with guard:
                    seen += 1
                if seen >= at:
                    raise Crash
            return real(*args, **options)

        return step

    for name in STEPS:
        monkeypatch.setattr(os, name, instead(name))


def check_whole(out: Path) -> dict[str, str]:
    """Every folder of a run that can be seen is what its provenance says; gives the run in each."""
    runs = {}
    for folder in out.iterdir():
        if folder.is_dir() and not folder.name.startswith("."):
            told = json.loads((folder / "provenance.json").read_bytes())
            there = {name: hashlib.sha256(data).hexdigest() for name, data in files(folder / "files").items()}
            assert there == {one["path"]: one["sha256"] for one in told["files"]}
            runs[folder.name] = told["run_id"]
    return runs


@pytest.mark.parametrize("way", ["files", "archive"])
def test_a_crash_at_any_step(
    service: Depot, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    content = {"a.txt": b"one", "de/b.txt": b"two" * 1000}
    service.add("r1", {"a.txt": b"old"})
    service.add("r2", content, **({"generated_files": None} if way == "archive" else {}))
    service.archives["r2"] = packed(content)
    crashes = 0
    for at in range(1, MOST_STEPS, STRIDE):
        out = tmp_path / str(at)
        fetch_all(out, client, origin("r1"))
        with monkeypatch.context() as patch:
            crashing(patch, out, at)
            try:
                told = fetch_all(out, client, origin("r2"), threads=1)
            except Crash:
                crashes += 1
            else:
                assert [one for one in told if isinstance(one, Fetched)]
                break
        runs = check_whole(out)
        assert set(runs.values()) in ({"r1"}, {"r1", "r2"})
        assert runs.get("run.x", "r2") in ("r1", "r2")
        assert kinds(fetch_all(out, client, origin("r2")))[0][1] in ("Fetched", "Kept")
        assert check_whole(out) == {"run.x": "r2", "run.x@r1": "r1"}
        assert sorted(path.name for path in out.iterdir()) == [".download.lock", "run.x", "run.x@r1"]
    else:
        pytest.fail(f"it has more than {MOST_STEPS} steps")
    assert crashes > 30 // STRIDE


def test_a_crash_at_any_step_of_a_repair(
    service: Depot, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {"a.txt": b"one", "de/b.txt": b"two" * 1000, "c.txt": b"three"}
    service.add("r1", content)
    for at in range(1, MOST_STEPS, STRIDE):
        out = tmp_path / str(at)
        fetch_all(out, client, origin("r1"))
        (out / "run.x" / "files" / "a.txt").write_bytes(b"mine")
        (out / "run.x" / "files" / "de" / "b.txt").unlink()
        with monkeypatch.context() as patch:
            crashing(patch, out, at)
            try:
                fetch_all(out, client, origin("r1"), threads=1)
            except Crash:
                pass
            else:
                break
        fetch_all(out, client, origin("r1"))
        whole = {f"run.x/files/{name}": data for name, data in content.items()}
        assert files(out) == whole | {"run.x/changed/a.txt": b"mine"}
    else:
        pytest.fail(f"it has more than {MOST_STEPS} steps")
    assert at > 15


@pytest.mark.parametrize("way", ["files", "archive"])
def test_all_of_a_run_is_on_the_disk_before_it_gets_its_name(
    service: Depot, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    content = {"a.txt": b"one", "de/b.txt": b"two" * 1000}
    service.add("r1", content, **({"generated_files": None} if way == "archive" else {}))
    service.archives["r1"] = packed(content)
    synced: set[int] = set()
    named: dict[str, set[int]] = {}
    fsync, rename = os.fsync, os.rename

    def syncing(handle: int) -> None:
        fsync(handle)
        synced.add(os.fstat(handle).st_ino)

    def renaming(source: Path, target: Path) -> None:
        named[target.name] = {path.stat().st_ino for path in [source, *source.rglob("*")]} - synced
        rename(source, target)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "rename", renaming)
    fetch_all(tmp_path, client, origin("r1"))
    assert named.pop("run.x") == set()
    assert tmp_path.stat().st_ino in synced
