"""``state mv``: an address is called another one, with all that is its, or nothing is changed."""

from __future__ import annotations

import pytest

from reconciler.project import Project
from reconciler.views.times import local
from state.writes import Put
from tests.acceptance.project import tree
from tests.state.samples import T1
from tests.surgery.conftest import Run, bought


def addresses(run: Run) -> list[str]:
    return run("state", "list").out.split("\n")[:-1]


def test_run_attempts_and_debts_go_along(run: Run, project: Project) -> None:
    done = run("state", "mv", "run.working", "run.b")
    assert done.out.splitlines() == [
        "run.working -> run.b  (run r-working, PROCESSING)",
        "Moved 1 address.",
        "To undo this: reconciler state mv run.b run.working",
    ]
    assert done.err == (
        "Note: run.working is still declared, and has no run from then on: the next plan may buy one.\n"
    )
    store = project.open_state()
    assert store.snapshot().current["run.b"].run_id == "r-working"
    assert [owed.address for owed in store.snapshot().owed] == ["run.b"]
    (told,) = [one for one in store.events("run.b") if one.type == "moved"]
    assert told.message == "it was run.working; moved by hand"
    assert store.applies([str(told.apply_id)])[str(told.apply_id)].command == "state mv"
    store.close()
    assert run("state", "mv", "run.b", "run.working").code == 0
    assert "run.working" in addresses(run)
    assert run("state", "restore", "--list").out.count("  before-mv  ") == 2


def test_two_names_stand_for_all_of_their_instances(run: Run) -> None:
    done = run("state", "mv", "run.m", "run.n")
    assert (done.code, done.out.splitlines()[2]) == (0, "Moved 2 addresses.")
    assert [one for one in addresses(run) if one.startswith(("run.m", "run.n"))] == ['run.n["x"]', 'run.n["y"]']


@pytest.mark.parametrize(
    ("source", "target", "moved"),
    [
        ("run.done", "run.n[de]", 'run.n["de"]'),
        ("run.m['x']", "run.n", "run.n"),
        ('run.m["x"]', 'run.m["z"]', 'run.m["z"]'),
        ("run.lost", "run.b", "run.b"),
        ("run.kept", "run.b", "run.b"),
        ("run.done", "run.gone", "run.gone"),
    ],
)
def test_one_address(run: Run, project: Project, source: str, target: str, moved: str) -> None:
    before = len(addresses(run))
    assert run("state", "mv", source, target).code == 0
    assert moved in addresses(run)
    assert len(addresses(run)) == before
    store = project.open_state()
    assert len({(one.address, one.number) for one in store.attempts()}) == len(store.attempts())
    store.close()


def test_a_forgotten_address_is_recorded_again_under_its_new_name(run: Run, project: Project) -> None:
    done = run("state", "mv", "run.gone", "run.b")
    assert (done.code, done.out.splitlines()[0]) == (0, "run.gone -> run.b  (run r-gone, SUCCEEDED)")
    store = project.open_state()
    assert store.snapshot().current["run.b"].run_id == "r-gone"
    assert [one.attempt_id for one in store.attempts(["run.gone"])] == []
    store.close()


def test_a_forgotten_address_without_a_run_is_not_taken_back(run: Run, project: Project) -> None:
    store = project.open_state()
    store.commit([Put(bought("deleted", "SUCCEEDED", gone_at=T1))])
    store.close()
    assert "run.deleted is not recorded." in run("state", "mv", "run.deleted", "run.b").err


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("run.done", "run.kept", "run.kept is recorded already"),
        ("run.done", "run.done", "run.done is recorded already"),
        ("run.don", "run.b", "run.don is not recorded. Did you mean run.done?"),
        ("run.never", "run.b", "run.never is not recorded."),
        ("run.m", 'run.n["x"]', "run.m has 2 instances"),
        ("run.*", "run.b", "is not an address"),
        ("done", "run.b", "is not an address"),
        ("run.done", "b", "is not an address"),
    ],
)
def test_refused_and_nothing_is_touched(run: Run, project: Project, source: str, target: str, said: str) -> None:
    store = project.open_state()
    before = store.snapshot()
    for more in ([], ["--dry-run"]):
        done = run("state", "mv", *more, source, target)
        assert (done.code, done.out) == (1, "")
        assert said in done.err
    assert store.snapshot() == before
    store.close()
    assert not list((project.root.parent / "data").rglob("*before-mv*"))


def test_a_dry_run_writes_nothing(run: Run, project: Project) -> None:
    before = tree(project.root, project.root.parent / "data")
    done = run("state", "mv", "--dry-run", "run.done", "run.elsewhere")
    assert done.out.splitlines() == [
        "run.done -> run.elsewhere  (run r-done, SUCCEEDED)",
        "Would move 1 address. Nothing was done.",
    ]
    assert "run.elsewhere is not declared" in done.err
    assert tree(project.root, project.root.parent / "data") == before


def test_not_while_another_works(run: Run, project: Project) -> None:
    store = project.open_state()
    with store.lock("apply") as holder:
        for command in (["mv", "run.done", "run.b"], ["rm", "run.done"]):
            done = run("state", *command)
            assert done.code == 5
            assert f"'apply', since {local(holder.since)}, lock {holder.lock_id}" in done.err
    store.close()
    assert "run.done" in addresses(run)
