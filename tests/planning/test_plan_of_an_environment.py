"""A saved plan belongs to the state of its environment, and the command that applies it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.cli.session import Session
from reconciler.config.variables import Given
from reconciler.model.errors import PlanOutdated
from reconciler.pipeline.apply import refuse_environment
from reconciler.pipeline.plan import PlanOptions, make_plan
from reconciler.planning.planfile import read_plan, write_plan
from reconciler.project import Project, read_project
from tests.planning.plans import SPEC

TOML = f"""
[api]
base_url = "emulator"
[run.a]
spec_id = "{SPEC}"
number_of_samples = 1
generation_model = "anthropic/claude-haiku-4-5"
"""


def project(root: Path, environment: str | None) -> Project:
    (root / "environments").mkdir(exist_ok=True)
    (root / "reconciler.toml").write_text(TOML)
    for name in ("production", "staging"):
        (root / "environments" / f"{name}.toml").touch()
    return read_project(root, {}, given=Given(environment))


@pytest.mark.parametrize("planned", ["production", None])
def test_a_plan_is_refused_in_another_environment(tmp_path: Path, planned: str | None) -> None:
    """Before there is a state, nothing else tells the two apart."""
    made = make_plan(project(tmp_path, planned), PlanOptions(ask_service=False, offline=True))
    write_plan(tmp_path / "saved.plan", made)
    read = read_plan(tmp_path / "saved.plan")
    refuse_environment(project(tmp_path, planned), read)
    for other in {"production", "staging", None} - {planned}:
        with pytest.raises(PlanOutdated, match="another state"):
            refuse_environment(project(tmp_path, other), read)


def test_a_command_to_be_typed_names_project_environment_and_state() -> None:
    assert Session().command("apply", "tonight.plan") == "reconciler apply tonight.plan"
    session = Session(Path("/my runs"), "postgresql://ci@db/x", "production")
    said = "reconciler -C '/my runs' --env production --state postgresql://ci@db/x apply tonight.plan"
    assert session.command("apply", "tonight.plan") == said
