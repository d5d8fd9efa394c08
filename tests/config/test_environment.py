"""``--env NAME``: settings key by key, values of variables, the place of the state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.config.variables import Given
from reconciler.model.diagnostics import Source
from reconciler.model.errors import ConfigurationError, UsageError
from reconciler.model.limits import Level, Limit
from reconciler.project import Project, check_project, read_project
from tests.config.projects import errors, said, told


def opened(
    folder: Path, root: str, file: str, environ: dict[str, str] | None = None, url: str | None = None
) -> Project:
    (folder / "reconciler.toml").write_text(root)
    (folder / "environments").mkdir()
    (folder / "environments" / "prod.toml").write_text(file)
    return read_project(folder, environ, url, Given("prod"))


def test_settings_key_by_key(tmp_path: Path) -> None:
    root = (
        '[api]\nbase_url = "emulator"\ntimeout = "5s"\nextra_models = ["a/b"]\n[apply]\nparallelism = 3\n'
        "max_active = 4\n[limits]\nmax_new_runs = 5\nmax_cancel = 6\n"
    )
    prod = (
        '[api]\ntimeout = "7s"\nextra_models = []\n[apply]\nparallelism = 8\n[limits]\n'
        'max_new_runs = { value = 9, level = "soft" }\ndeny_models = ["x/*"]\n'
    )
    settings = told(tmp_path, root, env="prod", prod=prod).settings
    assert (settings.base_url, settings.timeout, settings.extra_models) == ("emulator", 7, ())
    assert (settings.parallelism, settings.max_active) == (8, 4)
    assert settings.limits == (
        Limit("max_new_runs", 9, Level.SOFT, Source("environments/prod.toml", 7, 1)),
        Limit("max_cancel", 6, Level.HARD, Source("reconciler.toml", 10, 1)),
        Limit("deny_models", ("x/*",), Level.HARD, Source("environments/prod.toml", 8, 1)),
    )
    assert (settings.environment, settings.default_state_url) == ("prod", "sqlite:///.reconciler/prod/state.db")
    assert told(tmp_path, root).settings.default_state_url == "sqlite:///.reconciler/emulator/state.db"


POSTGRES = "postgresql://user@host/db"


@pytest.mark.parametrize(
    ("root", "file", "environ", "url", "expected"),
    [
        ("", "", {}, None, ("sqlite:///.reconciler/prod/state.db", None)),
        ('[state]\nurl = "sqlite:///x.db"\n', "", {}, None, ("sqlite:///x.db", None)),
        ('[state]\nurl = "sqlite:///x.db"\n', '[state]\nurl = "sqlite:///y.db"\n', {}, None, ("sqlite:///y.db", None)),
        (f'[state]\nurl = "{POSTGRES}"\n', "", {}, None, (POSTGRES, "prod")),
        (f'[state]\nurl = "{POSTGRES}"\nworkspace = "w"\n', "", {}, None, (POSTGRES, "w")),
        (f'[state]\nurl = "{POSTGRES}"\n', '[state]\nworkspace = "v"\n', {}, None, (POSTGRES, "v")),
        (f'[state]\nurl = "{POSTGRES}?workspace=u"\n', "", {}, None, (f"{POSTGRES}?workspace=u", None)),
        ("", "", {"RECONCILER_STATE_URL": POSTGRES}, None, (POSTGRES, "prod")),
        ("", "", {}, f"{POSTGRES}?workspace=u", (f"{POSTGRES}?workspace=u", None)),
        ('[state]\nurl = { env = "W" }\n', "", {"W": POSTGRES}, None, (POSTGRES, "prod")),
    ],
)
def test_the_state_of_an_environment(
    tmp_path: Path, root: str, file: str, environ: dict[str, str], url: str | None, expected: tuple[str, str | None]
) -> None:
    project = opened(tmp_path, root, file, environ, url)
    assert (project.state_url, project.workspace) == expected


def test_problems_are_told_in_the_environment_s_file(tmp_path: Path) -> None:
    prod = (
        '[api]\ntimout = "5s"\nbase_url = "http://example.com"\n[state]\nurl = "postgresql://u:canary@h/d"\n'
        "[apply]\nparallelism = 0\n[limits]\nmax_runs = 1\n[run.x]\n[specs]\n"
    )
    found = told(tmp_path, '[apply]\nmax_active = "x"\n', env="prod", prod=prod)
    assert [(str(item.source), item.summary) for item in errors(found)] == [
        ("environments/prod.toml:2:1", "Unknown key"),
        ("environments/prod.toml:3:12", "Service address not allowed"),
        ("environments/prod.toml:5:7", "A secret must be a reference"),
        ("environments/prod.toml:7:15", "Value out of bounds"),
        ("environments/prod.toml:9:1", "Unknown key"),
        ("environments/prod.toml:10:1", "Unknown table"),
        ("environments/prod.toml:11:1", "Unknown table"),
        ("reconciler.toml:2:14", "Wrong type"),
    ]
    assert "canary" not in repr(found.diagnostics)


def test_a_file_that_can_t_be_read_is_told_with_the_rest(tmp_path: Path) -> None:
    found = told(tmp_path, "[run.x]\n", env="prod", prod="[api\n")
    assert {what for _, _, what in said(found)} >= {"This is not valid TOML", "One spec is needed"}


def test_an_environment_that_is_not_there(tmp_path: Path) -> None:
    told(tmp_path, "", prod="", staging="")
    with pytest.raises(ConfigurationError) as caught:
        check_project(tmp_path, {}, Given("dev"))
    (error,) = caught.value.diagnostics
    assert (error.summary, str(error.source)) == ("No such environment", "environments/dev.toml:1:1")
    assert "prod, staging" in error.detail


@pytest.mark.parametrize("name", ["", "emulator", "a b", "../x", "a/b", "1a", "prod.toml"])
def test_names_that_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="--env"):
        told(tmp_path, "", env=name)


@pytest.mark.parametrize("value", [5, "x", ["a"]])
def test_variables_are_plain_values(tmp_path: Path, value: Any) -> None:
    root = '[variables.v]\ntype = "integer"\n'
    found = told(tmp_path, root, env="prod", prod=f"[variables.v]\ndefault = {value!r}\n")
    ((place, _, what),) = said(found)
    assert (place, what) == ("1:1", "Value not allowed")
