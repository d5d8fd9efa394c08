"""What a declaration takes from the defaults of its file, and from those of the root."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.config.validate import Desired
from reconciler.model.request import Instance
from tests.config.projects import MODEL, SPEC, SPECS, THINKING, desired, errors, run, table

OTHER = "00000000-0000-4000-8000-000000000001"


def only(found: Desired) -> Instance:
    assert errors(found) == []
    (instance,) = found.instances
    return instance


@pytest.mark.parametrize(
    ("root", "file", "own", "samples"),
    [(1, 2, 3, 3), (1, 2, None, 2), (1, None, None, 1), (1, None, 3, 3), (None, 2, None, 2), (None, None, 3, 3)],
)
def test_the_nearest_wins(tmp_path: Path, root: int | None, file: int | None, own: int | None, samples: int) -> None:
    text = SPECS + table("defaults", {"number_of_samples": root})
    inner = table("defaults", {"number_of_samples": file}) + run(number_of_samples=own)
    assert only(desired(tmp_path, text, inner=inner)).request.samples == samples


def test_defaults_of_a_file_hold_for_that_file_only(tmp_path: Path) -> None:
    found = desired(
        tmp_path,
        SPECS + run("root"),
        one=table("defaults", {"skip_outline": True}) + run("one"),
        two=run("two"),
    )
    assert errors(found) == []
    assert {item.name: item.request.get("skip_outline") for item in found.instances} == {
        "root": None,
        "one": True,
        "two": None,
    }


def test_lists_are_taken_whole_and_lifecycle_key_by_key(tmp_path: Path) -> None:
    root = SPECS + table("defaults", {"tools": ["calculator"], "lifecycle": {"protect": True, "max_attempts": 2}})
    inner = table("defaults", {"lifecycle": {"max_attempts": 3, "rerun": 7}}) + run(
        tools=[], lifecycle={"on_remove": "keep"}
    )
    instance = only(desired(tmp_path, root, inner=inner))
    assert instance.request.get("tools") == ()
    assert instance.request.rerun == 7
    kept = instance.lifecycle
    assert (kept.protect, kept.max_attempts, kept.on_remove, kept.on_change) == (True, 3, "keep", "replace")


@pytest.mark.parametrize("default", [{"spec": "t"}, {"spec_id": SPEC}, {"spec_name": "Tickets"}], ids=str)
@pytest.mark.parametrize("own", [{"spec": "o"}, {"spec_id": OTHER}, {"spec_name": "Letters"}], ids=str)
@pytest.mark.parametrize("place", ["root", "file"])
def test_the_ways_to_name_a_spec_are_one_choice(
    tmp_path: Path, default: dict[str, str], own: dict[str, str], place: str
) -> None:
    defaults = table("defaults", default)
    root = SPECS + f'o = "{OTHER}"\n' + (defaults if place == "root" else "")
    changes: dict[str, Any] = {"spec": None, **own}
    declared = run(**changes)
    instance = only(desired(tmp_path, root, inner=declared if place == "root" else defaults + declared))
    assert instance.spec_name == own.get("spec_name")
    assert instance.request.get("spec_id") == (None if "spec_name" in own else OTHER)


def test_two_ways_in_one_table_of_defaults_are_an_error(tmp_path: Path) -> None:
    text = SPECS + table("defaults", {"spec": "t", "spec_name": "N"}) + run(spec=None)
    (error,) = errors(desired(tmp_path, text))
    assert error.summary == "One spec is needed"


def test_fields_are_sent_in_one_order_however_they_are_declared(tmp_path: Path) -> None:
    text = SPECS + table("defaults", {"skip_outline": True, "generation_model": MODEL}) + run(spec_version=4)
    names = [name for name, _ in only(desired(tmp_path, text)).request.fields]
    assert names == ["spec_id", "number_of_samples", "spec_version", "generation_model", "skip_outline"]


def test_a_problem_of_defaults_is_told_once_where_it_stands(tmp_path: Path) -> None:
    defaults = table("defaults", {"max_revision_cycles": 9, "outline_thinking_budget": 2048, "outline_model": MODEL})
    text = SPECS + defaults + run("a") + run("b") + run("c")
    found = errors(desired(tmp_path, text))
    assert [(item.summary, item.address, item.source.line if item.source else 0) for item in found] == [
        ("Value out of bounds", None, 4),
        ("Budget without a thinking model", None, 5),
    ]


def test_a_wrong_default_that_nobody_uses_is_told(tmp_path: Path) -> None:
    (error,) = errors(desired(tmp_path, SPECS, inner=table("defaults", {"revison_types": []})))
    assert error.source is not None
    assert (error.source.file, error.source.line, error.source.column) == ("runs/inner.toml", 2, 1)
    assert "revision_types" in error.detail


def test_where_a_value_comes_from(tmp_path: Path) -> None:
    root = SPECS + table("defaults", {"generation_model": THINKING})
    found = desired(tmp_path, root, inner=run(generation_model=None, skip_outline=True))
    asked = {key: str(found.where("run.a", key)) for key in ("generation_model", "skip_outline", "tools")}
    assert asked == {
        "generation_model": "reconciler.toml:4:20",
        "skip_outline": "runs/inner.toml:4:16",
        "tools": "None",
    }
