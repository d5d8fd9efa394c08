"""No name of the service leads out of its folder, and no two are one file, whatever the file system takes for equal."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.downloading.names import UnsafeName, folder_name, placed, set_aside_name
from reconciler.model.address import format_address

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,12}", fullmatch=True)
KEYS = st.none() | st.text(max_size=12) | st.text("aA.=_-/~@%é", max_size=6)


def folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


@pytest.mark.parametrize(
    ("address", "folder"),
    [
        ("run.tickets_eval", "run.tickets_eval"),
        ('run.langs["de"]', "run.langs.de"),
        ('run.bulk["0"]', "run.bulk.0"),
        ('run.sweep["number_of_samples=10,skip_outline=true"]', "run.sweep.number_of_samples=10,skip_outline=true"),
        ("run.Eval", "run.Eval~"),
        ('run.sweep["generation_model=anthropic/claude"]', "run.sweep.generation_model=anthropic_claude~"),
        ('run.x[""]', "run.x~"),
        ('run.x[".."]', "run.x~"),
        ('run.x["日本"]', "run.x.日本~"),
    ],
)
def test_folders_are_readable(address: str, folder: str) -> None:
    assert re.sub("~[0-9a-f]{12}$", "~", folder_name(address)) == folder


@given(st.lists(st.tuples(NAMES, KEYS), min_size=2, max_size=8, unique=True))
def test_each_address_has_a_folder_of_its_own_that_is_safe(parts: list[tuple[str, str | None]]) -> None:
    folders = [folder_name(format_address(name, key)) for name, key in parts]
    assert len({folded(folder) for folder in folders}) == len(parts)
    for folder in folders:
        assert len(folder.encode()) <= 150
        assert folder.startswith("run.")
        assert not set(folder) & set('/\\@<>:"|?*\0\n')
        assert len({folder, set_aside_name(folder, "3C90"), set_aside_name(folder, "3c90"), folder + "@"}) == 4


REFUSED = {
    "up": "../x",
    "up, later": "a/../../x",
    "up, only": "..",
    "up, as Windows has it": "a\\..\\..\\x",
    "absolute": "/etc/x",
    "absolute, as Windows has it": "\\\\host\\share",
    "a drive": "C:\\x",
    "a drive, relative": "c:x",
    "a new line": "a\nb",
    "an escape": "\x1b[2Jx",
    "a NUL": "a\0b",
    "a C1 control": "a\x9bb",
    "half a pair": "a\ud800",
    "nothing": "",
    "a dot": ".",
    "a folder": "a/",
    "too deep": "/".join("a" * 40),
    "too long": "/".join(["a" * 190] * 20),
}


@pytest.mark.parametrize("name", REFUSED.values(), ids=REFUSED.keys())
def test_what_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(UnsafeName, match="the name"):
        placed(["fine.txt", name])


@pytest.mark.parametrize(
    "name", ["sample_1.txt", "de/sample 1.txt", ".hidden", "a.b.c", "ä.txt", "x" * 200, "a~b", "a@b", "日本/一.txt"]
)
def test_a_name_that_is_fine_stays(name: str) -> None:
    assert placed([name]) == [name]


def test_empty_parts_and_dots_are_left_out() -> None:
    assert placed(["./a//b.txt"]) == ["a/b.txt"]


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("x" * 300 + ".txt", "x" * 160, ".txt"),
        ("é" * 150 + ".jsonl", "é" * 80, ".jsonl"),
        ("con", "con~", ""),
        ("AUX.txt", "AUX~", ".txt"),
        ("ab:c.txt", "ab_c~", ".txt"),
        ("a\\b.txt", "a_b~", ".txt"),
        ("what?.txt", "what_~", ".txt"),
        ("end. ", "end_~", ""),
        ("evil\u202etxt.exe", "evil_txt~", ".exe"),
    ],
)
def test_an_awkward_name_is_changed_and_stays_readable(name: str, start: str, end: str) -> None:
    (path,) = placed([name])
    assert path.startswith(start)
    assert path.endswith(end)
    assert "~" in path
    assert len(path.encode()) <= 200


@pytest.mark.parametrize(
    "names",
    [
        ["a.txt", "A.txt"],
        ["a.txt", "a.txt", "a.txt"],
        ["é", "e\u0301"],
        ["straße", "STRASSE"],
        ["a", "a/b"],
        ["a/b", "a"],
        ["a", "A/b", "a/c"],
        ["a/b/c", "A/B", "a"],
    ],
)
def test_names_that_a_file_system_takes_for_one_are_told_apart(names: list[str]) -> None:
    paths = placed(names)
    assert paths[0] == names[0]
    check_apart(paths)


def check_apart(paths: list[str]) -> None:
    files = {tuple(folded(path).split("/")) for path in paths}
    assert len(files) == len(paths)
    folders = {file[:depth] for file in files for depth in range(1, len(file))}
    assert not files & folders


@given(st.lists(st.text(max_size=20) | st.text("aAé./\\ :~", max_size=8), max_size=8))
def test_whatever_is_placed_stays_inside_and_apart(names: list[str]) -> None:
    try:
        paths = placed(names)
    except UnsafeName:
        return
    check_apart(paths)
    for path in paths:
        for flavour in (PurePosixPath(path), PureWindowsPath(path)):
            assert not flavour.is_absolute()
            assert not flavour.drive
            assert ".." not in flavour.parts
    assert placed(names) == paths
