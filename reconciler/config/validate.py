"""Stage 3: every table and rule checked; what is right becomes instances."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import TypeAdapter

from reconciler.config.expand import Declared, Expanded, Layer
from reconciler.config.findings import Finding, check, error, to_diagnostics
from reconciler.config.load import Document, Loaded
from reconciler.config.models import RunTable
from reconciler.config.positions import Lines, header_offsets, locate
from reconciler.config.rules import cross_field_findings
from reconciler.config.settings import MOST_FINDINGS, Settings, read_aliases, read_settings, to_secret
from reconciler.dataframer.fields import LEGACY_EXPANSION, LIST_FIELDS, RUN_FIELDS, SECRET_FIELDS
from reconciler.model.blocks import ImportBlock, MovedBlock
from reconciler.model.diagnostics import Diagnostic, Severity, Source, errors, ordered
from reconciler.model.request import Instance, Lifecycle, Request

_RUN: Final[TypeAdapter[Any]] = TypeAdapter(RunTable)
_RUN_KEYS: Final = tuple(RunTable.__annotations__)
_SENT: Final = tuple(name for name in RUN_FIELDS if name not in (*SECRET_FIELDS, "spec_id", "enable_revisions"))


@dataclass(frozen=True, slots=True)
class Desired:
    """What the project's files say. ``instances`` is complete only without errors."""

    settings: Settings
    instances: tuple[Instance, ...]
    diagnostics: tuple[Diagnostic, ...]
    declared: Mapping[str, Declared] = field(default_factory=dict)
    moved: tuple[MovedBlock, ...] = ()
    imports: tuple[ImportBlock, ...] = ()

    def where(self, address: str, key: str) -> Source | None:
        """The line of a value that an instance declares, or takes from defaults."""
        declared = self.declared.get(address)
        layer = declared.layer(key) if declared else None
        if layer is None:
            return None
        path = (*layer.path, key)
        span = locate(layer.document.text, [path])[path]
        return Source(layer.document.file, *Lines(layer.document.text).at(span.value))

    @property
    def valid(self) -> bool:
        """Whether the files are right, warnings aside."""
        return not errors(self.diagnostics)


def validate(loaded: Loaded, expanded: Expanded) -> Desired:
    """Check everything, offline; all problems at once."""
    settings, findings = read_settings(loaded)
    aliases, more = read_aliases(loaded)
    findings = [*findings, *more, *expanded.findings]
    unsound: dict[int, set[str]] = {}  # by defaults table, whose problems are told once
    for layer in expanded.defaults:
        found = _table_findings(layer, None)
        findings.extend(found)
        unsound[id(layer.table)] = _keys_of(found, layer)
    wrong = 0
    instances: list[Instance] = []
    places = _Places()
    for declared in expanded.declared:
        if wrong >= MOST_FINDINGS:
            rest = f"{wrong:,} declarations are wrong; this one and what follows were not checked."
            layer = declared.layers[0]
            findings.append(error(layer.document, layer.path, "Too many problems", rest, "Correct those first."))
            break
        own = declared.layers[0]
        found = _table_findings(own, declared.address)
        keys = _keys_of(found, own).union(*(unsound[id(layer.table)] for layer in declared.layers[1:]))
        found += cross_field_findings(declared, aliases, settings.extra_models, keys)
        findings.extend(found)
        failed = any(item.severity is Severity.ERROR for item in found)
        wrong += failed
        if not keys and not failed:
            instances.append(_instance(declared, aliases, places))
    diagnostics = ordered([*loaded.diagnostics, *to_diagnostics(findings)])
    by_address: dict[str, Declared] = {item.address: item for item in expanded.declared}
    return Desired(settings, tuple(instances), tuple(diagnostics), by_address)


def _table_findings(layer: Layer, address: str | None) -> list[Finding]:
    found = check(_RUN, layer.table, layer.document, layer.path, _RUN_KEYS, address)
    for name in SECRET_FIELDS:
        ref = layer.table.get(name)
        if isinstance(ref, dict) and len(ref) != 1:
            detail = f"{name} needs one of env and file."
            path = (*layer.path, name)
            found.append(error(layer.document, path, "A secret must be a reference", detail, address=address))
    for name in LIST_FIELDS:
        value = layer.table.get(name)
        if isinstance(value, list) and len(set(map(str, value))) != len(value):
            path = (*layer.path, name)
            found.append(error(layer.document, path, "Named twice", f"{name} names a value twice.", address=address))
    return found


def _keys_of(findings: list[Finding], layer: Layer) -> set[str]:
    """Keys of a table with problems; for an unknown key also the one that was probably meant."""
    keys = {str(finding.path[len(layer.path)]) for finding in findings}
    return keys.union(*(difflib.get_close_matches(key, _RUN_KEYS, n=1) for key in keys))


def _instance(declared: Declared, aliases: Mapping[str, str], places: _Places) -> Instance:
    values = {name: declared.value(name) for name in _SENT if declared.layer(name) is not None}
    latest = values.get("spec_version") == "latest"
    if latest:
        del values["spec_version"]
    legacy = declared.value("enable_revisions") is True
    if legacy:
        values |= {name: list(expansion) for name, expansion in LEGACY_EXPANSION.items()}
    spec_id = declared.value("spec_id") or aliases.get(declared.value("spec") or "")
    if spec_id is not None:
        values = {"spec_id": spec_id.lower(), **values}
    lifecycle = declared.lifecycle()
    rerun = lifecycle.pop("rerun", 0)
    return Instance(
        declared.address,
        Request.of(values, rerun),
        Lifecycle(**lifecycle),
        places.of(declared.layers[0]),
        tuple((name, to_secret(declared.value(name))) for name in SECRET_FIELDS if declared.value(name) is not None),
        spec_name=declared.value("spec_name"),
        legacy_revisions=legacy,
        follows_latest=latest,
    )


class _Places:
    """The line of each declaration, each file looked through once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[dict[str, int], Lines]] = {}

    def of(self, layer: Layer) -> Source:
        document: Document = layer.document
        if id(document) not in self._known:
            self._known[id(document)] = header_offsets(document.text), Lines(document.text)
        offsets, lines = self._known[id(document)]
        offset = offsets.get(str(layer.path[1]))
        if offset is None:  # written in another form: run.NAME.key = …, or an inline table
            offset = locate(document.text, [layer.path])[layer.path].key
        return Source(document.file, *lines.at(offset))
