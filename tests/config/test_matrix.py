"""``matrix``: every combination of its axes, less exclusions, and inclusions besides."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from reconciler.config.whole import DeclarationTable
from tests.config.projects import MODEL, SPECS, THINKING, addresses, desired, errors, run, said, warnings

HAIKU, OSS = "anthropic/claude-haiku-4-5", MODEL
SWEEP: dict[str, Any] = {
    "generation_model": None,
    "number_of_samples": None,
    "matrix": {
        "number_of_samples": [10, 100, 1000],
        "generation_model": [HAIKU, OSS, THINKING, "openai/gpt-5.6-luna"],
    },
    "matrix_exclude": [
        {"generation_model": THINKING, "number_of_samples": 1000},
        {"number_of_samples": 1000, "generation_model": "openai/gpt-5.6-luna"},
    ],
}


def test_a_sweep_of_four_models_and_three_sizes_less_two(tmp_path: Path) -> None:
    found = desired(tmp_path, SPECS + run("sweep", **SWEEP))
    models = SWEEP["matrix"]["generation_model"]
    expected = [(model, size) for model in models for size in (10, 100, 1000)]
    expected = [(model, size) for model, size in expected if not (size == 1000 and model in models[2:])]
    assert len(expected) == 10
    assert addresses(found) == [
        f'run.sweep["generation_model={model},number_of_samples={size}"]' for model, size in expected
    ]
    assert [(one.request.get("generation_model"), one.request.samples) for one in found.instances] == expected
    assert {str(one.source) for one in found.instances} == {"reconciler.toml:3:1"}


def test_what_is_valid_here_is_valid_in_the_schema(tmp_path: Path) -> None:
    text = SPECS + run("sweep", **SWEEP, matrix_include=[{"generation_model": OSS, "number_of_samples": 1}])
    found = desired(tmp_path, text)
    assert len(addresses(found)) == 11
    TypeAdapter(DeclarationTable).validate_python(tomllib.loads(text)["run"]["sweep"])


def test_keys_have_readable_values(tmp_path: Path) -> None:
    text = SPECS + run(
        generation_model=THINKING,
        matrix={
            "skip_outline": [True, False],
            "revision_types": [[], ["consistency", "conformance"]],
            "spec_version": ["latest", 3],
        },
    )
    assert addresses(desired(tmp_path, text)) == [
        f'run.a["revision_types={types},skip_outline={skip},spec_version={version}"]'
        for types in ("", "consistency+conformance")
        for skip in ("true", "false")
        for version in ("latest", "3")
    ]


def test_an_axis_may_name_specs(tmp_path: Path) -> None:
    text = SPECS + run(spec="t", matrix={"spec_name": ["Tickets", "Letters"]})
    found = desired(tmp_path, text)
    assert addresses(found) == ['run.a["spec_name=Tickets"]', 'run.a["spec_name=Letters"]']
    assert [(one.spec_name, one.request.spec_id) for one in found.instances] == [("Tickets", ""), ("Letters", "")]


def test_an_inclusion_sets_every_axis_and_may_set_more(tmp_path: Path) -> None:
    text = SPECS + run(
        matrix={"number_of_samples": [10, 20]},
        matrix_exclude=[{"number_of_samples": 20}],
        matrix_include=[{"number_of_samples": 20, "skip_outline": True, "lifecycle": {"rerun": 4}}],
    )
    found = desired(tmp_path, text)
    assert addresses(found) == ['run.a["number_of_samples=10"]', 'run.a["number_of_samples=20"]']
    assert [(one.request.get("skip_outline"), one.request.rerun) for one in found.instances] == [(None, 0), (True, 4)]


def test_an_exclusion_may_match_a_part_of_the_axes(tmp_path: Path) -> None:
    text = SPECS + run(
        matrix={"number_of_samples": [1, 2], "skip_outline": [True, False], "tools": [[], ["calculator"]]},
        matrix_exclude=[{"number_of_samples": 1, "skip_outline": True}, {"tools": ["calculator"]}],
    )
    assert addresses(desired(tmp_path, text)) == [
        f'run.a["number_of_samples={n},skip_outline={skip},tools="]'
        for n, skip in ((1, "false"), (2, "true"), (2, "false"))
    ]


def test_an_exclusion_that_matches_nothing_is_a_warning(tmp_path: Path) -> None:
    text = SPECS + run(
        matrix={"number_of_samples": [1, 2]}, matrix_exclude=[{"number_of_samples": 2}, {"number_of_samples": 3}]
    )
    found = desired(tmp_path, text)
    assert addresses(found) == ['run.a["number_of_samples=1"]']
    (warning,) = warnings(found)
    assert warning.source is not None
    assert text.split("\n")[warning.source.line - 1][warning.source.column - 1 :] == "{ number_of_samples = 3 }]"


# (matrix, exclude, include), and of each problem where it points, its address and its summary.
X = 'run.a["number_of_samples'
CASES: dict[str, tuple[dict[str, Any], list[tuple[str, str, str]]]] = {
    "an unknown axis": ({"matrix": {"number_of_sample": [1]}}, [("number_of_sample =", "run.a", "Unknown axis")]),
    "a secret": ({"matrix": {"databricks_client_id": [1]}}, [("databricks", "run.a", "Unknown axis")]),
    "lifecycle": ({"matrix": {"lifecycle": [{}]}}, [("lifecycle =", "run.a", "Unknown axis")]),
    "no list": ({"matrix": {"number_of_samples": 5}}, [("5 }", "run.a", "Wrong type")]),
    "an empty list": ({"matrix": {"number_of_samples": []}}, [("[] }", "run.a", "Wrong type")]),
    "no table": ({"matrix": [1]}, [("[1]", "run.a", "Wrong type")]),
    "no axis": ({"matrix": {}}, [("{", "run.a", "It expands into nothing")]),
    "a value out of bounds": (
        {"matrix": {"number_of_samples": [1, 0, 30_000], "skip_outline": [True, False]}},
        [
            ("0, 30000]", f'{X}=0,skip_outline=true"]', "Value out of bounds"),
            ("30000]", f'{X}=30000,skip_outline=true"]', "Value out of bounds"),
        ],
    ),
    "a value of the wrong type": (
        {"matrix": {"number_of_samples": [1, "1", {"a": 1}]}},
        [("{ a", f"{X}={{'a': 1}}\"]", "Wrong type"), ('"1"', X + r'=\"1\""]', "Wrong type")],
    ),
    "a misspelt model": (
        {"matrix": {"generation_model": ["openai/gpt-oss-120"], "number_of_samples": [1, 2, 3]}},
        [('"openai', 'run.a["generation_model=openai/gpt-oss-120,number_of_samples=1"]', "Unknown model")],
    ),
    "a value twice": (
        {"matrix": {"number_of_samples": [1, 2, 1]}},
        [("1] }", "run.a", "Two instances with one address")],
    ),
    "a value that is too long for a key": (
        {"matrix": {"spec_name": ["x" * 301, "x"]}},
        [('"xxx', "run.a", "Malformed value")],
    ),
    "two ways to name a spec": (
        {"matrix": {"spec": ["t"], "spec_name": ["N"]}},
        [('["N"]', "run.a", "One spec is needed")],
    ),
    "everything excluded": (
        {"matrix": {"number_of_samples": [1]}, "matrix_exclude": [{"number_of_samples": 1}]},
        [("{ number_of_samples = [1]", "run.a", "It expands into nothing")],
    ),
    "an exclusion of nothing": (
        {"matrix": {"number_of_samples": [1]}, "matrix_exclude": [{}]},
        [("{  }", "run.a", "Malformed value")],
    ),
    "an exclusion by what is no axis": (
        {"matrix": {"number_of_samples": [1]}, "matrix_exclude": [{"number_of_smaples": 1}]},
        [("number_of_smaples", "run.a", "Unknown axis")],
    ),
    "an exclusion of the wrong type": (
        {"matrix": {"number_of_samples": [1]}, "matrix_exclude": [{"number_of_samples": "1"}]},
        [('"1"', "run.a", "Wrong type")],
    ),
    "exclusions that are no tables": (
        {"matrix": {"number_of_samples": [1]}, "matrix_exclude": [3], "matrix_include": "x"},
        [("3]", "run.a", "Wrong type"), ('"x"', "run.a", "Wrong type")],
    ),
    "an inclusion that lacks an axis": (
        {"matrix": {"number_of_samples": [1], "skip_outline": [True]}, "matrix_include": [{"number_of_samples": 2}]},
        [("{ number_of_samples = 2", "run.a", "A key is missing")],
    ),
    "an inclusion of what is there": (
        {"matrix": {"number_of_samples": [1]}, "matrix_include": [{"number_of_samples": 1}]},
        [("{ number_of_samples = 1 }]", f'{X}=1"]', "Two instances with one address")],
    ),
    "a wrong inclusion": (
        {"matrix": {"number_of_samples": [1]}, "matrix_include": [{"number_of_samples": 2, "skip_outlin": True}]},
        [("skip_outlin", f'{X}=2"]', "Unknown key")],
    ),
    "an exclusion without a matrix": ({"matrix_exclude": [{}]}, [("[{", "run.a", "A field without effect")]),
    "an inclusion without a matrix": ({"matrix_include": [{}]}, [("[{", "run.a", "A field without effect")]),
    "too many": (
        {"matrix": {"number_of_samples": list(range(1, 401)), "max_examples_in_prompt": list(range(1, 252))}},
        [("{", "run.a", "Too many instances")],
    ),
    "far too many": (
        {"matrix": {key: list(range(1024, 1224)) for key in ("number_of_samples", "max_examples_in_prompt",
                                                             "generation_thinking_budget")}},
        [("{", "run.a", "Too many instances")],
    ),
    "one address by other means": (
        {"generation_model": None, "matrix": {"generation_model": ["a/1", "a/1,outline_model=b"],
                                              "outline_model": ["b,outline_model=b", "b"]}},
        [("[run.a]", 'run.a["generation_model=a/1,outline_model=b,outline_model=b"]',
          "Two instances with one address")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), CASES.values(), ids=CASES)
def test_what_is_wrong_is_told_once_where_it_stands(
    tmp_path: Path, changes: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    text = SPECS + run(**changes)
    lines = text.split("\n")
    found = errors(desired(tmp_path, text))
    assert sorted((item.address, item.summary) for item in found) == sorted(pair[1:] for pair in expected)
    for start, address, summary in expected:
        sources = [item.source for item in found if (item.address, item.summary) == (address, summary)]
        assert [at for at in sources if at and lines[at.line - 1][at.column - 1 :].startswith(start)], sources


def test_a_warning_of_many_points_is_told_once(tmp_path: Path) -> None:
    text = SPECS + run(matrix={"generation_model": ["acme/x"], "number_of_samples": list(range(1, 101))})
    found = desired(tmp_path, text)
    assert len(addresses(found)) == 100
    ((_, address, summary),) = said(found)
    assert (address, summary) == ('run.a["generation_model=acme/x,number_of_samples=1"]', "Unknown model")
    assert "99 more" in found.diagnostics[0].detail
