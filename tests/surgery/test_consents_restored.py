"""What was approved and suspended, when the state takes the place of another one's."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler import consenting
from reconciler.clock import now
from reconciler.project import Project
from tests.surgery.conftest import Run

USED, REVOKED = (f"sha256:{letter * 64}" for letter in "ab")


def counting(project: Project) -> tuple[set[str], set[str]]:
    """Digests and scopes that count."""
    approvals = {one.digest for one, counts in consenting.listed_approvals(project) if counts}
    return approvals, {one.scope for one, counts in consenting.listed_suspensions(project) if counts}


@pytest.fixture
def changed(project: Project, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A state that was copied, and in which people said more since; each word has a time of its own."""
    ticks = iter(range(1, 1_000))
    monkeypatch.setattr(consenting, "now", lambda: f"{now()[:-1]}{next(ticks):03}Z")
    consenting.approve(project, USED, "", None)
    consenting.approve(project, REVOKED, "", None)
    consenting.suspend(project, "run.ended", "r", None)
    assert run("state", "backup", "--out", str(tmp_path / "backup.db")).code == 0
    assert run("state", "pull", "--out", str(tmp_path / "pulled")).code == 0
    consenting.revoke(project, REVOKED)
    consenting.resume(project)
    consenting.suspend(project, "", "an incident", None)
    return project


def test_a_restore_brings_no_approval_back_and_ends_no_suspension(changed: Project, run: Run, tmp_path: Path) -> None:
    done = run("state", "restore", str(tmp_path / "backup.db"))
    assert done.code == 0
    assert "Its 1 approval(s) count no more." in done.out
    assert counting(changed) == (set(), {""})
    assert run("approve", USED).code == 0
    assert counting(changed)[0] == {USED}


def test_a_restore_of_a_state_that_is_gone_brings_no_approval_back(changed: Project, run: Run, tmp_path: Path) -> None:
    for left in (changed.root / ".reconciler").rglob("state.db*"):
        left.unlink()
    done = run("state", "restore", str(tmp_path / "backup.db"))
    assert "Its 2 approval(s) count no more." in done.out
    assert counting(changed) == (set(), {"run.ended"})


def test_a_push_brings_back_nothing_that_was_ended_since(changed: Project, run: Run, tmp_path: Path) -> None:
    (elsewhere,) = [f"sqlite:///{tmp_path / 'elsewhere.db'}"]
    assert run("--state", elsewhere, "state", "push", str(tmp_path / "pulled")).code == 0
    assert run("--state", elsewhere, "state", "rm", "run.done").code == 0  # it is the newer one now
    assert run("--state", elsewhere, "state", "pull", "--out", str(tmp_path / "newer")).code == 0
    done = run("state", "push", str(tmp_path / "newer"))
    assert (done.code, done.err) == (0, "")
    assert counting(changed) == ({USED}, {""})


def test_consents_move_along_to_an_empty_place(changed: Project, run: Run, tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    assert run("--state", place, "state", "push", str(tmp_path / "pulled")).code == 0
    assert "run.ended" in run("--state", place, "suspend", "--list").out
    assert USED in run("--state", place, "approve", "--list").out
