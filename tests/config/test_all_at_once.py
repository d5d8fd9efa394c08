"""Every problem is told in one go, each once, and none is told of what is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.diagnostics import Severity
from tests.config.projects import SPEC, SPECS, desired, errors, places, run, table


def test_everything_that_is_wrong_is_told_in_order(tmp_path: Path) -> None:
    root = (
        "[api]\ntimout = '5s'\n[apply]\nparallelism = 0\n"
        + SPECS
        + run("a", number_of_samples=0, tools=["calc"], max_revision_cycles=6)
        + run("b", spec="nowhere", revision_model="openai/gpt-oss-120b")
    )
    found = desired(
        tmp_path,
        root,
        broken="[run.x\n",
        latin="[limts]\n" + run("a"),
        zed=run("c", generation_model=None, spec_version=0),
    )
    assert [(item.severity.value, item.summary, str(item.source).rpartition(":")[0]) for item in found.diagnostics] == [
        ("error", "Unknown key", "reconciler.toml:2"),
        ("error", "Value out of bounds", "reconciler.toml:4"),
        ("error", "Value out of bounds", "reconciler.toml:9"),
        ("error", "Value not allowed", "reconciler.toml:11"),
        ("error", "Value out of bounds", "reconciler.toml:12"),
        ("error", "Unknown spec alias", "reconciler.toml:14"),
        ("error", "A field without effect", "reconciler.toml:17"),
        ("error", "This is not valid TOML", "runs/broken.toml:1"),
        ("error", "Unknown table", "runs/latin.toml:1"),
        ("error", "Declared twice", "runs/latin.toml:2"),
        ("error", "Value out of bounds", "runs/zed.toml:4"),
        ("warning", "Model left to the service", "runs/zed.toml:1"),
    ]


# One mistake each; a second error for it would send the reader after something that is not wrong.
ONE_MISTAKE = {
    "a bad alias": (SPECS + 'u = "x"\n' + run(), 'u = "x"'),
    "a bad alias that is used": ('[specs]\nt = "x"\n' + run(), 't = "x"'),
    "an alias with a bad name": (SPECS + f'"1" = "{SPEC}"\n' + run(), '"1" ='),
    "a bad timeout next to extra models": (
        '[api]\ntimeout = "soon"\nextra_models = ["anthropic/claude-haiku-4.5"]\n'
        + SPECS
        + run(generation_model="anthropic/claude-haiku-4.5"),
        'timeout = "soon"',
    ),
    "an unknown table next to extra models": (
        '[api]\nextra_models = ["anthropic/claude-haiku-4.5"]\n[limts]\n'
        + SPECS
        + run(generation_model="anthropic/claude-haiku-4.5"),
        "[limts]",
    ),
    "a misspelt list next to what needs it": (
        SPECS + run(revison_types=["consistency"], max_revision_cycles=2),
        "revison_types",
    ),
    "a wrong list next to what needs it": (
        SPECS + run(revision_types=["consistancy"], max_revision_cycles=2),
        "revision_types",
    ),
    "a wrong model next to its budget": (
        SPECS + run(generation_model=5, generation_thinking_budget=2048),
        "generation_m",
    ),
    "a misspelt model next to its budget": (
        SPECS
        + run(generation_modle="openai/gpt-5.6-terra-thinking", generation_thinking_budget=2048, generation_model=None),
        "generation_modle",
    ),
    "a misspelt spec": (SPECS + run(spec=None, spce="t"), "spce"),
    "a wrong spec": (SPECS + run(spec=5), "spec = 5"),
    "misspelt samples": (SPECS + run(number_of_samples=None, number_of_sample=5), "number_of_sample ="),
    "wrong samples next to min_samples": (
        SPECS + run(number_of_samples=0, lifecycle={"min_samples": 5}),
        "number_of_samples",
    ),
    "a wrong lifecycle": (SPECS + run(lifecycle=5), "lifecycle = 5"),
    "a wrong lifecycle of the defaults": (SPECS + table("defaults", {"lifecycle": "x"}) + run(), "lifecycle"),
    "a literal credential": (
        SPECS
        + run(
            generation_model="databricks/system.ai.claude-opus-5",
            databricks_client_id="x",
            databricks_client_secret={"env": "A"},
            databricks_api_base={"env": "B"},
        ),
        "databricks_client_id",
    ),
    "a state URL of the wrong type": ("[state]\nurl = 5\n", "url = 5"),
    "a state URL with an unknown key": ('[state]\nurl = { env = "X", flie = "y" }\n', "url"),
    "one wrong element of a list": (SPECS + run(tools=["calculator", 1]), "tools"),
    "elements that only look equal": (SPECS + run(revision_types=["consistency", 1, "1"][:2]), "revision_types"),
}


@pytest.mark.parametrize(("text", "line"), ONE_MISTAKE.values(), ids=ONE_MISTAKE)
def test_one_mistake_is_one_error(tmp_path: Path, text: str, line: str) -> None:
    (error,) = errors(desired(tmp_path, text))
    assert places([error], text)[0].startswith(line)


@pytest.mark.parametrize(("text", "line"), ONE_MISTAKE.values(), ids=ONE_MISTAKE)
def test_a_summary_holds_no_data_of_the_user(tmp_path: Path, text: str, line: str) -> None:
    for item in desired(tmp_path, text).diagnostics:
        assert "run." not in item.summary
        assert '"' not in item.summary
        assert item.detail


def test_many_problems_are_found_quickly_and_all_told(tmp_path: Path) -> None:
    found = desired(tmp_path, SPECS + "".join(run(f"r{n}", number_of_samples=0) for n in range(500)))
    assert len(errors(found)) == 500
    assert len({item.source for item in found.diagnostics}) == 500
    assert all(item.severity is Severity.ERROR for item in found.diagnostics)
