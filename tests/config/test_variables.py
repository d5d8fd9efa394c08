"""``[variables]``: where values come from, what they may be, and where they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.config.validate import Desired
from reconciler.model.request import SecretRef
from tests.config.projects import MODEL, SPEC, SPECS, desired, errors, run, said, table, told, warnings


def variable(name: str, kind: str, **more: object) -> str:
    return table(f"variables.{name}", {"type": kind, **more})


def value_of(found: Desired) -> object:
    """What a variable became that is used as samples, a model name, a switch or tools."""
    assert errors(found) == []
    (instance,) = found.instances
    return instance.request.get("spec_version")


SIZE = variable("size", "integer", default=1) + SPECS + run(spec_version="${var.size}")
FILE, ENV, FILES = "[variables]\nsize = 2\n", {"RECONCILER_VAR_size": "3"}, ("size = 4\n", "size = 5\n")


@pytest.mark.parametrize(
    ("options", "given", "expected"),
    [
        ({}, (), 1),
        ({"env": "prod"}, (), 2),
        ({"env": "prod", "environ": ENV}, (), 3),
        ({"env": "prod", "environ": ENV, "var_files": FILES[:1]}, (), 4),
        ({"env": "prod", "environ": ENV, "var_files": FILES}, (), 5),
        ({"env": "prod", "environ": ENV, "var_files": FILES}, ("size=6",), 6),
        ({"env": "prod", "environ": ENV, "var_files": FILES}, ("size=6", "size=7"), 7),
        ({"environ": ENV}, (), 3),
    ],
)
def test_the_last_value_wins(tmp_path: Path, options: dict[str, Any], given: tuple[str, ...], expected: int) -> None:
    assert value_of(told(tmp_path, SIZE, *given, prod=FILE, **options)) == expected


def test_a_reference_may_stand_in_any_text_of_any_file(tmp_path: Path) -> None:
    root = (
        '[api]\ntimeout = "${var.size}s"\nextra_models = "${var.models}"\napi_key = { env = "KEY_${var.word}" }\n'
        '[state]\nurl = "sqlite:///${var.word}.db"\n[apply]\nparallelism = "${var.size}"\n'
        '[limits]\nmax_new_runs = { value = "${var.size}", level = "soft" }\nmax_cost_usd = "${var.ratio}"\n'
        'allowed_models = "${var.models}"\n[specs]\nt = "182bd5e5-6e1a-4fe4-a799-${var.tail}"\n'
        '[[moved]]\nfrom = "run.${var.word}"\nto = "run.a"\n[[import]]\nto = "run.b[${var.word}]"\nid = "${var.tail}"\n'
        + variable("size", "integer", default=50)
        + variable("word", "string", default="old")
        + variable("tail", "string", default=SPEC[-12:])
        + variable("ratio", "number", default=0.5)
        + variable("yes", "boolean", default=True)
        + variable("models", "list", default=["acme/a", "acme/b"])
        + variable("tools", "list", default=["calculator"])
        + table("defaults", {"skip_outline": "${var.yes}", "generation_model": MODEL})
    )
    inner = (
        table("defaults", {"lifecycle": {"min_samples": "${var.size}"}})
        + table("run.a", {"spec": "t", "number_of_samples": "${var.size}", "tools": "${var.tools}"})
        + table("run.b", {"spec_name": "$${x} ${var.size}${var.yes} ${var.ratio}", "number_of_samples": 60})
        + '[run.b.for_each]\nold = { number_of_samples = "${var.size}" }\nnew.spec_version = "${var.size}"\n'
        + table("run.c", {"spec": "t", "number_of_samples": 60, "matrix": {"generation_model": "${var.models}"}})
        + 'depends_on = ["run.b[${var.word}]"]\n'
    )
    found = desired(tmp_path, root, inner=inner)
    assert errors(found) == []
    settings = found.settings
    assert (settings.timeout, settings.extra_models, settings.parallelism) == (50, ("acme/a", "acme/b"), 50)
    assert (settings.api_key, settings.state_url) == (SecretRef("env", "KEY_old"), "sqlite:///old.db")
    assert [limit.value for limit in settings.limits] == [50, 0.5, ("acme/a", "acme/b")]
    assert [(block.before, block.after) for block in found.moved] == [("run.old", "run.a")]
    assert [(block.address, block.run_id) for block in found.imports] == [('run.b["old"]', SPEC[-12:])]
    a, old, new, first, second = found.instances
    assert (a.request.samples, a.request.get("tools"), a.request.spec_id) == (50, ("calculator",), SPEC)
    assert (a.request.get("skip_outline"), a.lifecycle.min_samples) == (True, 50)
    assert (old.spec_name, old.request.samples, new.request.get("spec_version")) == ("${x} 50true 0.5", 50, 50)
    assert [one.address for one in (first, second)] == [
        f'run.c["generation_model=acme/{letter}"]' for letter in ("a", "b")
    ]
    assert first.depends_on == ('run.b["old"]',)


TEXTS: list[tuple[str, str, object]] = [
    ("string", "", ""),
    ("string", " a=b,c ", " a=b,c "),
    ("string", "${var.x}", "${var.x}"),
    ("integer", "10", 10),
    ("integer", "-1_000", -1000),
    ("integer", "1.0", None),
    ("integer", "", None),
    ("integer", "true", None),
    ("integer", "9" * 40, None),
    ("number", "10", 10),
    ("number", "1e3", 1000.0),
    ("number", "nan", None),
    ("number", "1,5", None),
    ("boolean", "true", True),
    ("boolean", "false", False),
    ("boolean", "True", None),
    ("boolean", "1", None),
    ("list", "", []),
    ("list", "a, b", ["a", "b"]),
    ("list", '["a", 1, true]', ["a", 1, True]),
    ("list", "1,2", ["1", "2"]),
    ("list", "[1, [2]]", None),
    ("list", "[1", None),
    ("list", "[1]\nx = 2", None),
    ("list", "[" * 2_000 + "]" * 2_000, None),
]


@pytest.mark.parametrize("way", ["--var", "environ"])
@pytest.mark.parametrize(("kind", "text", "expected"), TEXTS)
def test_texts_are_read_by_the_variable_s_type(
    tmp_path: Path, kind: str, text: str, expected: object, way: str
) -> None:
    root = variable("v", kind)
    given = (f"v={text}",) if way == "--var" else ()
    found = told(tmp_path, root, *given, environ={} if given else {"RECONCILER_VAR_v": text})
    if expected is None:
        (error,) = errors(found)
        assert (error.summary, error.source and error.source.line) == ("Value not allowed", 1)
        assert ("--var v" if given else "RECONCILER_VAR_v") in error.detail
        assert len(error.detail) < 200
    else:
        from reconciler.config.load import load
        from reconciler.config.variables import Given, read_variables

        values = read_variables(load(tmp_path), Given(variables=(f"v={text}",)), {})[0].values
        assert values == {"v": expected}
        assert type(values["v"]) is type(expected)


def test_elements_between_commas_are_like_those_of_the_default(tmp_path: Path) -> None:
    root = variable("sizes", "list", default=[1]) + SPECS + run(matrix={"number_of_samples": "${var.sizes}"})
    assert [one.request.samples for one in told(tmp_path, root, "sizes=10, 20").instances] == [10, 20]
    (error,) = errors(told(tmp_path, root, "sizes=10,x"))
    assert error.summary == "Value not allowed"


# A project, and of each problem its place, address, summary.
REFERENCES: dict[str, tuple[str, list[tuple[str, str, str]]]] = {
    "an unknown variable": (run(number_of_samples="${var.siz}"), [("5:21", "run.a", "Unknown variable")]),
    "another form": (run(spec_version="${size}"), [("7:16", "run.a", "Malformed reference")]),
    "blanks": (run(spec_version="${ var.size }"), [("7:16", "run.a", "Malformed reference")]),
    "not closed": (run(spec_name="a ${var.size", spec=None), [("6:13", "run.a", "Malformed reference")]),
    "a list in a text": (run(spec_name="a ${var.list}", spec=None), [("6:13", "run.a", "A list inside a text")]),
    "in a key": (run(for_each={'"${var.size}"': {}}), [("7:14", "run.a", "Reference not allowed here")]),
    "in a list": (run(tools=["calculator", "${var.x}"]), [("7:24", "run.a", "Unknown variable")]),
    "in a sub-table": (run() + "[run.a.for_each.x]\ntools = '${var.x}'\n", [("8:9", "run.a", "Unknown variable")]),
    "in a matrix": (run(matrix={"tools": "${var.x}"}), [("7:20", "run.a", "Unknown variable")]),
    "in an exclusion": (
        run(matrix={"spec_version": [1]}, matrix_exclude=[{"spec_version": "${var.x}"}]),
        [("8:36", "run.a", "Unknown variable")],
    ),
    "a budget beside a model that is unknown": (
        run(generation_model="${var.x}", generation_thinking_budget=2048),
        [("6:20", "run.a", "Unknown variable")],
    ),
    "shards": (
        run(number_of_samples="${var.x}", shard_size=5) + run("b", depends_on=['run.a["3"]']),
        [("5:21", "run.a", "Unknown variable")],
    ),
    "a value that does not fit": (run(number_of_samples="${var.zero}"), [("5:21", "run.a", "Value out of bounds")]),
    "a type that does not fit": (run(number_of_samples="1${var.zero}"), [("5:21", "run.a", "Wrong type")]),
    "settings": ('[api]\ntimeout = "${var.x}"\n', [("4:11", "", "Unknown variable")]),
    "limits": ('[limits]\nmax_new_runs = "${var.x}"\n', [("4:16", "", "Unknown variable")]),
    "a moved block": ('[[moved]]\nfrom = "${var.x}"\nto = "run.x"\n', [("4:8", "", "Unknown variable")]),
}


@pytest.mark.parametrize(("text", "expected"), REFERENCES.values(), ids=REFERENCES)
def test_what_is_wrong_with_a_reference_is_told_once(
    tmp_path: Path, text: str, expected: list[tuple[str, str, str]]
) -> None:
    declared = variable("size", "integer", default=5) + variable("zero", "integer", default=0)
    declared += variable("list", "list", default=[])
    assert said(desired(tmp_path, SPECS + text + declared)) == expected


@pytest.mark.parametrize(
    ("options", "given", "words"),
    [
        ({"env": "prod"}, (), "environments/prod.toml:2"),
        ({"environ": {"RECONCILER_VAR_size": "0"}}, (), "RECONCILER_VAR_size"),
        ({"var_files": ("\nsize = 0\n",)}, (), "0.toml:2"),
        ({}, ("size=0",), "--var size"),
        ({}, (), "reconciler.toml:3"),
    ],
)
def test_a_value_that_does_not_fit_says_how_it_is_written_and_who_gave_it(
    tmp_path: Path, options: dict[str, Any], given: tuple[str, ...], words: str
) -> None:
    text = variable("size", "integer", default=0) + SPECS + run(number_of_samples="${var.size}")
    (error,) = errors(told(tmp_path, text, *given, prod="[variables]\nsize = 0\n", **options))
    assert error.detail.endswith(f'not 0. It is written as "${{var.size}}"; size is given by {words}.')


def test_a_near_variable_is_named(tmp_path: Path) -> None:
    text = variable("size", "integer", default=5) + SPECS + run(number_of_samples="${var.siez}")
    (error,) = errors(told(tmp_path, text))
    assert 'Did you mean "size"?' in error.detail


DECLARATIONS: dict[str, tuple[str, str, str]] = {
    "a type that is none": (variable("v", "int"), "2:8", "Value not allowed"),
    "no type": ("[variables.v]\ndefault = 3\n", "1:1", "A key is missing"),
    "no table": ("[variables]\nv = 3\n", "2:5", "Wrong type"),
    "no tables": ("variables = 3\n", "1:13", "Wrong type"),
    "an unknown key": (variable("v", "string", defualt="x"), "3:1", "Unknown key"),
    "a default of another type": (variable("v", "integer", default="5"), "3:11", "Value not allowed"),
    "true is no number": (variable("v", "integer", default=True), "3:11", "Value not allowed"),
    "a list of lists": (variable("v", "list", default=[[1]]), "3:11", "Value not allowed"),
    "a default below the minimum": (variable("v", "integer", default=0, minimum=1), "3:11", "Value not allowed"),
    "a default above the maximum": (variable("v", "number", default=1.5, maximum=1), "3:11", "Value not allowed"),
    "a default that is not allowed": (variable("v", "string", default="x", allowed=["y"]), "3:11", "Value not allowed"),
    "an element that is not allowed": (variable("v", "list", default=[1], allowed=[2]), "3:11", "Value not allowed"),
    "bounds that cross": (variable("v", "integer", default=1, minimum=2, maximum=1), "5:11", "Value out of bounds"),
    "bounds of a text": (variable("v", "string", default="", minimum=2), "4:11", "A key without effect"),
    "allowed of another type": (variable("v", "integer", default=1, allowed=[1, "2"]), "4:15", "Wrong type"),
    "nothing allowed": (variable("v", "integer", default=1, allowed=[]), "4:11", "Wrong type"),
    "allowed by a text": (variable("v", "string", default="x", allowed="x"), "4:11", "Wrong type"),
    "a list among the allowed": (variable("v", "list", default=[], allowed=[[1]]), "4:12", "Wrong type"),
    "a bound of another type": (variable("v", "integer", default=1, minimum="1"), "4:11", "Wrong type"),
    "a reference to another": (variable("v", "string", default="${var.w}"), "3:11", "Value not allowed"),
    "no value": (variable("v", "string"), "1:1", "A value is missing"),
}


@pytest.mark.parametrize(("text", "place", "summary"), DECLARATIONS.values(), ids=DECLARATIONS)
def test_what_is_wrong_with_a_declaration_is_told_once_and_uses_are_not(
    tmp_path: Path, text: str, place: str, summary: str
) -> None:
    found = desired(tmp_path, text, inner=SPECS + run(number_of_samples="${var.v}"))
    assert [(at, what) for at, _, what in said(found)] == [(place, summary)]


def test_a_name_that_is_none(tmp_path: Path) -> None:
    found = desired(tmp_path, '[variables."a b"]\ntype = "string"\n')
    assert said(found) == [("1:1", "", "Malformed name")]


def test_what_is_given_and_not_declared(tmp_path: Path) -> None:
    found = told(
        tmp_path,
        variable("size", "integer", default=5),
        "siez=3",
        "size",
        env="prod",
        environ={"RECONCILER_VAR_SIZE": "9", "RECONCILER_VAR_other": "x"},
        var_files=("sizee = 3\n", "size = \n"),
        prod="[variables]\nsizes = 4\n",
    )
    assert [(str(item.source), item.summary) for item in found.diagnostics] == [
        ("0.toml:1:1", "Unknown variable"),
        ("1.toml:1:8", "This is not valid TOML"),
        ("environments/prod.toml:2:1", "Unknown variable"),
        ("None", "Malformed variable"),
        ("None", "Unknown variable"),
        ("None", "Unknown variable"),
    ]
    assert ['mean "size"' in item.detail for item in errors(found)] == [True, False, True, False, True]
    assert "RECONCILER_VAR_size" in warnings(found)[0].fix


@pytest.mark.parametrize(
    ("options", "file"),
    [
        ({"env": "prod", "prod": "[variables]\nsize = 'x'\n"}, "environments/prod.toml:2:8"),
        ({"var_files": ("size = 21\n",)}, "0.toml:1:8"),
        ({"env": "prod", "prod": "variables = 3\n"}, "environments/prod.toml:1:13"),
    ],
)
def test_a_wrong_value_is_told_where_it_is_given(tmp_path: Path, options: dict[str, Any], file: str) -> None:
    (error,) = errors(told(tmp_path, variable("size", "integer", default=5, maximum=20), **options))
    assert str(error.source) == file


def test_a_var_file_that_is_not_there(tmp_path: Path) -> None:
    from reconciler.config.variables import Given
    from reconciler.project import check_project

    (tmp_path / "reconciler.toml").write_text("")
    (error,) = errors(check_project(tmp_path, {}, Given(files=(tmp_path.parent / "nowhere.toml",))))
    assert error.summary == "The file can't be read"
    assert error.source is not None
    assert error.source.file == str(tmp_path.parent / "nowhere.toml")


def test_a_small_file_does_not_become_a_large_one(tmp_path: Path) -> None:
    root = variable("v", "string", default="x" * 60_000) + SPECS
    root += "".join(run(f"r{n}", spec=None, spec_name="${var.v}" * 50 + ".") for n in range(3))
    assert [what for _, _, what in said(desired(tmp_path, root))] == ["The file becomes too large"]


def test_where_the_root_can_t_be_read_references_are_not_told(tmp_path: Path) -> None:
    found = desired(tmp_path, "[", inner=run(spec=None, spec_id=SPEC, number_of_samples="${var.x}"))
    assert [what for _, _, what in said(found)] == ["This is not valid TOML"]


def test_a_text_of_a_file_without_references_is_taken_as_it_is(tmp_path: Path) -> None:
    found = desired(tmp_path, SPECS + run(spec=None, spec_name="$var.x $$ {var.x} $$$"))
    assert [one.spec_name for one in found.instances] == ["$var.x $$ {var.x} $$$"]
