"""An archive is unpacked whole and inside of its folder, or not at all."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.downloading import unpack as module
from reconciler.downloading.unpack import BadArchive, unpack
from reconciler.model.errors import ReconcilerError
from tests.downloading.archives import WICKED, packed


def archive(folder: Path, data: bytes) -> tuple[Path, Path]:
    """An archive in a file, and an empty folder two floors down."""
    path, target = folder / "run.zip", folder / "out" / "files"
    path.write_bytes(data)
    target.mkdir(parents=True)
    return path, target


def below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_good_archive_becomes_files(tmp_path: Path) -> None:
    files = {"sample_1.txt": b"one", "de/sample_2.txt": random.Random(1).randbytes(3_000_000), "empty": b"", "de/": b""}
    path, target = archive(tmp_path, packed(files))
    records = unpack(path, target, lambda: None)
    del files["de/"]
    assert below(target) == files
    assert {one.path: one.sha256 for one in records} == {n: hashlib.sha256(c).hexdigest() for n, c in files.items()}
    assert {one.listed_as: one.size_bytes for one in records} == {name: len(content) for name, content in files.items()}


def test_names_that_could_be_one_file_become_two(tmp_path: Path) -> None:
    path, target = archive(tmp_path, packed([("a", b"1"), ("A", b"2"), ("a", b"3"), ("x" * 300, b"4"), ("con", b"5")]))
    records = unpack(path, target, lambda: None)
    assert sorted(below(target).values()) == [b"1", b"2", b"3", b"4", b"5"]
    assert sorted(one.listed_as for one in records) == ["A", "a", "a", "con", "x" * 300]
    assert len({one.path.casefold() for one in records}) == 5


@pytest.mark.parametrize(("make", "why"), WICKED.values(), ids=WICKED.keys())
def test_a_wicked_archive_writes_nothing_elsewhere(tmp_path: Path, make: Callable[[], bytes], why: str) -> None:
    path, target = archive(tmp_path, make())
    with pytest.raises(BadArchive, match=why) as caught:
        unpack(path, target, lambda: None)
    assert isinstance(caught.value, ReconcilerError)
    written = below(target)
    assert sum(map(len, written.values())) <= 100_001
    assert below(tmp_path) == {"run.zip": path.read_bytes(), **{f"out/files/{n}": c for n, c in written.items()}}
    assert sorted(os.listdir(tmp_path / "out")) == ["files"]


def test_an_archive_that_does_not_fit_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, target = archive(tmp_path, packed({"a": b"x" * 1000}))
    monkeypatch.setattr(module, "RESERVE", 2**62)
    with pytest.raises(BadArchive, match="do not fit on the disk"):
        unpack(path, target, lambda: None)
    assert below(target) == {}


def test_it_can_be_stopped(tmp_path: Path) -> None:
    path, target = archive(tmp_path, packed({"a": b"x"}))

    def step() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack(path, target, step)
