"""The declarations of a revision are put into a folder that stays, or nothing is done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.config.variables import Given
from reconciler.project import check_project
from reconciler.watching import checkout
from reconciler.watching.checkout import Checkout, SourceRefused
from tests.watching import dying
from tests.watching.dying import GOOD, HEAD, RUN, SPEC


def take(folder: Checkout, commit: str, files: dict[str, bytes]) -> None:
    folder.take(commit, files, {}, Given())


def held(folder: Path) -> dict[str, bytes]:
    """The declarations as a project has them."""
    below = [Path(where) / name for top in ("runs", "environments") for where, _, names in os.walk(folder / top)
             for name in names]  # fmt: skip
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in below}
    return found | {"reconciler.toml": (folder / "reconciler.toml").read_bytes()}


def test_it_holds_exactly_the_declarations_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    folder = Checkout(tmp_path / "project")
    assert folder.good() is None
    take(folder, "one", {**GOOD, "runs/b/c.toml": RUN.replace(b"run.a", b"run.c"), "environments/prod.toml": b""})
    assert held(folder.root).keys() == {*GOOD, "runs/b/c.toml", "environments/prod.toml"}
    (folder.root / ".reconciler").mkdir()
    for name in (".reconciler/state.db", "key", "values.toml"):
        (folder.root / name).write_text("kept")
    take(folder, "two", GOOD)
    assert folder.good() == "two"
    assert held(folder.root) == GOOD
    assert [(folder.root / name).read_text() for name in (".reconciler/state.db", "key", "values.toml")] == ["kept"] * 3
    check_project(folder.root)


def test_it_keeps_one_revision_beside_the_one_that_counts(tmp_path: Path) -> None:
    folder = Checkout(tmp_path / "project")
    for number in range(5):
        take(folder, f"{number}", {**GOOD, "reconciler.toml": HEAD + b"# %d\n" % number})
    found = sorted((folder.root / ".revisions").iterdir())
    assert [path.name[0] for path in found] == ["3", "4"]
    assert len({(path / "runs" / "a.toml").stat().st_ino for path in found}) == 1  # did not change: written once


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
    assert held(folder.root) == GOOD


def test_a_kill_at_any_step_leaves_the_one_revision_or_the_other(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "tests.watching.dying", str(tmp_path)], check=True, cwd=dying.ROOT)
    assert done.returncode == 0
    left = sorted(tmp_path.iterdir())
    good = []
    for root in left:
        folder = Checkout(root)
        good.append(folder.good())
        assert held(root) == dying.CONTENT[str(good[-1])]
        check_project(root)
        take(folder, "two", dying.CONTENT["two"])
        assert (folder.good(), held(root)) == ("two", dying.CONTENT["two"])
        assert len(list((root / ".revisions").iterdir())) <= 2
    assert good == sorted(good, key=["one", "two"].index)
    assert good.count("one") > 15
    assert good[-1] == "two"


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


@pytest.mark.parametrize("there", ["reconciler.toml", "runs/mine.toml", ".git/config"])
def test_a_folder_of_somebody_else_is_not_touched(tmp_path: Path, there: str) -> None:
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("mine")
    with pytest.raises(SourceRefused, match="somebody"):
        take(Checkout(tmp_path), "one", GOOD)
    assert (tmp_path / there).read_text() == "mine"
    assert not os.path.lexists(tmp_path / ".followed")
