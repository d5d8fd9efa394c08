"""What is read, and what is refused before it reaches the parser."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from reconciler.config.load import load
from reconciler.model.errors import ConfigurationError


def project(folder: Path, text: str | bytes, **others: str) -> Path:
    (folder / "reconciler.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    for name, content in others.items():
        path = folder / "runs" / f"{name}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, "utf-8")
    return folder


def test_no_project_is_said_with_the_way_in(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"reconciler init|reconciler\.toml"):
        load(tmp_path)


def test_files_come_in_sorted_order_the_root_first(tmp_path: Path) -> None:
    loaded = load(project(tmp_path, "", b="", a="", c=""))
    assert [document.file for document in loaded.documents] == [
        "reconciler.toml",
        "runs/a.toml",
        "runs/b.toml",
        "runs/c.toml",
    ]
    assert loaded.diagnostics == ()


@pytest.mark.parametrize(
    ("text", "words", "place"),
    [
        ("a = 1\nb = = 2\n", "not valid TOML", (2, 5)),
        ("a = 1\na = 2\n", "not valid TOML", (2, 6)),
        ('a = "never ends', "not valid TOML", (1, 16)),
        (b"a = 1\nb = '\xff'\n", "not UTF-8", (2, 6)),
        ("a = " + "[" * 33 + "]" * 33, "Nested too deeply", (1, 37)),
        ("a = " + "{a = " * 40 + "1" + "}" * 40, "Nested too deeply", None),
        (".".join("abcdefghijk") + " = 1", "key is too long", (1, 1)),
        ("x = 1\n[" + ".".join("abcdefghijk") + "]", "key is too long", (2, 2)),
        ("#" * (8 * 1024 * 1024 + 1), "too large", (1, 1)),
    ],
)
def test_refused_with_its_place(tmp_path: Path, text: str | bytes, words: str, place: tuple[int, int] | None) -> None:
    loaded = load(project(tmp_path, text, other="[run.a]\nspec = 1\n"))
    (found,) = loaded.diagnostics
    assert words in found.summary
    assert found.source is not None
    assert found.source.file == "reconciler.toml"
    if place is not None:
        assert (found.source.line, found.source.column) == place
    assert found.fix
    assert [document.file for document in loaded.documents] == ["runs/other.toml"]


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 32 + "]" * 32,
        ".".join("abcdefghij") + " = 1",
        'a = "' + "[" * 100 + '"',
        "a = '''" + "{\n" * 100 + "'''",
        "# " + "[" * 100,
        "# " + ".".join("abcdefghijklmnop"),
        'a = """\n' + ".".join("abcdefghijklmnop") + ' = 1\n"""',
        "\ufeffa = 1",
    ],
)
def test_what_only_looks_like_it_is_read(tmp_path: Path, text: str) -> None:
    assert load(project(tmp_path, text)).diagnostics == ()


@pytest.mark.parametrize(
    "bomb", ["a = " + "[" * 500_000, "a." * 500_000 + "a = 1", "a = " + "{a=" * 200_000, '"' * 2_000_000]
)
def test_bombs_are_refused_quickly(tmp_path: Path, bomb: str) -> None:
    started = time.monotonic()
    assert load(project(tmp_path, bomb)).diagnostics
    assert time.monotonic() - started < 20


def test_an_unreadable_file_is_one_problem_among_others(tmp_path: Path) -> None:
    loaded = load(project(tmp_path, "", gone=""))
    assert len(loaded.documents) == 2
    (tmp_path / "runs" / "gone.toml").unlink()
    (tmp_path / "runs" / "gone.toml").symlink_to(tmp_path / "nowhere")
    (found,) = load(tmp_path).diagnostics
    assert "can't be read" in found.summary
