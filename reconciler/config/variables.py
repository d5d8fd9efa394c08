"""``[variables]`` of reconciler.toml, and the values that they have in this invocation.

Of a value, the last that is given counts: its default, the environment's file (``--env``), ``RECONCILER_VAR_NAME``,
``--var-file``, ``--var``. Texts from outside of TOML files are read by the variable's type.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from reconciler.config.checking import check
from reconciler.config.findings import Finding, did_you_mean, error
from reconciler.config.load import Document, Loaded, Origin, read_document
from reconciler.config.models import VariableTable
from reconciler.config.positions import Path as Keys
from reconciler.config.values import Value, fits, literal, read_text, table_problems
from reconciler.model.address import NAME
from reconciler.model.diagnostics import Diagnostic, Severity

PREFIX: Final = "RECONCILER_VAR_"
MISSING: Final = "A value is missing"  # the summary of what is told of a variable without a value
_KEYS: Final = tuple(VariableTable.__annotations__)
_BY_TYPE: Final = ("default", "minimum", "maximum", "allowed")  # what they may be depends on the type


class Given(Struct, frozen=True):
    """What an invocation says beside the project's files. ``variables``: ``NAME=VALUE`` texts; the later ones count."""

    environment: str | None = None
    variables: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


class Variables(Struct, frozen=True):
    """Values by name, and who gave them. ``broken``: declared ones that have none, because of an error that is told.
    ``readable``: whether it is known which there are.
    """

    values: Mapping[str, Value]
    origins: Mapping[str, Origin]
    broken: frozenset[str] = frozenset()
    readable: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that may be referred to, sorted."""
        return tuple(sorted({*self.values, *self.broken}))


_Offers = dict[str, list[tuple[Any, Origin]]]  # by variable, in the order in which they count


def read_variables(
    loaded: Loaded, given: Given, environ: Mapping[str, str]
) -> tuple[Variables, list[Finding], list[Diagnostic]]:
    """The values of all variables, and what is wrong with them or with how they are given."""
    root = loaded.top
    if root is None:
        return Variables({}, {}, readable=False), [], []
    variables = root.table.get("variables", {})
    if not isinstance(variables, dict):
        said = "variables must be a table."
        return (
            Variables({}, {}, readable=False),
            [error(root, ("variables",), "Wrong type", said, "[variables.NAME]")],
            [],
        )
    tables, findings = _declared(root, variables)
    names = set(variables)
    offers: _Offers = defaultdict(list)
    diagnostics: list[Diagnostic] = []
    for name, table in tables.items():
        if "default" in table:
            offers[name].append((table["default"], Origin(root, ("variables", name, "default"))))
    if loaded.environment is not None:
        _take(loaded.environment, ("variables",), names, offers, findings)
    for key in sorted(environ):
        if key.startswith(PREFIX):
            _from_environ(key, environ[key], root, names, offers, diagnostics)
    for path in given.files:
        document = read_document(path, _called(path, loaded.root))
        if isinstance(document, Document):
            _take(document, (), names, offers, findings)
        else:
            diagnostics.append(document)
    for text in given.variables:
        name, equals, value = text.partition("=")
        if not equals or name not in names:
            diagnostics.append(_undeclared(f"--var {name}", name, names, well_formed=bool(equals)))
        else:
            offers[name].append((value, Origin(root, ("variables", name), f"--var {name}")))
    values: dict[str, Value] = {}
    for name, table in tables.items():
        wrong = list(_decide(name, table, offers[name], root, values))
        findings += wrong
        if wrong:
            values.pop(name, None)
    origins = {name: offers[name][-1][1] for name in values}
    return Variables(values, origins, frozenset(names - values.keys())), findings, diagnostics


def _declared(root: Document, variables: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], list[Finding]]:
    """The sound tables of ``[variables]``."""
    sound: dict[str, dict[str, Any]] = {}
    findings: list[Finding] = []
    for name, table in variables.items():
        path: Keys = ("variables", name)
        if not isinstance(table, dict):
            fix = f'Write [variables.{name}] with type = "…", and a default if it has one.'
            wrong = [error(root, path, "Wrong type", f"variables.{name} must be a table.", fix)]
        elif NAME.fullmatch(name) is None:
            detail = f'"{name}" is not a name: letters, digits, _ and -, not starting with a digit or -.'
            wrong = [error(root, path, "Malformed name", detail, on_key=True)]
        else:
            plain = {key: value for key, value in table.items() if key not in _BY_TYPE}
            wrong = check(VariableTable, plain, root, path, _KEYS, None)
            wrong = wrong or [error(root, (*path, *inside), *said) for inside, said in table_problems(name, table)]
        findings += wrong
        if not wrong:
            sound[name] = table
    return sound, findings


def _take(document: Document, inside: Keys, names: set[str], offers: _Offers, findings: list[Finding]) -> None:
    """Values that a file gives: at its top, or in a table of it."""
    table: Any = document.table
    for key in inside:
        table = table.get(key, {})
    if not isinstance(table, dict):
        findings.append(error(document, inside, "Wrong type", "variables must be a table of values."))
        return
    for name, value in table.items():
        if name in names:
            offers[name].append((value, Origin(document, (*inside, name))))
        else:
            detail = f'There is no variable "{name}".{did_you_mean(name, names)}'
            findings.append(
                error(document, (*inside, name), "Unknown variable", detail, _declared_words(names), on_key=True)
            )


def _from_environ(
    key: str,
    text: str,
    root: Document,
    names: set[str],
    offers: _Offers,
    diagnostics: list[Diagnostic],
) -> None:
    """Variables of other projects may be set as well: only one whose case differs is told."""
    name = key.removeprefix(PREFIX)
    if name in names:
        offers[name].append((text, Origin(root, ("variables", name), key)))
        return
    near = next((known for known in sorted(names) if _plain(known) == _plain(name)), None)
    if near is not None:
        detail, fix = f"{key} sets no variable, for names are taken as they are.", f"Write {PREFIX}{near}."
        diagnostics.append(Diagnostic(Severity.WARNING, "Unknown variable", detail, fix))


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _undeclared(said: str, name: str, names: set[str], well_formed: bool) -> Diagnostic:
    if not well_formed:
        return Diagnostic(
            Severity.ERROR, "Malformed variable", f"{said}: there is no = in it.", "Write --var NAME=VALUE."
        )
    detail = f'{said}: there is no variable "{name}".{did_you_mean(name, names)}'
    return Diagnostic(Severity.ERROR, "Unknown variable", detail, _declared_words(names))


def _declared_words(names: set[str]) -> str:
    return f"Declared in [variables] of reconciler.toml: {', '.join(sorted(names)) or 'none'}."


def _called(path: Path, root: Path) -> str:
    """A file's name in messages: as it lies in the project, or the whole of it."""
    whole, project = Path(os.path.abspath(path)), Path(os.path.abspath(root))
    return whole.relative_to(project).as_posix() if whole.is_relative_to(project) else str(whole)


def _decide(
    name: str, table: dict[str, Any], offers: list[tuple[Any, Origin]], root: Document, values: dict[str, Value]
) -> Iterator[Finding]:
    """Takes the last value. What files say is checked all the same; of other texts only the one that counts."""
    if not offers:
        detail = f"{name} has no default, and nobody gives it a value."
        fix = f"Give one with --var {name}=…, --var-file, {PREFIX}{name} or a default."
        yield error(root, ("variables", name), MISSING, detail, fix, on_key=True)
    for number, (given, origin) in enumerate(offers, start=1):
        if origin.words and number < len(offers):
            continue
        try:
            value = read_text(table, given) if origin.words else literal(given)
            fits(table, value)
        except ValueError as problem:
            said = f", as {origin.words} gives it," if origin.words else ""
            end = "" if str(problem).endswith("?") else "."
            yield error(origin.document, origin.path, "Value not allowed", f"{name}{said} {problem}{end}")
        else:
            values[name] = value
