"""What a person or the operator's file says while a plan is made, or applied, still counts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from reconciler import consenting
from reconciler.applying.interruption import Interruption
from reconciler.config.settings import DEFAULT_KEY
from reconciler.model.events import Started
from reconciler.model.plan import NO_CHECKOUT
from reconciler.project import Project, read_project
from reconciler.watching import withdrawing
from reconciler.watching.consent import Caps
from reconciler.watching.happenings import Happening, Waits, Worked
from reconciler.watching.known import Known, Rules, known_of
from reconciler.watching.reconcile import Outcome, reconcile
from reconciler.watching.status import Hold, Mode
from tests.service import KEY, TICKETS, FakeService

APPLY = Rules(Mode.APPLY)
WAIT = 10.0


@pytest.fixture
def service() -> Iterator[FakeService]:
    with FakeService() as running:
        yield running


def declared(folder: Path, service: FakeService, *names: str) -> Project:
    """A project of runs: of a 10 samples, of b 11, and so on."""
    runs = "".join(
        f'[run.{name}]\nspec_id = "{TICKETS}"\nnumber_of_samples = {ord(name) - ord("a") + 10}\n' for name in names
    )
    folder.mkdir(exist_ok=True)
    (folder / "reconciler.toml").write_text(f'[api]\nbase_url = "{service.url}"\n{runs}')
    return read_project(folder, {DEFAULT_KEY.name: KEY})


class Pass:
    """A pass, and what is done after the state was read, or when the first purchase is announced."""

    def __init__(self, project: Project, rules: Rules = APPLY) -> None:
        self.project, self.rules = project, rules
        self.known: Known = known_of(project, rules.caps)
        self.leads = True
        self.held: list[Hold] = []
        self.before_purchases: Callable[[], None] = lambda: None
        self._begun = False

    def tell(self, happened: Happening) -> None:
        if isinstance(happened, Waits):
            self.held.append(happened.held.why)
        if isinstance(happened, Worked) and isinstance(happened.event, Started) and not self._begun:
            self._begun = True
            self.before_purchases()

    def go(self) -> Outcome:
        return reconcile(
            self.project, NO_CHECKOUT, self.rules, self.known, Interruption(), self.tell, lambda: self.leads
        )


def first(folder: Path, service: FakeService) -> Project:
    """A project whose state exists."""
    project = declared(folder, service, "a")
    assert Pass(project).go().kind == "applied"
    return project


def test_a_suspension_while_it_is_planned_counts(tmp_path: Path, service: FakeService) -> None:
    first(tmp_path, service)
    one = Pass(declared(tmp_path, service, "a", "b"))
    consenting.suspend(one.project, "", "the bill", None)
    assert one.go().kind == "held"
    assert one.held == [Hold.SUSPENDED]
    assert len(service.creates) == 1


def test_an_address_that_is_suspended_while_it_is_planned_is_not_bought(tmp_path: Path, service: FakeService) -> None:
    first(tmp_path, service)
    one = Pass(declared(tmp_path, service, "a", "b", "c"))
    consenting.suspend(one.project, "run.b", "not yet", None)
    assert one.go().kind == "held"
    assert one.held == [Hold.SUSPENDED]
    assert Pass(one.project).go().kind == "applied"  # the next pass leaves it out
    assert [body["number_of_samples"] for body in service.bodies] == [10, 12]


def test_an_approval_that_is_revoked_while_it_is_planned_does_not_count(tmp_path: Path, service: FakeService) -> None:
    first(tmp_path, service)
    project = declared(tmp_path, service, "a", "b")
    rules = Rules(Mode.APPROVE)
    digest = Pass(project, rules).go().planned.digest
    consenting.approve(project, digest, "", None)
    one = Pass(project, rules)
    consenting.revoke(project, digest)
    assert one.go().held is not None
    assert one.held == [Hold.APPROVAL]
    assert len(service.creates) == 1


def test_what_somebody_else_buys_meanwhile_counts_against_the_caps(tmp_path: Path, service: FakeService) -> None:
    first(tmp_path, service)
    one = Pass(declared(tmp_path, service, "a", "b"), Rules(Mode.APPLY, caps=Caps(runs=2)))
    other = Pass(declared(tmp_path, service, "a", "c"))
    other.known = one.known
    assert other.go().kind == "applied"
    assert one.go().kind == "held"
    assert one.held == [Hold.CAP]
    assert len(service.creates) == 2


def test_a_replica_that_lost_the_lead_meanwhile_buys_nothing(tmp_path: Path, service: FakeService) -> None:
    first(tmp_path, service)
    one = Pass(declared(tmp_path, service, "a", "b"))
    one.leads = False
    assert one.go().kind == "held"
    assert len(service.creates) == 1


@pytest.mark.parametrize("what", ["everything", "an address", "lead", "window"])
def test_purchases_stop_in_the_middle(
    tmp_path: Path, service: FakeService, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    first(tmp_path, service)
    seen, window = threading.Event(), [""]
    look = withdrawing.Consents.withdrawn

    def watched(consents: withdrawing.Consents) -> str:
        why = look(consents)
        if why:
            threading.Timer(0.05, seen.set).start()  # once it is heeded
        return why

    monkeypatch.setattr(withdrawing.Consents, "withdrawn", watched)
    monkeypatch.setattr(withdrawing, "_LOOK_SECONDS", 0.01)

    def denied(at: datetime) -> str:
        return window[0]

    one = Pass(declared(tmp_path, service, "a", "b", "c"), Rules(Mode.APPLY, denied=denied))

    def withdraw() -> None:
        match what:
            case "everything":
                consenting.suspend(one.project, "", "the bill", None)
            case "an address":
                consenting.suspend(one.project, "run.c", "the spec", None)
            case "lead":
                one.leads = False
            case "window":
                window[0] = "a deny window is open"
        assert seen.wait(WAIT)

    one.before_purchases = withdraw
    outcome = one.go()
    assert outcome.rejected == ()  # the service did not fail
    assert len(service.creates) == 1
    one.leads, window[0] = True, ""
    consenting.resume(one.project)
    assert Pass(one.project).go().kind == "applied"
    assert sorted(body["number_of_samples"] for body in service.bodies) == [10, 11, 12]


@pytest.mark.parametrize("scope", ["run.a", "run.a*"])
def test_a_rename_does_not_end_a_suspension(tmp_path: Path, service: FakeService, scope: str) -> None:
    project = first(tmp_path, service)
    consenting.suspend(project, scope, "its bill is looked at", None)
    declared(tmp_path, service, "b", "c")
    text = (tmp_path / "reconciler.toml").read_text()
    (tmp_path / "reconciler.toml").write_text(f'{text}[[moved]]\nfrom = "run.a"\nto = "run.b"\n')
    moved = read_project(tmp_path, {DEFAULT_KEY.name: KEY})
    assert Pass(moved).go().kind == "applied"
    assert [body["number_of_samples"] for body in service.bodies] == [10, 12]  # c alone
    consenting.resume(project)
    assert Pass(moved).go().kind == "applied"
    assert [body["number_of_samples"] for body in service.bodies] == [10, 12, 11]
