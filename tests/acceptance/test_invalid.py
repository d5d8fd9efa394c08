"""A wrong declaration: exit 1 with file, line and the word that helps, from every command; nothing is bought."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.acceptance.invalid_cases import INVALID, MARK, Invalid
from tests.acceptance.project import Project, run, said
from tests.service import FakeService


def place(project: Project, case: Invalid) -> str:
    """Write the project of a case; return the file:line that must be named."""
    project.declare(case.text or run("fine"))
    for path, content in case.files.items():
        project.write(path, content)
    return case.where or project.line(MARK)


@pytest.mark.parametrize("case", INVALID, ids=[case.name for case in INVALID])
def test_every_command_refuses(project: Project, service: FakeService, case: Invalid) -> None:
    where = place(project, case)
    for command in (["validate"], ["plan"], ["apply", "--auto-approve"]):
        told = said(project.expect(1, *command))
        assert re.search(rf"{re.escape(where)}(?!\d)", told), f"{where} is not named in:\n{told}"
        for word in case.words:
            assert re.search(word, told, re.IGNORECASE), f"{word} is not said in:\n{told}"
        assert "canary" not in told
    assert service.requests == []
    assert not (project.root / ".reconciler").exists()


WARNED = [
    ("unknown-model", run("a", generation_model="acme/unheard-of-9"), "acme/unheard-of-9"),
    ("dropped-model", run("a", generation_model="anthropic/claude-opus-4-6"), "claude-opus-4-6"),
    ("moot-outline", run("a", skip_outline=True, outline_model="anthropic/claude-haiku-4-5"), "outline_model"),
    ("databricks", run("a", generation_model="databricks/system.ai.claude-opus-5"), "databricks_client_id"),
]


@pytest.mark.parametrize(("text", "word"), [case[1:] for case in WARNED], ids=[case[0] for case in WARNED])
def test_what_the_service_may_take_is_a_warning(project: Project, text: str, word: str) -> None:
    project.declare(text)
    answer = json.loads(project.expect(0, "validate", "--json").stdout)
    assert answer["valid"] is True
    assert [d["severity"] for d in answer["diagnostics"]] == ["warning"]
    assert word in json.dumps(answer["diagnostics"])


def test_an_undeclared_model_is_a_warning_and_extra_models_are_known(project: Project) -> None:
    bare = '[api]\nbase_url = "{url}"\nextra_models = ["anthropic/claude-haiku-4.5"]\n[specs]\nt = "%s"\n'
    project.write("reconciler.toml", bare % ("182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e") + run("a", spec="t"))
    answer = json.loads(project.expect(0, "validate", "--json").stdout)
    assert (answer["error_count"], answer["warning_count"]) == (0, 1)
    assert "generation_model" in json.dumps(answer["diagnostics"])

    declared = (project.root / "reconciler.toml").read_text() + 'generation_model = "anthropic/claude-haiku-4.5"\n'
    project.write("reconciler.toml", declared)
    assert json.loads(project.expect(0, "validate", "--json").stdout)["diagnostics"] == []


def test_all_problems_are_reported_at_once(project: Project, service: FakeService) -> None:
    project.declare(run("zero", 0), run("tools", tools=["calc"]), run("alias", spec="nowhere"))
    project.write("runs/b.toml", run("cycles", max_revision_cycles=9, revision_types=["consistency"]))
    project.write("runs/a.toml", "[run.broken\n")
    for command in (["validate"], ["plan"], ["apply", "--auto-approve"]):
        told = said(project.expect(1, *command))
        places = [
            project.line("number_of_samples = 0"),
            project.line("calc"),
            project.line("nowhere"),
            "runs/a.toml:1",
            project.line("max_revision_cycles", "runs/b.toml"),
        ]
        positions = [told.index(place) for place in places]
        assert positions == sorted(positions)
    assert service.requests == []


def diagnostics(project: Project, code: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    answer = json.loads(project.expect(code, "validate", "--json").stdout)
    return answer, answer["diagnostics"]


def test_validate_json_has_the_shape_of_terraform(project: Project) -> None:
    project.declare(run("zero", 0), run("model", generation_model="acme/unheard-of-9"))
    answer, found = diagnostics(project, 1)
    assert (answer["valid"], answer["error_count"], answer["warning_count"]) == (False, 1, 1)
    assert sorted(d["severity"] for d in found) == ["error", "warning"]
    (error,) = [d for d in found if d["severity"] == "error"]
    assert error["address"] == "run.zero"
    assert error["summary"]
    assert "zero" not in error["summary"], "a summary holds no data of the user"
    assert "20" in error["detail"]
    start = error["range"]["start"]
    assert error["range"]["filename"] == "reconciler.toml"
    line = (project.root / "reconciler.toml").read_text().splitlines()[start["line"] - 1]
    assert line == "number_of_samples = 0"
    assert start["column"] in (1, line.index("0") + 1)


def test_a_valid_project_needs_neither_key_nor_service(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.env.pop("DATAFRAMER_API_KEY")
    answer, found = diagnostics(project, 0)
    assert (answer["valid"], answer["error_count"], answer["warning_count"], found) == (True, 0, 0, [])
    assert project.expect(0, "validate").stdout.strip()
    assert service.requests == []


def test_no_project_and_wrong_usage_give_exit_1(project: Project) -> None:
    assert "reconciler.toml" in said(project.expect(1, "plan"))
    project.declare(run("a"))
    for usage in (["plan", "--no-such-option"], ["no-such-command"], ["apply", "--wait-timeout", "soon"]):
        assert usage[1 if len(usage) > 1 else 0] in said(project.expect(1, *usage))


def test_a_missing_key_is_an_error_that_names_its_variable(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    done = project.expect(1, "apply", "--auto-approve", env={"DATAFRAMER_API_KEY": None})
    assert "DATAFRAMER_API_KEY" in said(done)
    assert service.creates == []


def test_control_characters_of_declarations_are_escaped(project: Project) -> None:
    project.declare(run("a", generation_model="acme/\x1b[31mred\x07"))
    told = said(project.run("validate"))
    assert "\x1b" not in told
    assert "\x07" not in told
    assert "red" in told
