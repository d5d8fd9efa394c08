"""All 21 fields of the create call: what is declared is what arrives, once, and no secret is left anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.project import MODEL, Project, run, said, tree
from tests.service import KEY, LETTERS, TICKETS, FakeService

SECRETS = {
    "DBX_ID": "canary-client-id-c81e728d",
    "DBX_SECRET": "canary-client-secret-eccbc87e",
    "DBX_BASE": "https://canary-a87ff679.azuredatabricks.net/serving-endpoints",
}
PLAIN: dict[str, Any] = {
    "number_of_samples": 40,
    "spec_version": 2,
    "generation_model": "databricks/databricks-claude-haiku-4-5-thinking",
    "outline_model": "anthropic/claude-haiku-4-5-thinking",
    "revision_model": "openai/gpt-5.6-terra-thinking",
    "revision_types": ["coherence_flow", "consistency", "distinguishability", "conformance"],
    "filtering_types": ["structural", "conformance"],
    "max_revision_cycles": 3,
    "seed_shuffling_level": "prompt",
    "max_examples_in_prompt": 7,
    "unified_multifield": True,
    "generation_thinking_budget": 1024,
    "outline_thinking_budget": 2048,
    "revision_thinking_budget": 4096,
    "skip_outline": False,
    "tools": ["calculator"],
}
CREDENTIALS = {
    "databricks_client_id": {"env": "DBX_ID"},
    "databricks_client_secret": {"env": "DBX_SECRET"},
    "databricks_api_base": {"env": "DBX_BASE"},
}
SENT = PLAIN | {"spec_id": LETTERS} | {name: SECRETS[reference["env"]] for name, reference in CREDENTIALS.items()}


def full(**changes: object) -> str:
    """A declaration with the 20 fields that are sent as they stand."""
    return run("full", 40, **(PLAIN | {"spec": "letters"} | CREDENTIALS | changes))


def comparable(body: dict[str, Any]) -> dict[str, Any]:
    """A body with its lists as sets: their order means nothing."""
    return {name: sorted(value) if isinstance(value, list) else value for name, value in body.items()}


@pytest.mark.parametrize("id_only", [False, True], ids=["whole-run", "id-only"])
def test_twenty_fields_arrive_as_declared_once_and_leave_no_secret(
    project: Project, service: FakeService, id_only: bool
) -> None:
    service.id_only = id_only
    project.env |= SECRETS
    project.declare(full())

    texts = [said(project.expect(0, "apply", "--auto-approve"))]
    assert [comparable(body) for body in service.bodies] == [comparable(SENT)]

    texts.append(said(project.expect(0, "plan", "--detailed-exitcode")))
    texts.append(said(project.apply()))
    assert len(service.creates) == 1

    project.declare(full(number_of_samples=41))
    texts.append(said(project.expect(0, "plan", "--out", str(project.folder / "saved.plan"))))
    for command in (("plan", "--json"), ("show", "--json"), ("show",), ("output", "--json"), ("refresh",)):
        texts.append(said(project.expect(0, *command)))
    written = tree(project.folder)
    assert any(content for _, content in written.values())
    for secret in (KEY, *SECRETS.values()):
        assert [path for path, (_, content) in written.items() if secret.encode() in content] == []
        assert [text for text in texts if secret in text] == []


def test_the_twenty_fields_and_the_legacy_switch_are_all_twenty_one() -> None:
    assert len(SENT) == 20
    assert "enable_revisions" not in SENT


def test_credentials_come_from_files_as_well(project: Project, service: FakeService) -> None:
    for number, value in enumerate([*SECRETS.values(), KEY]):
        project.write(f"secrets/{number}", value + "\n")
    references = {name: {"file": f"secrets/{number}"} for number, name in enumerate(CREDENTIALS)}
    project.declare(full(**references))
    config = (project.root / "reconciler.toml").read_text()
    project.write("reconciler.toml", config.replace("[api]\n", '[api]\napi_key = { file = "secrets/3" }\n'))
    project.expect(0, "apply", "--auto-approve", env={"DATAFRAMER_API_KEY": None})
    assert [comparable(body) for body in service.bodies] == [comparable(SENT)]


def test_a_changed_secret_replaces_nothing(project: Project, service: FakeService) -> None:
    project.env |= SECRETS
    project.declare(full())
    project.apply()
    project.env |= {"DBX_SECRET": "another-secret"}
    project.settled()
    project.apply()
    assert len(service.creates) == 1


@pytest.mark.parametrize(
    ("spec", "types"),
    [
        ("tickets", ["coherence_flow", "conformance", "consistency"]),
        ("letters", ["coherence_flow", "conformance", "consistency", "distinguishability"]),
    ],
)
def test_the_legacy_switch_arrives_as_its_expansion(
    project: Project, service: FakeService, spec: str, types: list[str]
) -> None:
    project.declare(run("old", 10, spec=spec, enable_revisions=True))
    warned = said(project.expect(0, "plan"))
    assert "deprecated" in warned.lower()
    assert "revision_types" in warned

    project.apply()
    (body,) = service.bodies
    assert sorted(body["revision_types"]) == types
    assert body["filtering_types"] == ["structural"]
    assert "enable_revisions" not in body
    project.settled()
    project.apply()
    assert len(service.creates) == 1


def test_only_what_is_declared_is_sent_with_the_inferred_version(project: Project, service: FakeService) -> None:
    project.declare(run("small", 5))
    project.apply()
    assert service.bodies == [
        {"spec_id": TICKETS, "number_of_samples": 5, "generation_model": MODEL, "spec_version": 3}
    ]
    assert service.creates[0].headers["content-type"].startswith("application/json")


def test_defaults_of_a_file_hold_for_that_file_and_yield_to_the_declaration(
    project: Project, service: FakeService
) -> None:
    project.declare(run("root", 5))
    project.write(
        "runs/deep/more.toml",
        '[specs]\nmore = "'
        + LETTERS
        + '"\n[defaults]\nskip_outline = true\nmax_examples_in_prompt = 4\n'
        + run("one", 6, spec="more")
        + run("two", 7, max_examples_in_prompt=9),
    )
    project.apply()
    bodies = {body["number_of_samples"]: body for body in service.bodies}
    assert "skip_outline" not in bodies[5]
    assert (bodies[6]["skip_outline"], bodies[6]["max_examples_in_prompt"]) == (True, 4)
    assert (bodies[7]["skip_outline"], bodies[7]["max_examples_in_prompt"]) == (True, 9)
    assert {body["generation_model"] for body in bodies.values()} == {MODEL}
    assert bodies[6]["spec_id"] == LETTERS


def test_the_key_is_sent_as_a_bearer_token_on_every_request(project: Project, service: FakeService) -> None:
    project.declare(run("a"))
    project.apply()
    assert {request.headers["authorization"] for request in service.requests} == {f"Bearer {KEY}"}
