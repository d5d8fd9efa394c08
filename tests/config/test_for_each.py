"""``for_each``: a key and what differs there, each an instance."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.projects import MODEL, SPEC, SPECS, addresses, desired, errors, run, said, table

OTHER = "00000000-0000-4000-8000-000000000001"


def test_each_key_is_an_instance_with_what_differs(tmp_path: Path) -> None:
    text = SPECS + f'o = "{OTHER}"\n' + table("defaults", {"lifecycle": {"max_attempts": 2}})
    text += run(
        "languages",
        number_of_samples=200,
        lifecycle={"protect": True},
        for_each={
            "de": {"spec_version": 3},
            "fr": {"number_of_samples": 50, "lifecycle": {"rerun": 1, "on_remove": "keep"}},
            '"pt br"': {"spec": "o"},
            "ja": {"spec_name": "Tickets"},
            "it": {},
        },
    )
    found = desired(tmp_path, text)
    assert addresses(found) == [f'run.languages["{key}"]' for key in ("de", "fr", "pt br", "ja", "it")]
    de, fr, pt, ja, it = found.instances
    assert (de.request.get("spec_version"), de.request.samples) == (3, 200)
    assert (fr.request.samples, fr.request.rerun, fr.lifecycle.on_remove) == (50, 1, "keep")
    assert (pt.request.spec_id, ja.request.spec_id, ja.spec_name, it.request.spec_id) == (OTHER, "", "Tickets", SPEC)
    assert {(one.lifecycle.protect, one.lifecycle.max_attempts) for one in found.instances} == {(True, 2)}
    assert {one.name for one in found.instances} == {"languages"}


@pytest.mark.parametrize(
    ("written", "places"),
    [
        ("for_each = { de = {}, fr = {} }\n", ["3:14", "3:23"]),
        ("for_each.de = {}\nfor_each.fr.skip_outline = true\n", ["3:1", "4:1"]),
        ("[run.x.for_each.de]\n[run.x.for_each.fr]\nskip_outline = true\n", ["3:1", "4:1"]),
        ("[run.x.for_each]\nde = {}\n\nfr = {}\n", ["4:1", "6:1"]),
        ('[run.x.for_each]\n"de" . skip_outline = true\nfr = {}\n', ["4:1", "5:1"]),
    ],
)
def test_the_line_of_an_instance_is_that_of_its_key(tmp_path: Path, written: str, places: list[str]) -> None:
    text = f'[run.x]\nspec_id = "{SPEC}"\n{written}[defaults]\nnumber_of_samples = 3\ngeneration_model = "{MODEL}"\n'
    found = desired(tmp_path, text)
    assert addresses(found) == ['run.x["de"]', 'run.x["fr"]']
    assert [str(one.source).partition(":")[2] for one in found.instances] == places


def test_every_problem_of_a_value_is_told_where_it_stands(tmp_path: Path) -> None:
    text = SPECS + run(
        for_each={
            "a": {"number_of_samples": 0},
            "b": {"revison_types": []},
            "c": {"tools": ["calculator", "calculator"]},
            "d": {"generation_thinking_budget": 2048},
            "e": {"spec": "nowhere"},
            "f": {"databricks_client_id": "canary"},
            "g": {"lifecycle": {"protect": 1}},
            "h": {"shard_size": 3},
            "i": {"number_of_samples": 20_001},
        }
    )
    found = desired(tmp_path, text)
    line = text.split("\n")[6]
    words = ["0 }", "revison", '["calc', "2048", '"nowhere', '"canary', "1 }", "shard_size", "20001"]
    assert [place for place, _, _ in said(found)] == [f"7:{line.index(word) + 1}" for word in words]
    assert [(address, summary) for _, address, summary in said(found)] == [
        ('run.a["a"]', "Value out of bounds"),
        ('run.a["b"]', "Unknown key"),
        ('run.a["c"]', "Named twice"),
        ('run.a["d"]', "Budget without a thinking model"),
        ('run.a["e"]', "Unknown spec alias"),
        ('run.a["f"]', "A secret must be a reference"),
        ('run.a["g"]', "Wrong type"),
        ('run.a["h"]', "Unknown key"),
        ('run.a["i"]', "Value out of bounds"),
    ]
    assert "canary" not in repr(found.diagnostics)


@pytest.mark.parametrize(
    ("value", "summary"),
    [
        ("{}", "It expands into nothing"),
        ('["de", "fr"]', "Wrong type"),
        ("{ de = 5 }", "Wrong type"),
        ('{ "" = {} }', "Malformed name"),
        (f'{{ "{"x" * 301}" = {{}} }}', "Malformed name"),
        ("{ de = {}, de.number_of_samples = 5 }", "This is not valid TOML"),
    ],
)
def test_what_is_no_table_of_keys(tmp_path: Path, value: str, summary: str) -> None:
    (error,) = errors(desired(tmp_path, SPECS + run() + f"for_each = {value}\n"))
    assert error.summary == summary
    assert error.source is not None
    assert error.source.line == 7


def test_what_all_instances_lack_is_told_once(tmp_path: Path) -> None:
    many = {f"k{n}": {} for n in range(1_000)}
    (error,) = errors(desired(tmp_path, SPECS + run(number_of_samples=None, for_each=many)))
    assert (error.summary, error.address) == ("A field is missing", 'run.a["k0"]')
    assert "999 more of run.a's instances" in error.detail


def test_a_problem_of_the_declaration_is_told_once(tmp_path: Path) -> None:
    text = SPECS + run(max_revision_cycles=9, outline_thinking_budget=2048, for_each={"a": {}, "b": {}})
    assert [(address, summary) for _, address, summary in said(desired(tmp_path, text))] == [
        ("run.a", "Value out of bounds"),
        ('run.a["a"]', "Budget without a thinking model"),
    ]


@pytest.mark.parametrize("key", ["for_each", "matrix", "matrix_exclude", "matrix_include", "shard_size", "depends_on"])
def test_defaults_do_not_expand(tmp_path: Path, key: str) -> None:
    text = SPECS + table("defaults", {key: 3}) + run()
    (error,) = errors(desired(tmp_path, text))
    assert (error.summary, error.source and error.source.line) == ("Key not allowed here", 4)


@pytest.mark.parametrize(
    "two",
    [
        {"for_each": {"a": {}}, "shard_size": 5},
        {"for_each": {"a": {}}, "matrix": {"spec_version": [1]}},
        {"matrix": {"spec_version": [1]}, "shard_size": 5},
    ],
)
def test_a_declaration_expands_in_one_way(tmp_path: Path, two: dict[str, object]) -> None:
    (error,) = errors(desired(tmp_path, SPECS + run(**two)))
    assert error.summary == "Two ways to expand"
    assert all(key in error.detail for key in two)
