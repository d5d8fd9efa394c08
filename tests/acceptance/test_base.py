"""``plan --base REF``: what the branch causes, and what would happen anyway; for a fork from declarations alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from reconciler.config.variables import Given
from reconciler.model.errors import UsageError
from reconciler.revisions import declared_at
from tests.acceptance.project import HEAD, MODEL, Project, run, said
from tests.git import git
from tests.service import TICKETS, FakeService

BODY = json.dumps({"spec_id": TICKETS, "generation_model": MODEL})
NO_SECRETS = {"DATAFRAMER_API_KEY": None}


def commit(project: Project, message: str) -> str:
    git(project.root, "add", "--all")
    git(project.root, "commit", "--quiet", "--message", message)
    return git(project.root, "rev-parse", "HEAD")


@pytest.fixture
def main(project: Project) -> str:
    """``main`` declares runs a, b and c; the branch is checked out."""
    git(project.root, "init", "--quiet", "--initial-branch", "main")
    project.write(".gitignore", ".reconciler/\n")
    project.declare(run("a"), run("b", 11), run("c", 12, lifecycle={"max_attempts": 2}))
    made = commit(project, "three runs")
    git(project.root, "checkout", "--quiet", "-b", "change")
    return made


def planned(project: Project, *options: str, env: dict[str, str | None] | None = None) -> dict[str, Any]:
    done = project.run("plan", "--json", *options, env=env)
    assert done.returncode == 0, said(done)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def causes(found: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    return {
        item["address"]: (item["action"], item["caused_by_branch"])
        for item in found["resource_changes"]
        if item["action"] != "no-op"
    }


def test_what_the_branch_did_not_cause_is_marked(project: Project, service: FakeService, main: str) -> None:
    service.fate = "FAILED"
    project.apply(code=7)
    service.fate = "SUCCEEDED"
    head = HEAD.replace("[defaults]", "# another line\n[defaults]")
    project.write("reconciler.toml", head + run("a", 20) + run("c", 12, lifecycle={"max_attempts": 2}))
    project.write("runs/more.toml", run("d", 13))
    branch = commit(project, "a change")
    found = planned(project, "--base", "main")
    assert causes(found) == {
        "run.a": ("replace", True), "run.b": ("forget", True), "run.c": ("retry", False), "run.d": ("create", True),
    }  # fmt: skip
    assert found["git"] == {"commit": branch, "dirty": False, "base": main}
    text = project.expect(0, "plan", "--base", main[:12]).stdout
    (marked,) = [line for line in text.splitlines() if "not caused by this branch" in line]
    assert "retry run.c" in marked
    assert planned(project)["digest"] == found["digest"]
    assert all("caused_by_branch" not in item for item in planned(project)["resource_changes"])


def test_a_change_of_defaults_or_of_a_variable_is_the_branchs(project: Project, main: str) -> None:
    project.write("reconciler.toml", HEAD.replace("claude-haiku-4-5", "claude-sonnet-4-6") + run("a"))
    assert causes(planned(project, "--base", "main"))["run.a"] == ("create", True)
    project.write("reconciler.toml", HEAD + run("a"))
    assert causes(planned(project, "--base", "main"))["run.a"] == ("create", False)


def test_moves_and_imports(project: Project, service: FakeService, main: str) -> None:
    project.apply()
    moved = '[[moved]]\nfrom = "run.a"\nto = "run.z"\n'
    project.declare(run("z"), run("b", 11), run("c", 12, lifecycle={"max_attempts": 2}), moved)
    assert causes(planned(project, "--base", "main")) == {"run.z": ("move", True)}
    commit(project, "moved")
    git(project.root, "checkout", "--quiet", "-b", "next")
    assert causes(planned(project, "--base", "change")) == {"run.z": ("move", False)}


def test_what_a_block_or_the_want_of_one_changes_is_the_branchs(
    project: Project, service: FakeService, main: str
) -> None:
    """Whose declarations are as they were, and whose runs are others."""
    service.polls = None
    made = service.add_run({**json.loads(BODY), "number_of_samples": 11}, "PROCESSING").id
    block = f'[[import]]\nto = "run.b"\nid = "{made}"\n'
    project.declare(run("a"))
    project.apply("--no-wait")
    moved = '[[moved]]\nfrom = "run.a"\nto = "run.z"\n'
    project.declare(run("z"), run("b", 11), block, moved)
    commit(project, "to be moved and imported")
    project.declare(run("z"), run("b", 11))
    assert causes(planned(project, "--base", "HEAD", "--allow-duplicates")) == {
        "run.a": ("cancel", True), "run.z": ("create", True), "run.b": ("create", True),
    }  # fmt: skip
    commit(project, "neither")
    project.declare(run("z", 12), run("b", 11))
    commit(project, "another size")
    project.declare(run("z", 12), run("b", 11), moved)
    found = causes(planned(project, "--base", "HEAD"))
    assert found["run.b"] == ("create", False)
    changes = planned(project, "--base", "HEAD")["resource_changes"]
    assert {(item["action"], item["caused_by_branch"]) for item in changes if item["address"] == "run.z"} == {
        ("move", True), ("replace", True),
    }  # fmt: skip


def test_what_the_branch_lets_go_on_is_the_branchs(project: Project, service: FakeService, main: str) -> None:
    """It depends on what the branch buys again; before, it would have waited in vain."""
    later = run("later", 20_000, depends_on=["run.mid"]) + run("mid", 14, depends_on=["run.a"])
    service.fate = "FAILED"
    project.declare(run("a"), later)
    project.apply(code=7)
    commit(project, "later")
    assert causes(planned(project, "--base", "HEAD")) == {}
    project.declare(run("a", lifecycle={"rerun": 1}), later)
    assert causes(planned(project, "--base", "HEAD")) == {
        "run.a": ("replace", True), "run.mid": ("create", True), "run.later": ("create", True),
    }  # fmt: skip
    commit(project, "again")
    assert causes(planned(project, "--base", "HEAD")) == {
        "run.a": ("replace", False), "run.mid": ("create", False), "run.later": ("create", False),
    }  # fmt: skip


def test_with_another_state_or_service_everything_is_the_branchs(
    project: Project, service: FakeService, main: str
) -> None:
    project.apply()
    service.runs.clear()  # what another account shows
    text = (project.root / "reconciler.toml").read_text()
    project.write("reconciler.toml", text + '\n[state]\nurl = "sqlite:///other.db"\n')
    bought = {"run.a": ("create", True), "run.b": ("create", True), "run.c": ("create", True)}
    assert causes(planned(project, "--base", "main")) == bought


def test_a_file_of_values_is_the_branchs(project: Project, service: FakeService, main: str) -> None:
    """One that lies in the repository is read as the base has it; one from elsewhere has the values of now."""
    variables = '[variables.size]\ntype = "integer"\n'
    project.declare(variables, run("v", 0, number_of_samples="${var.size}"))
    values, elsewhere = project.write("values.toml", "size = 7\n"), project.folder / "elsewhere.toml"
    commit(project, "values")
    values.write_text("size = 8\n")
    elsewhere.write_text("size = 9\n")
    assert causes(planned(project, "--base", "HEAD", "--var-file", str(values))) == {"run.v": ("create", True)}
    assert causes(planned(project, "--base", "HEAD", "--var-file", str(elsewhere))) == {"run.v": ("create", False)}
    both = ("--base", "HEAD", "--var-file", str(values), "--var-file", str(elsewhere))
    assert causes(planned(project, *both)) == {"run.v": ("create", False)}
    other = project.write("new.toml", "size = 10\n")
    git(project.root, "add", "new.toml")
    assert causes(planned(project, *both, "--var-file", str(other))) == {"run.v": ("create", True)}


def test_a_fork_has_neither_key_nor_state(project: Project, service: FakeService, main: str) -> None:
    table = '\n[state]\nurl = { env = "TEAM_STATE" }\n'
    moved = '[[moved]]\nfrom = "run.b"\nto = "run.y"\n'
    named = run("n", 5, spec=None, spec_name="Support tickets", spec_version="latest")
    project.declare(table, run("a", 20), run("y", 11), run("d", 13, depends_on=["run.a"]), moved, named)
    commit(project, "from a fork")
    for secrets in ({"TEAM_STATE": None}, {"TEAM_STATE": ""}, {"RECONCILER_STATE_URL": "", "TEAM_STATE": None}):
        found = planned(project, "--offline", "--base", "main", env=NO_SECRETS | secrets)
        assert causes(found) == {
            "run.a": ("replace", True), "run.c": ("forget", True), "run.d": ("create", True), "run.n": ("create", True),
            "run.y": ("move", True),
        }  # fmt: skip
    (replaced,) = [item for item in found["resource_changes"] if item["action"] == "replace"]
    assert replaced["change"]["actions"] == ["forget", "create"]
    assert (replaced["change"]["before"]["number_of_samples"], replaced["run"]) == (10, None)
    text = project.expect(0, "plan", "--offline", "--base", "main", env=NO_SECRETS).stdout
    assert "Declarations only, compared with main." in text
    assert "spec_name: Support tickets" in text
    assert "spec_version: latest" in text
    assert "create run.d  new in this branch" in text
    assert service.requests == []
    assert project.run("plan", env=NO_SECRETS).returncode == 1  # without --offline a missing state is one


def test_of_declarations_alone_what_stays_is_unchanged(project: Project, main: str) -> None:
    project.write("runs/more.toml", run("d", 13))
    text = project.expect(0, "plan", "--offline", "--base", "main", env=NO_SECRETS).stdout
    assert "Plan: 1 to create, 3 unchanged." in text
    (project.root / "runs/more.toml").unlink()
    text = project.expect(0, "plan", "--offline", "--base", "main", "--detailed-exitcode", env=NO_SECRETS).stdout
    assert "No changes. 3 runs are as declared." in text


def test_a_state_that_cannot_be_reached_is_none_in_a_fork(project: Project, main: str) -> None:
    url = "postgresql://127.0.0.1:1/reviews?connect_timeout=2"
    env = NO_SECRETS | {"RECONCILER_STATE_URL": url}
    text = project.expect(0, "plan", "--offline", "--base", "main", env=env).stdout
    assert "Declarations only, compared with main" in text
    assert project.run("plan", "--offline", env=env).returncode == 1


def test_a_base_without_a_project_or_with_errors(project: Project, main: str) -> None:
    git(project.root, "rm", "--quiet", "--cached", "reconciler.toml")
    git(project.root, "commit", "--quiet", "--message", "nothing here")
    text = project.expect(0, "plan", "--offline", "--base", "HEAD", env=NO_SECRETS).stdout
    assert "HEAD has no reconciler.toml here: everything is new." in text
    project.write("reconciler.toml", "[run.a]\nnumber_of_samples = -1\n")
    commit(project, "broken")
    project.declare(run("a"))
    text = project.expect(0, "plan", "--base", "HEAD").stdout
    assert "HEAD has errors (reconciler.toml:" in text
    assert "create run.a" in text


def test_a_linked_folder_is_not_taken_for_an_empty_one(project: Project, main: str) -> None:
    project.write("shared/more.toml", run("d", 13))
    (project.root / "runs").symlink_to("shared")
    commit(project, "a link")
    text = project.expect(0, "plan", "--offline", "--base", "HEAD", env=NO_SECRETS).stdout
    assert "HEAD has runs as a link, so nothing is compared with it." in text


def test_where_git_knows_nothing_its_own_words_are_told(project: Project) -> None:
    project.declare(run("a"))
    assert "not a git repository" in project.expect(1, "plan", "--base", "HEAD").stderr
    without = {"PATH": str(project.home)}
    assert "git can't be run: " in project.expect(1, "plan", "--base", "HEAD", env=without).stderr


@pytest.mark.parametrize("name", ["origin/main", "--upload-pack=x", "main:reconciler.toml"])
def test_an_unknown_revision_is_an_error_that_says_what_to_do(project: Project, main: str, name: str) -> None:
    refused = project.expect(1, "plan", f"--base={name}")
    assert "git knows no such revision" in refused.stderr
    assert "git fetch" in refused.stderr


def test_no_base_and_no_repository_are_called_so(tmp_path: Path, project: Project, main: str) -> None:
    given = Given()
    with pytest.raises(UsageError, match="--base is empty"):
        declared_at(project.root, "", {}, given)
    alone = tmp_path / "alone"
    alone.mkdir()
    with pytest.raises(UsageError, match="not a git repository"):
        declared_at(alone, "main", {}, given)


def test_the_fetch_that_is_advised_makes_a_shallow_clone_know_the_base(
    tmp_path: Path, project: Project, main: str
) -> None:
    there = tmp_path / "shallow"
    git(project.root, "clone", "--quiet", "--depth", "1", project.root.resolve().as_uri(), there)
    with pytest.raises(UsageError) as refused:
        declared_at(there, "origin/main", {}, Given())
    (advice,) = re.findall("`git (fetch .*?)`", str(refused.value))
    git(there, *advice.split())
    assert declared_at(there, "origin/main", {}, Given()).commit == main


def test_files_of_the_base_are_read_as_they_were_committed(project: Project, main: str) -> None:
    """Also from links within the repository, from a folder of it, and whatever is in the work tree now."""
    project.write("runs/deep/ä b.toml", run("d", 13))
    (project.root / "runs" / "link.toml").symlink_to("../shared.toml")
    project.write("shared.toml", run("e", 14))
    (project.root / "runs" / "out.toml").symlink_to("/etc/hostname")
    commit(project, "links")
    (project.root / "runs" / "out.toml").unlink()
    found = planned(project, "--offline", "--base", "HEAD", env=NO_SECRETS)
    assert causes(found) == {}
    assert found["summary"]["unchanged"] == 5
    project.write("runs/deep/ä b.toml", run("d", 14))
    assert causes(planned(project, "--offline", "--base", "HEAD", env=NO_SECRETS)) == {"run.d": ("replace", True)}


def test_the_environment_and_variables_of_the_base(project: Project, service: FakeService, main: str) -> None:
    variables = '[variables.size]\ntype = "integer"\ndefault = 5\n'
    declared = '[run.v]\nspec = "tickets"\nnumber_of_samples = "${var.size}"\n'
    project.write("reconciler.toml", f"{HEAD}\n{variables}\n{declared}")
    project.write("environments/prod.toml", "[variables]\nsize = 7\n")
    commit(project, "variables")
    project.write("environments/prod.toml", "[variables]\nsize = 8\n")
    options = ("plan", "--offline", "--base", "HEAD")
    assert "replace run.v" in project.expect(0, "--env", "prod", *options, env=NO_SECRETS).stdout
    assert "No changes" in project.expect(0, *options, env=NO_SECRETS).stdout
    assert "No changes" in project.expect(0, *options, "--var", "size=9", env=NO_SECRETS).stdout
    # A variable that the base does not know yet is no error of the base.
    project.write("reconciler.toml", f'{HEAD}\n{variables}\n[variables.new]\ntype = "string"\n{declared}')
    text = project.expect(0, *options, "--var", "new=x", env=NO_SECRETS).stdout
    assert "has errors" not in text
    assert "No changes" in text
