"""A replica that leads no more says nothing of what only the leader looks at, and is in no hurry for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from reconciler.applying.interruption import Interruption
from reconciler.config.variables import Given
from reconciler.model.errors import UsageError
from reconciler.watching.backoff import Pace
from reconciler.watching.checkout import Checkout
from reconciler.watching.following import Following
from reconciler.watching.happenings import Happening, Passed
from reconciler.watching.loop import Controller
from reconciler.watching.metrics import Metrics
from reconciler.watching.place import Place
from reconciler.watching.reconcile import Rules
from reconciler.watching.remote import Remote
from reconciler.watching.server import readiness
from reconciler.watching.status import NOTHING_SPENT, Mode, Part
from tests.acceptance.project import HEAD, run
from tests.git import git
from tests.service import KEY, FakeService


@pytest.fixture
def service() -> Iterator[FakeService]:
    with FakeService(polls=None) as running:
        yield running


def desk(folder: Path, url: str) -> Path:
    made = folder / "desk"
    made.mkdir()
    git(made, "init", "--quiet", "--initial-branch", "main")
    (made / "reconciler.toml").write_text(HEAD.replace("{url}", url) + run("a", 10))
    git(made, "add", "--all")
    git(made, "commit", "--quiet", "--message", "declare")
    return made


PACE = Pace(3_600.0, first=0.01, longest=0.01)


def replica(
    folder: Path, name: str, remote: Path, heard: list[Happening], pace: Pace = PACE, stop: Interruption | None = None
) -> Controller:
    """A controller of its own checkout, on the state that all of them share."""
    place, state = Place(str(remote)), f"sqlite:///{folder}/state.db"
    following = Following(
        Remote(place, folder / name / "repository"), Checkout(folder / name / "project"), place,
        {"DATAFRAMER_API_KEY": KEY}, Given(), state,
    )  # fmt: skip
    return Controller(following, place, "", Rules(Mode.APPLY), pace, stop or Interruption(), (heard.append,))


def test_a_leader_that_is_relieved_while_the_service_fails(tmp_path: Path, service: FakeService) -> None:
    remote, heard = desk(tmp_path, service.url), list[Happening]()
    first, second = (replica(tmp_path, name, remote, heard) for name in ("first", "second"))
    first._pass()
    assert (first.status.leader, dict(first.status.runs), first.status.spent.runs) == (True, {"PENDING": 1}, 1)
    service.key = "another one"
    first._pass()
    assert Part.SERVICE in first.status.troubles
    (tmp_path / "state.db.leader").unlink()  # as a lost session of PostgreSQL
    service.key = KEY
    second._pass()
    first._pass()
    found = first.status
    assert (second.status.leader, found.leader, dict(found.troubles)) == (True, False, {})
    assert (dict(found.runs), found.spent, found.planned, found.held) == ({}, NOTHING_SPENT, None, None)
    assert (heard[-1].outcome if isinstance(heard[-1], Passed) else heard[-1]) == "standby"
    assert (readiness(found)[0], found.last_success is not None) == (True, True)
    assert first._backoff.due(0.0) is None
    said = generate_latest(Metrics(lambda: first.status).registry).decode()
    for line in ("leader 0.0", 'runs{status="PENDING"} 0.0', "window_spent_runs 0.0", "drift 0.0", "suspended 0.0"):
        assert f"\nreconciler_{line}\n" in said
    assert 'consecutive_failures{part="service"} 0.0' in said
    first._failed(Part.SOURCE, UsageError("a file of variables was not there for a moment"))
    first._pass()
    assert dict(first.status.troubles) == {}
    leading = generate_latest(Metrics(lambda: second.status).registry).decode()
    for line in ("leader 1.0", 'runs{status="PROCESSING"} 1.0', "window_spent_runs 1.0"):
        assert f"\nreconciler_{line}\n" in leading
    assert not any(name in leading for name in ("run.a", *service.run_ids))
    for one in (first, second):
        one._resign()
