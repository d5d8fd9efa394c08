"""Between loading and expanding: ``${var.NAME}`` in the texts of all files becomes the variable's value.

A text that is one reference takes the variable's type. ``$${`` stands for a plain ``${``. Keys are taken as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from reconciler.config.findings import Finding, did_you_mean, error, shown, to_diagnostics
from reconciler.config.load import MAX_BYTES, Document, Loaded
from reconciler.config.positions import Path
from reconciler.config.settings import MOST_FINDINGS
from reconciler.config.values import Value
from reconciler.config.variables import Given, Variables, read_variables

_TOKEN: Final = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_REFERENCE: Final = re.compile(r"var\.([A-Za-z_][A-Za-z0-9_-]*)")
_WHOLE: Final = re.compile(r"\$\{var\.([A-Za-z_][A-Za-z0-9_-]*)\}")


def substitute(loaded: Loaded, given: Given, environ: Mapping[str, str]) -> Loaded:
    """The documents with values in the place of references, and what was wrong with either."""
    variables, findings, diagnostics = read_variables(loaded, given, environ)
    documents = tuple(_substituted(document, variables, findings) for document in loaded.documents)
    environment = loaded.environment and _substituted(loaded.environment, variables, findings)
    told = (*loaded.diagnostics, *diagnostics, *to_diagnostics(findings))
    return replace(loaded, documents=documents, environment=environment, diagnostics=told)


def _substituted(document: Document, variables: Variables, findings: list[Finding]) -> Document:
    if "${" not in document.text:
        return document
    walk = _Walk(document, variables)
    table = {key: value if key == "variables" else walk.of(value, (key,)) for key, value in document.table.items()}
    findings += walk.findings
    return replace(
        document,
        table=table,
        references=walk.references,
        origins=variables.origins,
        broken=frozenset(walk.broken),
    )


class _Problem(Exception):
    """A reference that stands for nothing: summary, detail, fix; without any where that was told already."""


class _Walk:
    """Through the values of one document; what holds no reference is shared, not copied."""

    def __init__(self, document: Document, variables: Variables) -> None:
        self._document, self._variables = document, variables
        self.findings: list[Finding] = []
        self.references: dict[Path, str] = {}
        self.broken: set[Path] = set()
        self._room = MAX_BYTES  # characters that references inside longer texts may still add

    def of(self, value: Any, path: Path) -> Any:
        """The value with its references resolved."""
        match value:
            case str():
                return self._text(value, path) if "${" in value else value
            case dict():
                for key in value:
                    if "${" in key:
                        self._refuse(path, key)
                made = {key: self.of(item, (*path, key)) for key, item in value.items()}
                return made if any(made[key] is not item for key, item in value.items()) else value
            case list():
                items = [self.of(item, (*path, index)) for index, item in enumerate(value)]
                return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
            case _:
                return value

    def _refuse(self, path: Path, key: str) -> None:
        detail = f"The key {shown(key)} holds ${{, and keys are taken as they are."
        self._tell((*path, key), "Reference not allowed here", detail, "Use variables in values only.", on_key=True)

    def _text(self, text: str, path: Path) -> Any:
        self.references[path] = text
        try:
            whole = _WHOLE.fullmatch(text)
            return self._value(whole[1]) if whole else _TOKEN.sub(self._part, text)
        except _Problem as problem:
            self.broken.add(path)
            if problem.args:
                self._tell(path, *problem.args)
            return text

    def _part(self, found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "${"
        reference = _REFERENCE.fullmatch(found[1] or "")
        if reference is None:
            detail = f"{shown(found[0])} is no reference."
            raise _Problem("Malformed reference", detail, "Write ${var.NAME}, or $${ for a plain ${.")
        value = self._value(reference[1])
        if isinstance(value, list):
            detail = f"{reference[1]} is a list, which can't stand inside a longer text."
            raise _Problem(
                "A list inside a text", detail, f'Write "${{var.{reference[1]}}}" alone, in the place of a list.'
            )
        part = ("true" if value else "false") if isinstance(value, bool) else str(value)
        self._room -= len(part)
        if self._room < 0:
            detail = f"References inside longer texts make more than {MAX_BYTES:,} characters of this file."
            raise _Problem("The file becomes too large", detail, "Shorten the values, or split the file.")
        return part

    def _value(self, name: str) -> Value:
        if name in self._variables.values:
            return self._variables.values[name]
        if name in self._variables.broken or not self._variables.readable:
            raise _Problem
        names = self._variables.names
        detail = f'There is no variable "{name}".{did_you_mean(name, names)}'
        fix = f"Declared in [variables] of reconciler.toml: {', '.join(names) or 'none'}."
        raise _Problem("Unknown variable", detail, fix)

    def _tell(self, path: Path, summary: str, detail: str, fix: str, **more: Any) -> None:
        if len(self.findings) < MOST_FINDINGS:
            address = f"run.{path[1]}" if path[0] == "run" and len(path) > 1 else None
            self.findings.append(error(self._document, path, summary, detail, fix, address=address, **more))
