"""``state rm``: attempts and runs stay, what becomes of them is said, and nothing that costs money is lost sight of."""

from __future__ import annotations

import pytest

from reconciler.project import Project
from tests.acceptance.project import line_with, tree
from tests.surgery.conftest import Run


def test_attempts_stay_and_the_history_says_who(run: Run, project: Project) -> None:
    done = run("state", "rm", "run.done", "run.m")
    assert done.code == 0, done.err
    assert "Forgot 3 addresses." in done.out
    assert "To undo this: reconciler state restore " in done.out
    store = project.open_state()
    assert {"run.done", 'run.m["x"]', 'run.m["y"]'}.isdisjoint(store.snapshot().instances)
    assert [one.run_id for one in store.attempts(["run.done"])] == ["r-done"]
    told = store.events("run.done")[-1]
    assert (told.type, told.message) == ("forgotten", "by hand")
    assert store.applies([str(told.apply_id)])[str(told.apply_id)].command == "state rm"
    store.close()
    assert len(list((project.root.parent / "data").rglob("*before-rm*"))) == 1


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("run.done", ["r-done (SUCCEEDED) stays", "still declared (reconciler.toml:", "buys nothing"]),
        ("run.working", ["goes on and is paid for", "still to be cancelled; that stays so", "buys nothing"]),
        ("run.changed", ["asks for something else", "may buy it, whatever on_change says"]),
        ("run.m[x]", ['r-m["x"] (FAILED) stays']),
    ],
)
def test_what_becomes_of_it_is_said_before_and_after(run: Run, address: str, parts: list[str]) -> None:
    foreseen = run("state", "rm", "--dry-run", address)
    done = run("state", "rm", address)
    assert foreseen.out.splitlines()[0] == done.out.splitlines()[0] == line_with(done.out, *parts)


@pytest.mark.parametrize(
    ("patterns", "said"),
    [
        (["run.kept"], "run.kept is protected"),
        (["run.*"], "is protected"),
        (["run.done", "run.lost"], "reconciler resolve 'run.lost'"),
        (["run.don"], "Did you mean run.done?"),
        (["run.gone"], "run.gone is not recorded"),
    ],
)
def test_refused_as_a_whole(run: Run, project: Project, patterns: list[str], said: str) -> None:
    store = project.open_state()
    before = store.snapshot()
    store.close()
    for more in ([], ["--dry-run"]):
        done = run("state", "rm", *more, *patterns)
        assert (done.code, done.out) == (1, "")
        assert said in done.err
    store = project.open_state()
    assert store.snapshot().instances == before.instances
    assert store.meta().serial == before.meta.serial
    store.close()
    assert not list((project.root.parent / "data").rglob("*before-rm*"))


def test_a_dry_run_writes_nothing(run: Run, project: Project) -> None:
    before = tree(project.root, project.root.parent / "data")
    assert run("state", "rm", "--dry-run", "run.done").out.endswith("Would forget 1 address. Nothing was done.\n")
    assert tree(project.root, project.root.parent / "data") == before


def test_an_address_has_to_be_named(run: Run) -> None:
    assert run("state", "list").code == 0
    done = run("state", "rm", "")
    assert done.code == 1
    assert "is not recorded" in done.err
