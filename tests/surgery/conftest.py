"""A project with a state that holds a little of everything, and the command line inside this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from reconciler.cli.exits import explain
from reconciler.cli.main import cli
from reconciler.cli.session import Session
from reconciler.model.request import Lifecycle
from reconciler.project import Project, read_project
from state.records import ApplyRecord, AttemptRecord, InstanceRecord, OwedRecord, Phase
from state.writes import Put, Write
from tests.planning.plans import SPEC
from tests.state.samples import T0, T1, attempt, event

TOML = f"""
[api]
base_url = "emulator"
[defaults]
generation_model = "m/x"
spec_id = "{SPEC}"
[run.done]
number_of_samples = 10
[run.working]
number_of_samples = 10
[run.changed]
number_of_samples = 11
lifecycle = {{ on_change = "keep" }}
[run.b]
number_of_samples = 10
"""
SENT = f'{{"generation_model":"m/x","number_of_samples":10,"spec_id":"{SPEC}"}}'


DEFAULT = Lifecycle()


def bought(name: str, status: str | None, **changes: object) -> AttemptRecord:
    values: dict[str, object] = {
        "phase": Phase.ACCEPTED, "run_id": f"r-{name}", "status": status, "sent_json": SENT, "spec_id": SPEC,
        "samples_completed": 10, "total_cost": 1.5, "apply_id": "p1", "note": "fine",
    }  # fmt: skip
    return attempt(f"a-{name}", f"run.{name}", **values | changes)


def recorded(one: AttemptRecord, lifecycle: Lifecycle = DEFAULT) -> list[Write]:
    return [Put(one), Put(InstanceRecord(one.address, one.attempt_id, lifecycle.to_json(), T1))]


WRITES: list[Write] = [
    Put(ApplyRecord("p1", "apply", T0, "ada", "laptop")),
    *recorded(bought("done", "SUCCEEDED")),
    *recorded(bought("working", "PROCESSING")),
    *recorded(bought("changed", "SUCCEEDED")),
    *recorded(bought("kept", "SUCCEEDED"), Lifecycle(protect=True)),
    *recorded(bought('m["x"]', "FAILED")),
    *recorded(bought('m["y"]', "SUCCEEDED")),
    Put(OwedRecord("r-old", "run.working", "replaced", T0)),
    Put(bought("gone", "SUCCEEDED", total_cost=None)),  # forgotten
    Put(InstanceRecord("run.lost", None, Lifecycle().to_json(), T1)),
    Put(attempt("a-lost", "run.lost", phase=Phase.UNKNOWN, sent_json=SENT)),
    Put(event("e-done", "run.done")),
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    root = tmp_path / "project"
    root.mkdir()
    (root / "reconciler.toml").write_text(TOML)
    made = read_project(root, {})
    store = made.open_state(create=True)
    store.commit(WRITES)
    store.close()
    return made


class Said(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(project: Project, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command here; what it prints is not escaped."""

    def command(*arguments: str) -> Said:
        session = Session()
        try:
            code = cli.main(
                ["-C", str(project.root), *arguments], prog_name="reconciler", standalone_mode=False, obj=session
            )
        except Exception as problem:  # noqa: BLE001 as the entry point does
            code = explain(problem, session)
        sys.stdout.flush()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Said(code or 0, out, err)

    return command
