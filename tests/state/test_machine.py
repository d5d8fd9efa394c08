"""What a machine remembers of a state: it only rises, and never stops anybody."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from state import machine
from state.machine import Memory, lineages_at, recall, remember
from tests.state.samples import script

DAMAGED = [
    b"",
    b"{",
    b"[]",
    b"7",
    b"\xff",
    b'{"highest_serial": "9", "paths": []}',
    b'{"highest_serial": -1, "paths": []}',
    b'{"highest_serial": true, "paths": []}',
    b'{"highest_serial": 1}',
    b'{"highest_serial": 1, "paths": [2]}',
    b'{"highest_serial": 1, "paths": null}',
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "states"


def test_the_serial_only_rises(folder: Path, tmp_path: Path) -> None:
    assert recall(folder, "l") == (Memory(), None)
    assert not folder.exists()
    for serial, highest in [(3, 3), (7, 7), (5, 7)]:
        assert remember(folder, "l", serial, tmp_path / "state.db") is None
        assert recall(folder, "l")[0].highest_serial == highest
    assert recall(folder, "other")[0].highest_serial == 0
    assert [path.stat().st_mode & 0o777 for path in (folder / "l" / "machine.json", folder / "l", folder)] == [
        0o600,
        0o700,
        0o700,
    ]


def test_the_places_of_a_lineage(folder: Path, tmp_path: Path) -> None:
    here, there = tmp_path / "here.db", tmp_path / "there.db"
    remember(folder, "one", 1, here)
    remember(folder, "one", 2, there)
    remember(folder, "one", 3, here)
    remember(folder, "two", 1, here)
    remember(folder, "three", 1, None)
    assert recall(folder, "one")[0].paths == (str(there.resolve()), str(here.resolve()))
    assert lineages_at(folder, here) == ["one", "two"]
    assert lineages_at(folder, there) == ["one"]
    assert lineages_at(folder / "nowhere", here) == []


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_a_warning_and_is_written_anew(folder: Path, tmp_path: Path, content: bytes) -> None:
    remember(folder, "l", 3, tmp_path / "state.db")
    (folder / "l" / "machine.json").write_bytes(content)
    memory, warning = recall(folder, "l")
    assert memory == Memory()
    assert "machine.json" in str(warning)
    assert lineages_at(folder, tmp_path / "state.db") == []
    assert "machine.json" in str(remember(folder, "l", 2, tmp_path / "state.db"))
    assert recall(folder, "l") == (Memory(2, (str((tmp_path / "state.db").resolve()),)), None)


def test_a_place_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in str(remember(tmp_path / "file", "l", 3, None))
    assert recall(tmp_path / "file", "l")[1] is not None


def test_a_process_that_never_lets_go_is_a_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_LOCK_SECONDS", 0.05)
    remember(folder, "l", 3, None)
    handle = os.open(folder / "l" / "machine.lock", os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert "locked by another process" in str(remember(folder, "l", 4, None))
        assert recall(folder, "l")[0].highest_serial == 3
    finally:
        os.close(handle)
    assert remember(folder, "l", 4, None) is None


def test_processes_at_once_keep_the_highest(folder: Path) -> None:
    code = """
from pathlib import Path
from state.machine import remember
for serial in range(int(sys.argv[2]), 200, 4):
    assert remember(Path(sys.argv[1]), "l", serial, None) is None
"""
    processes = [subprocess.Popen(script(code, folder, start)) for start in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert recall(folder, "l") == (Memory(199), None)
