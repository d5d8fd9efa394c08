"""Problems found in parsed tables, and their way to diagnostics with file, line and column.

Finding is cheap and knows only a path; positions are looked up once for each file, at the end, and only if needed.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args, get_type_hints

from annotated_types import Ge, Le
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from reconciler.config.load import Document, Origin
from reconciler.config.models import (
    PATTERN_WORDS,
    UNBOUNDED,
    ApplyTable,
    CountLimitTable,
    LifecycleTable,
    LimitsTable,
    OwnTable,
)
from reconciler.config.positions import Lines, Path, Span, locate
from reconciler.dataframer.fields import MAX_SAMPLES
from reconciler.model.diagnostics import Diagnostic, Severity, Source

_WORDS = {
    "int_type": "a whole number",
    "bool_type": "true or false, without quotes",
    "string_type": "a text in quotes",
    "list_type": "a list",
    "dict_type": "a table",
    "float_type": "a number",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem at a path of a document; ``on_key`` points at the key rather than at its value."""

    document: Document
    path: Path
    severity: Severity
    summary: str
    detail: str
    fix: str = ""
    address: str | None = None
    on_key: bool = False


def error(document: Document, path: Path, summary: str, detail: str, fix: str = "", **more: Any) -> Finding:
    """A finding that forbids going on."""
    return Finding(document, path, Severity.ERROR, summary, detail, fix, **more)


def warning(document: Document, path: Path, summary: str, detail: str, fix: str = "", **more: Any) -> Finding:
    """A finding that is only told."""
    return Finding(document, path, Severity.WARNING, summary, detail, fix, **more)


def moved_to(finding: Finding, path: Path) -> Finding:
    """The same problem at another place of the document."""
    return replace(finding, path=path)


def to_diagnostics(findings: Iterable[Finding]) -> list[Diagnostic]:
    """With positions. What follows from a reference that stands for nothing is left out: that was told already."""
    by_document: dict[int, list[Finding]] = defaultdict(list)
    for finding in findings:
        if not finding.document.broken or not _prefixes(finding.path) & finding.document.broken:
            by_document[id(finding.document)].append(finding)
    found: list[Diagnostic] = []
    for group in by_document.values():
        document = group[0].document
        spans, lines = locate(document.text, (finding.path for finding in group)), Lines(document.text)
        origins = {name: _origin(name, origin) for name, origin in document.origins.items()}
        found.extend(_diagnostic(finding, spans[finding.path], lines, origins) for finding in group)
    return found


def _diagnostic(finding: Finding, span: Span, lines: Lines, origins: Mapping[str, str]) -> Diagnostic:
    line, column = lines.at(span.key if finding.on_key else span.value)
    source = Source(finding.document.file, line, column)
    written, detail = finding.document.references, finding.detail
    if written and (places := _prefixes(finding.path) & written.keys()):
        text = written[max(places, key=len)]
        named = "".join(words for name, words in origins.items() if f"${{var.{name}}}" in text)
        detail = f"{detail} It is written as {shown(text)}{named}."
    return Diagnostic(finding.severity, finding.summary, detail, finding.fix, finding.address, source)


def _origin(name: str, origin: Origin) -> str:
    """Who gave a variable its value, in words."""
    document, path = origin.document, origin.path
    line, _ = (1, 1) if origin.words else Lines(document.text).at(locate(document.text, [path])[path].value)
    return f"; {name} is given by {origin.words or f'{document.file}:{line}'}"


def _prefixes(path: Path) -> set[Path]:
    """A path, and what it lies in."""
    return {path[:length] for length in range(1, len(path) + 1)}


def check(
    adapter: TypeAdapter[Any], value: object, document: Document, path: Path, known: Sequence[str], address: str | None
) -> list[Finding]:
    """Types, bounds, enumerations and known keys of one table; all problems of it."""
    try:
        adapter.validate_python(value)
    except ValidationError as problem:
        # A union brings a problem for each of its branches; the last one, its general type, says it best.
        found: dict[Path, Finding] = {}
        for item in problem.errors(include_url=False, include_input=False):
            finding = _finding(value, item, document, path, known, address)
            found[finding.path] = finding
        # Of a table where a text might stand as well, only what is wrong within is told.
        return [finding for place, finding in found.items() if not any(_within(other, place) for other in found)]
    return []


def _within(path: Path, outer: Path) -> bool:
    return len(path) > len(outer) and path[: len(outer)] == outer


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` Did you mean "x"?``, or an empty text."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f' Did you mean "{near[0]}"?' if near else ""


def shown(value: object) -> str:
    """A TOML value as it is quoted in a message, shortened."""
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else ""
    text = text or (f'"{value}"' if isinstance(value, str) else "")
    if not text:
        kind = "a table" if isinstance(value, dict) else "a list" if isinstance(value, list) else ""
        # Python refuses to write out numbers of thousands of digits.
        text = kind or ("a huge number" if isinstance(value, int) and abs(value) >= 10**60 else str(value))
    return text if len(text) <= 60 else text[:59] + "…"


def _finding(
    table: object, item: Any, document: Document, path: Path, known: Sequence[str], address: str | None
) -> Finding:
    # pydantic names the branch of a union after the key that holds one; the configuration's own keys are what is left.
    location = item["loc"]
    inside = tuple(part for n, part in enumerate(location) if n == 0 or location[n - 1] not in _UNIONS)
    at = (*path, *inside)
    name = next(part for part in reversed(at) if isinstance(part, str))
    value = _value_at(table, inside)
    kind, context = item["type"], item.get("ctx", {})
    if name in _SECRETS or (len(inside) > 1 and inside[-2] in _SECRETS):
        value = None  # never shown, whatever it is
        if kind == "dict_type":
            return error(
                document,
                at,
                "A secret must be a reference",
                f"{name} holds a value; secrets are not written into files.",
                f'Write {name} = {{ env = "NAME" }} or {{ file = "path" }}.',
                address=address,
            )
    if kind == "extra_forbidden":
        place = ".".join(part for part in at[:-1] if isinstance(part, str))
        names = _nested_names(inside) or known
        return error(
            document,
            at,
            "Unknown key",
            f'"{name}" is no key of [{place}].{did_you_mean(str(name), names)}',
            f"Allowed: {', '.join(names)}.",
            address=address,
            on_key=True,
        )
    if kind == "missing":
        place = ".".join(part for part in at[:-1] if isinstance(part, str))
        return error(document, at[:-1], "A key is missing", f"[{place}] has no {name}.", address=address)
    said = "" if value is None else f", not {shown(value)}"
    if kind == "literal_error":
        allowed = context["expected"].replace("'", '"')
        guess = (
            did_you_mean(value, allowed.replace(" or ", ", ").replace('"', "").split(", "))
            if isinstance(value, str)
            else ""
        )
        return error(document, at, "Value not allowed", f"{name} must be {allowed}{said}.{guess}", address=address)
    if kind in ("greater_than_equal", "less_than_equal"):
        return error(
            document, at, "Value out of bounds", f"{name} must be {_bounds(name, kind)}{said}.", address=address
        )
    if kind == "string_pattern_mismatch":
        words = PATTERN_WORDS[context["pattern"]]
        return error(document, at, "Malformed value", f"{name} must be {words}{said}.", address=address)
    if kind in ("string_too_short", "string_too_long", "too_short"):
        bound = "empty" if kind.endswith("too_short") else f"longer than {context['max_length']} characters"
        return error(document, at, "Malformed value", f"{name} must not be {bound}.", address=address)
    words = _WORDS.get(kind, item["msg"])
    if kind in ("int_type", "float_type"):
        words = f"{words}, {_bounds(name, kind)}"
    return error(document, at, "Wrong type", f"{name} must be {words}{said}.", address=address)


_SECRETS = ("databricks_client_id", "databricks_client_secret", "databricks_api_base", "api_key")
_UNIONS = frozenset({"url", "spec_version", "resubmit_absent_after"})


def _bounds(name: str, kind: str) -> str:
    """The allowed numbers of a key, in words; ``kind`` is pydantic's word for the mistake."""
    for table in (OwnTable, LifecycleTable, ApplyTable, LimitsTable, CountLimitTable):
        hint = get_type_hints(table, include_extras=True).get(name)
        for part in (hint, *get_args(hint)):
            bounds = next((item for item in get_args(part) if isinstance(item, FieldInfo)), None)
            if bounds is None:
                continue
            least = next(item.ge for item in bounds.metadata if isinstance(item, Ge))
            most = next((item.le for item in bounds.metadata if isinstance(item, Le)), UNBOUNDED)
            most = MAX_SAMPLES if name == "number_of_samples" else most  # more only for shards to share
            open_ended = most == UNBOUNDED and kind != "less_than_equal"
            words = f"at least {least}" if open_ended else f"from {least} to {most}"
            return f'{words}, or "latest"' if name == "spec_version" else words
    return "a whole number"


def _nested_names(inside: Path) -> Sequence[str]:
    if len(inside) < 2:
        return ()
    if inside[-2] == "lifecycle":
        return ("protect", "on_remove", "on_change", "max_attempts", "min_samples", "rerun")
    return ("env", "file")


def _value_at(table: object, inside: Path) -> object:
    for part in inside:
        if isinstance(table, list):
            table = dict(enumerate(table))
        if not isinstance(table, dict) or part not in table:
            return None
        table = table[part]
    return table
