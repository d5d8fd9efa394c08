"""The CI files of the example: valid for their systems, safe, pinned; every command line of ours in them exists."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reconciler import __version__
from reconciler.config.variables import Given
from reconciler.model.diagnostics import Severity
from reconciler.model.limits import Level
from reconciler.project import check_project
from tests.docs.howto import problem
from tests.gitops.scripts import EXAMPLE, GITLAB, ROOT, WORKFLOWS, Script, commands, read, scripts, steps

BIN = Path(sys.executable).parent
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\b")
IMAGE = re.compile(r"\S+@sha256:[0-9a-f]{64}")
SCRIPTS = scripts()
COMMANDS = sorted({tuple(words) for script in SCRIPTS for words in commands(script.text)})
# Written by whoever opens a pull request; as part of a script it would be run.
UNTRUSTED = re.compile(r"\$\{\{")
SCHEMAS = {"vendor.github-workflows": WORKFLOWS, "vendor.gitlab-ci": [GITLAB]}
JOBS = [(path, name, job) for path in WORKFLOWS for name, job in read(path)["jobs"].items()]
MINIMAL = "on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: 'true'\n"

# Broken on purpose, each in one way, with what zizmor calls it.
UNSAFE = {
    "dangerous-triggers": MINIMAL.replace("push", "pull_request_target"),
    "unpinned-uses": MINIMAL.replace("run: 'true'", "uses: somebody/something@v4"),
    "template-injection": MINIMAL.replace("'true'", "echo ${{ github.event.pull_request.title }}"),
    "excessive-permissions": MINIMAL.replace("jobs:", "permissions: write-all\njobs:"),
    "unpinned-images": MINIMAL.replace("    steps", "    services: { db: { image: postgres } }\n    steps"),
}


def schema_check(schema: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    transform = ["--data-transform", "gitlab-ci"] if schema.endswith("gitlab-ci") else []
    command = [BIN / "check-jsonschema", "--builtin-schema", schema, *transform, *paths]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def zizmor(*paths: Path) -> list[tuple[str, str]]:
    """Name and severity of every finding."""
    command = [BIN / "zizmor", "--offline", "--no-config", "--no-progress", "--format", "json", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return [(item["ident"], item["determinations"]["severity"]) for item in found]


def shellcheck(text: str) -> str:
    command = [BIN / "shellcheck", "--shell", "bash", "--norc", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_files_have_the_form_that_their_systems_read(schema: str, tmp_path: Path) -> None:
    done = schema_check(schema, *SCHEMAS[schema])
    assert done.returncode == 0, done.stdout
    broken = tmp_path / "broken.yml"
    broken.write_text("on: push\njobs:\n  a:\n    run-on: ubuntu\n    script: 1\n    stage: []\n", "utf-8")
    assert schema_check(schema, broken).returncode == 1


def test_zizmor_finds_nothing_that_matters() -> None:
    assert [name for name, severity in zizmor(*WORKFLOWS) if severity in ("Medium", "High")] == []


def test_zizmor_would_find_it(tmp_path: Path) -> None:
    for name, text in UNSAFE.items():
        (tmp_path / f"{name}.yml").write_text(text, "utf-8")
    found = zizmor(*sorted(tmp_path.iterdir()))
    assert set(UNSAFE) <= {name for name, severity in found if severity in ("Medium", "High")}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_commit_and_says_its_version(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text("utf-8"))
    assert [line for line in used if not PINNED.match(line)] == []
    assert len(used) == sum("uses" in step for _, _, step in steps(path))


def test_one_version_of_each_action() -> None:
    used = {step["uses"] for path in WORKFLOWS for _, _, step in steps(path) if "uses" in step}
    assert len(used) == len({action.partition("@")[0] for action in used}) == 3


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_nothing_is_allowed_but_what_a_job_needs(path: Path) -> None:
    whole = read(path)
    assert whole["permissions"] == {}
    assert "pull_request_target" not in str(whole["on"])
    assert whole["defaults"]["run"]["shell"] == "bash -euo pipefail {0}"
    for name, job in whole["jobs"].items():
        writes = {what for what, how in job["permissions"].items() if how != "read"}
        assert writes == ({"pull-requests"} if (path.stem, name) == ("plan", "plan") else set()), name
        assert job["permissions"]["contents"] == "read"
        assert 0 < job["timeout-minutes"] < 360
    for _, name, step in steps(path):
        if str(step.get("uses")).startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        assert not UNTRUSTED.search(step.get("run", "")), name


def test_secrets_reach_only_steps_of_a_job_with_an_environment() -> None:
    for path, name, job in JOBS:
        holding = [step for step in job["steps"] if "secrets." in str(step)]
        assert "secrets." not in str({key: value for key, value in job.items() if key != "steps"})
        assert all("run" in step and "pip" not in step["run"] for step in holding)
        environment = job.get("environment")
        named = environment["name"] if isinstance(environment, dict) else environment
        assert bool(holding) == (named is not None), f"{path.name} {name}"
    # What buys is only ever within the protected environment.
    buying = {(path.stem, name) for path, name, job in JOBS if "reconciler --env production apply" in str(job)}
    assert buying == {("apply", "apply")}
    assert read(EXAMPLE / ".github/workflows/apply.yml")["jobs"]["apply"]["environment"] == "production"


def test_a_pull_request_from_a_fork_gets_no_secret_and_another_one_is_planned_once() -> None:
    jobs = read(EXAMPLE / ".github/workflows/plan.yml")["jobs"]
    fork, own = jobs["declarations"], jobs["plan"]
    assert "secrets." not in str(fork)
    assert "--offline" in str(fork["steps"])
    turned = own["if"].replace("==", "≠").replace("!=", "==").replace("≠", "!=").replace("&&", "||")
    assert fork["if"] == turned


def test_the_plan_is_commented_whatever_else_is_wrong() -> None:
    jobs, whole = read(EXAMPLE / ".github/workflows/plan.yml")["jobs"], read(GITLAB)
    assert [name for name, job in jobs.items() if "needs" in job] == []
    assert whole["plan"]["needs"] == whole["declarations"]["needs"] == []


def test_two_applies_never_run_at_once() -> None:
    job = read(EXAMPLE / ".github/workflows/apply.yml")["jobs"]["apply"]
    assert job["concurrency"] == {"group": "apply-production", "cancel-in-progress": False, "queue": "max"}
    wait = re.findall(r"--wait-timeout (\d+)m", str(job["steps"]))
    assert wait
    assert all(int(minutes) < job["timeout-minutes"] for minutes in wait)
    assert read(GITLAB)["apply"]["resource_group"] == "production"


def test_images_are_pinned_where_a_database_is_started() -> None:
    (service,) = read(GITLAB)["demo"]["services"]
    github = read(EXAMPLE / ".github/workflows/demo.yml")["jobs"]["demo"]["services"]["postgres"]
    assert IMAGE.fullmatch(service["name"])
    assert github["image"] == service["name"]


def test_a_merge_request_from_a_fork_gets_no_secret() -> None:
    whole = read(GITLAB)
    assert "--offline" in str(whole["declarations"]["script"])
    never = whole["plan"]["rules"][0]
    assert never["when"] == "never"
    assert whole["declarations"]["rules"][0]["if"] in never["if"]
    assert whole["plan"]["artifacts"]["reports"] == {"terraform": "plan.gitlab.json", "junit": "plan.junit.xml"}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_command_exists(words: tuple[str, ...]) -> None:
    assert problem(list(words)) == ""


def test_commands_are_found_wherever_they_stand() -> None:
    text = 'A="$B/c" reconciler --env x plan \\\n  --out "$D" || code=$?\n'
    text += '  0 | 3) e="$(reconciler show f --json | jq -r .g)" ;;\n'
    assert list(commands(text)) == [["--env", "x", "plan", "--out", "$D"], ["show", "f", "--json"]]
    assert len(COMMANDS) >= 12
    assert problem(["comment", "--provider", "gitea"]) != ""


def test_the_scripts_pass_shellcheck() -> None:
    found = {script.where: told for script in SCRIPTS if (told := shellcheck(_bash(script)))}
    assert found == {}
    assert "SC2086" in shellcheck("#!/bin/bash\nexit $CODE\n")


def _bash(script: Script) -> str:
    return f"#!/bin/bash\nset -e -o pipefail\n{script.text}"


@pytest.mark.parametrize(("environment", "samples"), [(None, 50), ("demo", 10), ("production", 500)])
def test_the_project_is_valid(environment: str | None, samples: int) -> None:
    found = check_project(EXAMPLE, {}, Given(environment))
    assert [item.summary for item in found.diagnostics if item.severity is not Severity.NOTICE] == []
    assert [item.request.samples for item in found.instances] == [samples, samples, 20]
    assert {limit.level for limit in found.settings.limits} == set(Level)


def test_ci_installs_this_version() -> None:
    lines = (EXAMPLE / "requirements.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        f"./wheels/reconciler-{__version__}-py3-none-any.whl[postgres]"
    ]


@pytest.mark.parametrize("page", ["README.md", "policy/README.md"])
def test_the_pages_of_the_example_name_what_there_is(page: str) -> None:
    text = (EXAMPLE / page).read_text("utf-8")
    named = re.findall(r"`((?:[\w.-]+/)*[\w.-]+(?:\.\w+|/))`", text)
    left = {name for name in named if not any((at / name).exists() for at in (EXAMPLE, EXAMPLE / "policy", ROOT))}
    workflows = {path.name for path in WORKFLOWS}
    assert left - workflows - {"wheels/"} == set()
    lines = [line for line in text.splitlines() if line.startswith("reconciler ")]
    for words in (words for line in lines for words in commands(line)):
        assert problem(words) == ""
