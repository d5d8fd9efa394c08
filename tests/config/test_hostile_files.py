"""Files that are made to hurt, or only look as if: refused, or read, and either at once."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

import pytest

from reconciler.config.load import MAX_BYTES, Loaded, load
from reconciler.model.diagnostics import errors
from reconciler.model.errors import ConfigurationError
from reconciler.project import check_project

LONG = ".".join("abcdefghijk")  # 11 parts
SECONDS = 0.6  # of this process: far more than a look at each of these needs


def loaded(folder: Path, text: str | bytes) -> Loaded:
    (folder / "reconciler.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(folder)


@pytest.mark.parametrize(
    "text",
    [
        f'a = "{LONG}"',
        f"a = '{LONG}'",
        f'a = ["{LONG}", \'{LONG}\']',
        f'a = "see https://{LONG}/"',
        f'a = {{ b = "{LONG}" }}',
        f'"{LONG}" = 1',
        f"'{LONG}' = 1",
        f'a = """{LONG}"""',
        f"a = '''\n{LONG} = 1\n'''",
        f"a = 1 # {LONG} = 1",
        f'a = "#" # "{LONG}"',
        f'a = "\\"{LONG}"',
        'a = "' + "[{" * 100 + '"',
        "a = '" + "[{" * 100 + "'",
        "[\"" + "[" * 100 + '"]\na = 1',
        "a = [" + "[]," * 1_000 + "]",
        "a = [" + "{ b = [] }, " * 1_000 + "]",
    ],
)  # fmt: skip
def test_strings_and_comments_do_not_count(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, text).diagnostics == ()


@pytest.mark.parametrize(
    ("text", "summary", "place"),
    [
        (f"{LONG} = 1", "The key is too long", "1:1"),
        (f"x = 1\r\n  {LONG} = 1", "The key is too long", "2:3"),
        (f"[[{LONG}]]", "The key is too long", "1:3"),
        (f"x = {{ {LONG} = 1 }}", "The key is too long", "1:7"),
        (LONG.replace(".", " . ") + " = 1", "The key is too long", "1:1"),
        ("'a'." + '"b".' * 9 + "c = 1", "The key is too long", "1:1"),
        ('x = """\n"""\n' + f"{LONG} = 1", "The key is too long", "3:1"),
        ("x = [\n" + "[" * 32 + "]" * 32 + "\n]", "Nested too deeply", "2:32"),
        ("x = " + "[{ a = " * 16 + "[]" + "}]" * 16, "Nested too deeply", None),
    ],
)
def test_what_is_not_in_them_counts(tmp_path: Path, text: str, summary: str, place: str | None) -> None:
    (found,) = loaded(tmp_path, text).diagnostics
    assert found.summary == summary
    assert place is None or str(found.source) == f"reconciler.toml:{place}"


@pytest.mark.parametrize(
    "text",
    [
        "# " + "a" * 8_000,
        'a = "' + "a" * 8_000 + '"',
        '\\"""\n' * 4_000,
        'a = """' + '\\"""\n' * 4_000,
        f"# {LONG}\n" * 6_000,
        "".join(f"a{n} = '''\n{LONG}\n'''\n" for n in range(6_000)),
        "a" + " " * 100_000 + "= 1",
        "a . " * 50_000,
        "'" * 50_000,
        "[" * 50_000,
        "[[a]]\n" * 5_000,
        "a = [" + "1," * 100_000 + "]",
        "".join(f"[run.a{n}]\n" for n in range(10_000)),
    ],
    ids=lambda text: f"{text[:16]!r}x{len(text)}",
)
def test_no_text_takes_long(tmp_path: Path, text: str) -> None:
    started = time.process_time()
    loaded(tmp_path, text)
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize("item", ["[t%]\n", "[[a]]\n", "k%=1\n", "a%={}\n"])
def test_half_a_million_tiny_things_are_refused_before_they_are_parsed(tmp_path: Path, item: str) -> None:
    text = "".join(item.replace("%", str(number)) for number in range(500_001))
    started = time.process_time()
    (found,) = loaded(tmp_path, text).diagnostics
    assert time.process_time() - started < SECONDS
    assert found.summary == "The file holds too much"


def test_the_largest_file_and_one_byte_more(tmp_path: Path) -> None:
    line = b"# nothing to see here, move along please, thanks a lot for it\n"
    text = (line * (MAX_BYTES // len(line) + 1))[:MAX_BYTES]
    assert loaded(tmp_path, text).diagnostics == ()
    (found,) = loaded(tmp_path, text + b"#").diagnostics
    assert found.summary == "The file is too large"
    assert "8 MiB" in found.detail


@pytest.mark.parametrize(
    ("data", "place", "byte"),
    [
        (b"\xff", "1:1", "0xff"),
        (b"a = '\xe9'\n", "1:6", "0xe9"),
        ("# äöü€𝄞\n# ü".encode() + b"\xc3(\n", "2:4", "0xc3"),
        (b"\xef\xbb\xbfa = '\xff'\n", "1:6", "0xff"),
        (b"\xef\xbb\xbfa = 1\nb = '\xff'\n", "2:6", "0xff"),
        (b"\xff\xfea\x00", "1:1", "0xff"),
        (b"a = 1\r\nb = '\xed\xa0\x80'\r\n", "2:6", "0xed"),
    ],
)
def test_where_a_file_is_not_utf_8(tmp_path: Path, data: bytes, place: str, byte: str) -> None:
    (found,) = loaded(tmp_path, data).diagnostics
    assert found.summary == "The file is not UTF-8"
    assert (str(found.source), byte in found.detail) == (f"reconciler.toml:{place}", True)


@pytest.mark.parametrize("number", ["0x" + "F" * 6_000, "0b1" + "01" * 20_000, "9" * 4_000, "-0"])
def test_a_huge_number_is_out_of_bounds(tmp_path: Path, number: str) -> None:
    (tmp_path / "reconciler.toml").write_text(f"[apply]\nparallelism = {number}\n")
    (found,) = check_project(tmp_path).diagnostics
    assert found.summary == "Value out of bounds"
    assert len(found.detail) < 100


def test_after_a_thousand_wrong_declarations_the_rest_is_not_checked(tmp_path: Path) -> None:
    many = "".join(f"[run.r{n}]\nx = 1\n" for n in range(1_500)) + "".join(f"[t{n}]\n" for n in range(1_500))
    (tmp_path / "reconciler.toml").write_text(many)
    found = check_project(tmp_path).diagnostics
    assert sum(item.summary == "Too many problems" for item in found) == 1
    assert sum(item.summary == "Unknown table" for item in found) == 1_000


def test_a_folder_that_can_t_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs" / "deep").mkdir(parents=True)
    (tmp_path / "runs" / "deep" / "a.toml").write_text("[run.a]\n")
    listing = os.scandir

    def forbidden(path: str) -> object:  # as root, no folder is closed
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return listing(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    (found,) = loaded(tmp_path, "").diagnostics
    assert (found.summary, str(found.source)) == ("The file can't be read", "runs/deep:1:1")


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/runs/\xff.toml")).write_text("")
    (found,) = loaded(tmp_path, "").diagnostics
    assert found.summary == "The file's name is not UTF-8"


@pytest.mark.parametrize("digits", [4_301, 5_000, 6_000])
def test_a_number_of_too_many_digits_is_no_crash(tmp_path: Path, digits: int) -> None:
    """One of the two parsers refuses it, the other leaves it to the checks of values."""
    for line in ("b = ", "[run.a]\nnumber_of_samples = "):
        (tmp_path / "reconciler.toml").write_text(line + "9" * digits)
        found = errors(check_project(tmp_path, {}).diagnostics)
        assert found
        assert all(len(item.detail) < 300 for item in found)


@pytest.mark.parametrize(
    "text", ["\x00", "a = '\x00'", "a = 1\rb = 2", "\ufeff\ufeffa = 1", "a = 1979-99-99", "a = 0x", "é = 1"]
)
def test_other_nonsense_is_no_crash(tmp_path: Path, text: str) -> None:
    (found,) = loaded(tmp_path, text).diagnostics
    assert found.summary in ("This is not valid TOML", "This TOML can't be read")


def test_links_are_followed_and_dangling_ones_told(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.toml").write_text("[run.a]\n")
    (tmp_path / "runs" / "deep").mkdir(parents=True)
    (tmp_path / "runs" / "deep" / "good.toml").symlink_to(tmp_path / "elsewhere.toml")
    (tmp_path / "runs" / "gone.toml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "runs" / "loop.toml").symlink_to(tmp_path / "runs" / "loop.toml")
    (tmp_path / "runs" / "folder.toml").mkdir()
    read = loaded(tmp_path, "")
    assert [document.file for document in read.documents] == ["reconciler.toml", "runs/deep/good.toml"]
    assert [item.summary for item in read.diagnostics] == ["The file can't be read"] * 3


@pytest.mark.parametrize("name", ["reconciler.toml", "runs/pipe.toml"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "reconciler.toml").write_text("")
    pipe = tmp_path / name
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    done = threading.Event()

    def read() -> None:
        with contextlib.suppress(ConfigurationError):
            load(tmp_path)
        done.set()

    thread = threading.Thread(target=read)
    thread.start()
    waited = not done.wait(3 * SECONDS)
    if waited:
        pipe.write_bytes(b"")  # lets the reader go
    thread.join()
    assert not waited


def test_many_declarations_of_many_runs_are_refused_before_they_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = "11111111-1111-4111-8111-111111111111"
    many = "".join(
        f'[run.r{number}]\nspec_id = "{spec}"\ngeneration_model = "m/x"\nnumber_of_samples = 100\nshard_size = 1\n'
        for number in range(300)
    )
    (tmp_path / "reconciler.toml").write_text(f'{many}depends_on = ["run.r298", "run.r0"]\n')
    monkeypatch.setattr("reconciler.config.expand.MOST_INSTANCES", 250)
    (found,) = errors(check_project(tmp_path).diagnostics)
    assert (found.summary, found.address) == ("Too many instances", "run.r2")
    assert "more than 250 runs" in found.detail
    assert str(found.source) == "reconciler.toml:11:1"
    monkeypatch.setattr("reconciler.config.expand.MOST_INSTANCES", 100_000)
    assert check_project(tmp_path).valid
