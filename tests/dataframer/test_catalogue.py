"""The model lists: equal to the API document's, and what they say of a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.dataframer.catalogue import Standing, catalogue, reference_databricks_models, standing
from reconciler.dataframer.fields import MODEL_FIELDS, RUN_FIELDS
from tests.dataframer.document import document


def lists() -> list[list[str]]:
    known: dict[str, Any] = document()["x-model-catalogues"]
    seed: list[str] = document()["components"]["schemas"]["GenerationModel"]["enum"]
    return [seed, *(known[name]["models"] for name in ("sdk-0.14.0-2026-09-01", "sdk-0.19.2-2026-10-21"))]


def test_the_lists_are_those_of_the_document_oldest_first() -> None:
    assert [sorted(known.models) for known in catalogue()] == [sorted(models) for models in lists()]
    assert [len(known.models) for known in catalogue()] == [25, 29, 34]
    assert [len(set(known.models)) for known in catalogue()] == [25, 29, 34]
    dates = [known.date for known in catalogue()]
    assert dates == sorted(dates)
    assert dates[1:] == ["2026-09-01", "2026-10-21"]
    assert dates[0].startswith("2026-03")


def test_every_listed_name_is_listed_or_dropped() -> None:
    newest = set(lists()[-1])
    for models in lists():
        for model in models:
            assert standing(model)[0] is (Standing.LISTED if model in newest else Standing.DROPPED), model


def test_a_dropped_name_tells_the_last_list_that_had_it() -> None:
    _, told = standing("anthropic/claude-opus-4-6")
    assert catalogue()[0].date in told[0]
    assert "2026-10-21" in told[1]
    _, told = standing("databricks/databricks-claude-haiku-4-5")
    assert "2026-09-01" in told[0]


@pytest.mark.parametrize(
    ("model", "meant"),
    [
        ("anthropic/claude-haiku-4.5", "anthropic/claude-haiku-4-5"),
        ("anthropic/claude-haiku-45", "anthropic/claude-haiku-4-5"),
        ("antropic/claude-haiku-4-5", "anthropic/claude-haiku-4-5"),
        ("anthropic/claude-haiku-4-5-thinkin", "anthropic/claude-haiku-4-5-thinking"),
        ("claude-haiku-4-5", "anthropic/claude-haiku-4-5"),
        ("gpt-oss-120b", "openai/gpt-oss-120b"),
        ("openai/gpt-oss-12b", "openai/gpt-oss-120b"),
        ("Openai/gpt-oss-120b", "openai/gpt-oss-120b"),
        ("openai/gpt-oss-120b ", "openai/gpt-oss-120b"),
        ("moonshotai/Kimi-K-3", "moonshotai/Kimi-K3"),
        ("databricks/system.ai.claude-opus5", "databricks/system.ai.claude-opus-5"),
    ],
)
def test_a_near_miss_is_misspelt(model: str, meant: str) -> None:
    known, near = standing(model)
    assert known is Standing.MISSPELT
    assert near[0] == meant


@pytest.mark.parametrize("model", ["acme/large-9", "gpt", "x", "anthropic/", "mistral/mixtral-8x22b", "a" * 200])
def test_what_is_like_none_is_unknown(model: str) -> None:
    assert standing(model) == (Standing.UNKNOWN, ())


def test_extra_names_are_listed_and_guessed_at() -> None:
    assert standing("acme/large-9", ["acme/large-9"]) == (Standing.LISTED, ())
    assert standing("anthropic/claude-opus-4-6", ["anthropic/claude-opus-4-6"])[0] is Standing.LISTED
    assert standing("acme/large-8", ["acme/large-9"]) == (Standing.MISSPELT, ("acme/large-9",))


def test_the_databricks_names_of_the_reference_page() -> None:
    assert reference_databricks_models() == {name for name in lists()[0] if name.startswith("databricks/")}
    assert len(reference_databricks_models()) == 12


def test_all_three_fields_share_one_list() -> None:
    assert len(MODEL_FIELDS) == 3
    assert set(MODEL_FIELDS) <= set(RUN_FIELDS)


def test_the_package_holds_the_lists_as_data() -> None:
    import reconciler.dataframer as package

    (folder,) = map(Path, package.__path__)
    assert (folder / "catalogue.json").is_file()
    assert yaml.safe_load((folder / "catalogue.json").read_text("utf-8"))["lists"]
