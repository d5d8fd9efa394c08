"""Names: which are taken, and what is declared twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.projects import FINE, SPEC, SPECS, desired, errors, run, table


@pytest.mark.parametrize("name", ["a", "_", "A9", "a-b_c", "z" * 200])
def test_allowed(tmp_path: Path, name: str) -> None:
    found = desired(tmp_path, SPECS + run(name))
    assert [instance.address for instance in found.instances] == [f"run.{name}"]
    assert found.diagnostics == ()


@pytest.mark.parametrize("name", ["1st", "-a", "", "a b", "a.b", "ä", "a\n", "a[0]", 'a"b', "SecretTable "])
@pytest.mark.parametrize("place", ["run", "specs"])
def test_refused(tmp_path: Path, name: str, place: str) -> None:
    quoted = '"' + name.replace('"', '\\"').replace("\n", "\\n") + '"'
    text = SPECS + (table(f"run.{quoted}", FINE) if place == "run" else f'{quoted} = "{SPEC}"\n')
    (error,) = errors(desired(tmp_path, text))
    assert error.summary == "Malformed name"
    assert error.source is not None
    assert error.source.line == 3


@pytest.mark.parametrize(
    ("root", "files", "place", "other"),
    [
        (run("a"), {"one": run("a")}, "runs/one.toml:1:1", "reconciler.toml:3"),
        ("", {"one": run("b") + run("a"), "two": "\n" + run("a")}, "runs/two.toml:2:1", "runs/one.toml:5"),
        ("", {"one": run("a"), "two": "run.a.spec = 't'\n"}, "runs/two.toml:1:1", "runs/one.toml:1"),
    ],
)
def test_declared_twice_names_both_places(
    tmp_path: Path, root: str, files: dict[str, str], place: str, other: str
) -> None:
    (error,) = errors(desired(tmp_path, SPECS + root, **files))
    assert error.summary == "Declared twice"
    assert str(error.source) == place
    assert other in error.detail
    assert error.address == "run.a"


def test_declared_twice_in_one_file(tmp_path: Path) -> None:
    (error,) = errors(desired(tmp_path, SPECS + run("a") + run("b") + run("a")))
    assert "run" in error.detail
    assert "once" in error.fix
    assert error.source is not None
    assert error.source.line == 11


def test_an_alias_is_defined_once(tmp_path: Path) -> None:
    found = desired(tmp_path, SPECS + run("a"), one=f'[specs]\nt = "{SPEC}"\n' + run("b"))
    (error,) = errors(found)
    assert (error.summary, str(error.source)) == ("Declared twice", "runs/one.toml:2:1")


def test_an_alias_of_one_file_serves_all(tmp_path: Path) -> None:
    found = desired(tmp_path, run("a"), one=SPECS, two=run("b"))
    assert found.diagnostics == ()
    assert {str(instance.request.get("spec_id")) for instance in found.instances} == {SPEC}


@pytest.mark.parametrize(
    "text",
    [
        "run = 5\n",
        "run = []\n",
        "[run]\na = 5\n",
        "[[run.a]]\nspec = 't'\n",
        "defaults = 1\n",
        "[[defaults]]\n",
        "specs = 1\n",
        "[[specs]]\n",
        "api = 1\n",
        "[[api]]\n",
        "state = true\n",
        "apply = 'x'\n",
    ],
)
def test_what_must_be_a_table_is_told_once(tmp_path: Path, text: str) -> None:
    (error,) = errors(desired(tmp_path, text))
    assert error.summary == "Wrong type"
    assert "table" in error.detail


@pytest.mark.parametrize("name", ["SecretTable", "constrained-str", "constrained-int"])
@pytest.mark.parametrize("place", ["run.a", "defaults", "api", "state", "apply"])
def test_no_word_of_the_checker_s_own_trips_it(tmp_path: Path, name: str, place: str) -> None:
    text = (SPECS + run() if place == "run.a" else SPECS + f"[{place}]\n") + f"{name} = 1\n"
    (error,) = errors(desired(tmp_path, text))
    assert error.summary == "Unknown key"
    assert f'"{name}"' in error.detail
    assert error.source is not None
    assert error.source.line == text.count("\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[defualts]\n", ["[defaults]"]),
        ("[limts]\n", ["[api]"]),
        ("spec = 't'\n", ["spec"]),
        ("[api]\ntimout = '5s'\n", ['Did you mean "timeout"']),
        ("[state]\nurll = 'x'\n", ['Did you mean "url"']),
        ("[apply]\nparalelism = 3\n", ['Did you mean "parallelism"']),
        (SPECS + run(revison_types=[]), ['Did you mean "revision_types"']),
        (SPECS + run(lifecycle={"protekt": True}), ['Did you mean "protect"', "max_attempts"]),
        (SPECS + run(databricks_client_id={"enf": "X"}), ['Did you mean "env"', "file"]),
    ],
)
def test_an_unknown_key_is_an_error_with_the_nearest_name(tmp_path: Path, text: str, words: list[str]) -> None:
    (error,) = errors(desired(tmp_path, text))
    assert [word for word in words if word not in f"{error.detail} {error.fix}"] == []


@pytest.mark.parametrize("table_name", ["api", "state", "apply"])
def test_tables_of_the_root_are_refused_below_runs(tmp_path: Path, table_name: str) -> None:
    (error,) = errors(desired(tmp_path, "", inner=f"[{table_name}]\n"))
    assert (error.summary, str(error.source)) == ("Unknown table", "runs/inner.toml:1:1")
