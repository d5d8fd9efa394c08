"""The declarations of a revision are put into a folder that stays, or nothing is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.config.variables import Given
from reconciler.watching import checkout
from reconciler.watching.checkout import Checkout, SourceRefused

SPEC = "11111111-1111-4111-8111-111111111111"
HEAD = b'[api]\nbase_url = "emulator"\n'
RUN = f'[run.a]\nspec_id = "{SPEC}"\nnumber_of_samples = 5\n'.encode()
GOOD = {"reconciler.toml": HEAD, "runs/a.toml": RUN}


def take(folder: Checkout, commit: str, files: dict[str, bytes]) -> None:
    folder.take(commit, files, {}, Given())


def test_it_holds_exactly_the_declarations_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    folder = Checkout(tmp_path / "project")
    assert folder.good() is None
    take(folder, "one", {**GOOD, "runs/b/c.toml": RUN.replace(b"run.a", b"run.c"), "environments/prod.toml": b""})
    (folder.root / ".reconciler").mkdir()
    for name in (".reconciler/state.db", "key", "values.toml"):
        (folder.root / name).write_text("kept")
    take(folder, "two", GOOD)
    assert folder.good() == "two"
    found = {path.relative_to(folder.root).as_posix() for path in folder.root.rglob("*") if path.is_file()}
    assert found == {".followed", ".reconciler/state.db", "key", "values.toml", *GOOD}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "reconciler.toml: there is none"),
        ({"reconciler.toml": HEAD}, "declares no run"),
        ({**GOOD, "runs/b.toml": b"[run.b]\nx = = 1\n"}, "runs/b.toml:2:5: This is not valid TOML"),
        (
            {**GOOD, "runs/b.toml": f'[run.b]\nspec_id = "{SPEC}"\nnumber_of_sampels = 5\n'.encode()},
            "runs/b.toml:3:1: Unknown key",
        ),
    ],
)
def test_what_is_empty_or_wrong_is_not_taken(tmp_path: Path, files: dict[str, bytes], said: str) -> None:
    folder = Checkout(tmp_path / "project")
    take(folder, "one", GOOD)
    with pytest.raises(SourceRefused) as refused:
        take(folder, "two", files)
    assert said in "\n".join(refused.value.problems)
    assert "reconciler-watch-" not in "\n".join(refused.value.problems)
    assert folder.good() == "one"
    assert {name: (folder.root / name).read_bytes() for name in GOOD} == GOOD


def test_what_nobody_foresaw_in_a_revision_does_not_end_the_controller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Checkout(tmp_path / "project")
    take(folder, "one", GOOD)

    def breaks(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(checkout, "check_project", breaks)
    with pytest.raises(SourceRefused, match="RecursionError: too deep"):
        take(folder, "two", GOOD)
    assert folder.good() == "one"


def test_a_start_after_a_kill_takes_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Checkout(tmp_path / "project")
    take(folder, "one", GOOD)
    newer = {"reconciler.toml": HEAD + b"# new\n", "runs/b.toml": RUN}
    write, left = checkout._write, [2]

    def dies(path: Path, content: bytes) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        write(path, content)

    monkeypatch.setattr(checkout, "_write", dies)
    with pytest.raises(KeyboardInterrupt):
        take(folder, "two", newer)
    assert Checkout(folder.root).good() is None  # half of it counts as nothing
    monkeypatch.setattr(checkout, "_write", write)
    (folder.root / "runs" / ".reconciler-new-x").write_text("half")
    take(Checkout(folder.root), "two", newer)
    assert folder.good() == "two"
    assert {path.name for path in folder.root.rglob("*.toml")} == {"reconciler.toml", "b.toml"}
    assert not list(folder.root.rglob(".reconciler-new-*"))


@pytest.mark.parametrize("there", ["reconciler.toml", "runs/mine.toml", ".git/config"])
def test_a_folder_of_somebody_else_is_not_touched(tmp_path: Path, there: str) -> None:
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("mine")
    with pytest.raises(SourceRefused, match="somebody"):
        take(Checkout(tmp_path), "one", GOOD)
    assert (tmp_path / there).read_text() == "mine"
    assert not (tmp_path / ".followed").exists()
