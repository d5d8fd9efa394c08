"""What is wrong with a table of the configuration, as pydantic finds it, in words of our own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from reconciler.config.bounds import Between
from reconciler.config.findings import Finding, did_you_mean, error, shown
from reconciler.config.load import Document
from reconciler.config.models import (
    PATTERN_WORDS,
    UNBOUNDED,
    ApplyTable,
    CountLimitTable,
    LifecycleTable,
    LimitsTable,
    OwnTable,
)
from reconciler.config.positions import Path
from reconciler.dataframer.fields import MAX_SAMPLES

_WORDS = {
    "int_type": "a whole number",
    "bool_type": "true or false, without quotes",
    "string_type": "a text in quotes",
    "list_type": "a list",
    "dict_type": "a table",
    "float_type": "a number",
}


@cache
def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """The check of a kind of table, made when it is first needed."""
    return TypeAdapter(kind)


def problems(
    kind: Any, value: object, document: Document, path: Path, known: Sequence[str], address: str | None
) -> list[Finding]:
    """What is wrong with one table, in words; nothing, where pydantic accepts it."""
    try:
        adapter_of(kind).validate_python(value, strict=True)
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
            bounds = next((item.terms for item in get_args(part) if isinstance(item, Between)), None)
            if bounds is None:
                continue
            least, most = bounds["ge"], bounds["le"]
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
