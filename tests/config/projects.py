"""Writes small projects for the tests of the configuration, and reads what is said of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from reconciler.config.validate import Desired
from reconciler.config.variables import Given
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.project import check_project

SPEC = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e"
MODEL = "openai/gpt-oss-120b"
THINKING = "openai/gpt-5.6-terra-thinking"
SPECS = f'[specs]\nt = "{SPEC}"\n'
FINE = {"spec": "t", "number_of_samples": 10, "generation_model": MODEL}


def toml(value: object) -> str:
    """One value in TOML."""
    match value:
        case dict():
            return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case str():
            return json.dumps(value)
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def table(header: str, values: Mapping[str, object]) -> str:
    """A table with one key a line; keys whose value is None are left out."""
    lines = (f"{key} = {toml(value)}\n" for key, value in values.items() if value is not None)
    return f"[{header}]\n" + "".join(lines)


def run(name: str = "a", **changes: object) -> str:
    """A declaration without a problem, with changes; None takes a field out."""
    return table(f"run.{name}", FINE | changes)


def desired(folder: Path, root: str, **others: str) -> Desired:
    """What a project says whose reconciler.toml is ``root`` and whose ``runs/NAME.toml`` are the others."""
    (folder / "reconciler.toml").write_text(root, "utf-8", newline="")
    for name, text in others.items():
        (folder / "runs").mkdir(exist_ok=True)
        (folder / "runs" / f"{name}.toml").write_text(text, "utf-8", newline="")
    return check_project(folder)


def told(
    folder: Path,
    root: str,
    *variables: str,
    env: str | None = None,
    environ: Mapping[str, str] | None = None,
    var_files: tuple[str, ...] = (),
    **environments: str,
) -> Desired:
    """What a project says to an invocation with ``--var``, ``--env`` and ``--var-file``. ``var_files``: their texts."""
    (folder / "reconciler.toml").write_text(root, "utf-8", newline="")
    for name, text in environments.items():
        (folder / "environments").mkdir(exist_ok=True)
        (folder / "environments" / f"{name}.toml").write_text(text, "utf-8", newline="")
    paths = tuple(folder / f"{number}.toml" for number, _ in enumerate(var_files))
    for path, text in zip(paths, var_files, strict=True):
        path.write_text(text, "utf-8", newline="")
    return check_project(folder, environ or {}, Given(env, variables, paths))


def addresses(found: Desired) -> list[str]:
    """The instances, of a project without errors."""
    assert errors(found) == []
    return [instance.address for instance in found.instances]


def said(found: Desired) -> list[tuple[str, str, str]]:
    """Of each problem: its place without the file, its address, its summary."""
    return [(str(item.source).partition(":")[2], item.address or "", item.summary) for item in found.diagnostics]


def errors(found: Desired) -> list[Diagnostic]:
    """The errors alone."""
    return [item for item in found.diagnostics if item.severity is Severity.ERROR]


def warnings(found: Desired) -> list[Diagnostic]:
    """The warnings alone."""
    return [item for item in found.diagnostics if item.severity is Severity.WARNING]


def places(found: list[Diagnostic], text: str) -> list[str]:
    """The lines of a text at which diagnostics point."""
    lines = text.split("\n")
    return [lines[item.source.line - 1].strip() for item in found if item.source]
