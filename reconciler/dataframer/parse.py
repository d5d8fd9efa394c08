"""JSON from the service to values of ours. Unknown properties are passed over; a value of the wrong type is unsaid."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any, TypeGuard, TypeVar

from reconciler.model.run import Run, Spec, normalise_status

_T = TypeVar("_T")
_WORDS_LIMIT = 500
_ERROR_BYTES = 65_536  # of an error's body that are looked at
_TEXT_LIMIT = 10_000
_DEPTH_LIMIT = 16
_LARGEST = 2**63 - 1  # what a database holds
# An id goes into paths, commands and the state: one word, of characters that are safe in all of them.
_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._~:=+@-]{0,199}")


def usable_id(value: object) -> TypeGuard[str]:
    """Whether the service can have meant this as an id."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def parse_json(body: bytes) -> Any:
    """The JSON value of a body, or None for what is none (also for one too deep to read)."""
    try:
        return json.loads(body)
    except RecursionError:
        return None
    except ValueError:
        pass
    try:  # a number of thousands of digits somewhere is no reason to lose the rest
        return json.loads(body, parse_int=lambda digits: int(digits) if len(digits) < 20 else None)
    except (ValueError, RecursionError):
        return None


def _of(value: object, kind: type[_T]) -> _T | None:
    if isinstance(value, bool) and kind is not bool:
        return None
    return value if isinstance(value, kind) else None


def _text(value: object) -> str | None:
    """A text that can be written down: not endless, no halves of pairs."""
    return _plain(value) if isinstance(value, str) and len(value) <= _TEXT_LIMIT else None


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def _word(value: object) -> str:
    """A status as people are shown it: empty where nothing was said."""
    return "" if value is None else _plain(value[:100]) if isinstance(value, str) else "?"


def _count(value: object) -> int | None:
    number = _of(value, int)
    return number if number is not None and 0 <= number <= _LARGEST else None


def _cost(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        cost = float(value)
    except OverflowError:
        return None
    return cost if math.isfinite(cost) and cost >= 0 else None


def _storable(value: object, depth: int = _DEPTH_LIMIT) -> Any:
    """A JSON value without what can't be stored or compared: numbers out of bounds and what is too deep become None."""
    match value:
        case dict():
            return {_plain(key): _storable(item, depth - 1) for key, item in value.items()} if depth else None
        case list():
            return [_storable(item, depth - 1) for item in value] if depth else None
        case str():
            return _plain(value)
        case float():
            return value if math.isfinite(value) else None
        case int():
            return value if abs(value) <= _LARGEST else None
        case _:
            return value


def parse_run(item: object) -> Run | None:
    """A run of a create, get or list answer; None without a usable id."""
    if not isinstance(item, dict):
        return None
    run_id = item.get("id")
    if not usable_id(run_id):
        return None
    files = _of(item.get("generated_files"), list)
    word = item.get("status")
    return Run(
        id=run_id,
        status=normalise_status(word if word is not None else "PENDING"),
        status_word=_word(word),
        spec_id=_text(item.get("spec_id")),
        spec_name=_text(item.get("spec_name")),
        spec_version=_count(item.get("spec_version")),
        dataset_id=_text(item.get("dataset_id")),
        samples_completed=_count(item.get("samples_completed")),
        samples_failed=_count(item.get("samples_failed")),
        total_cost=_cost(item.get("total_cost")),
        created_at=_text(item.get("created_at")),
        completed_at=_text(item.get("completed_at")),
        created_by_email=_text(item.get("created_by_email")),
        runtime_params=_storable(_of(item.get("runtime_params"), dict)),
        generated_files=None if files is None else [_storable(file) for file in files if isinstance(file, dict)],
    )


def parse_spec(item: object) -> Spec | None:
    """A spec of a get or list answer; None without a usable id."""
    if not isinstance(item, dict) or not usable_id(item.get("id")):
        return None
    content, versions = _of(item.get("content_yaml"), str), _of(item.get("versions"), list)
    return Spec(
        id=item["id"],
        name=_text(item.get("name")) or "",
        status=_text(item.get("status")) or "",
        seeded=item.get("dataset_id") is not None,
        dataset_name=_text(item.get("dataset_name")),
        error=_text(item.get("error")),
        versions=None if versions is None else len(versions),
        content_sha256=None if content is None else hashlib.sha256(content.encode("utf-8", "replace")).hexdigest(),
    )


def service_words(body: bytes) -> str:
    """What the service says of an error, shortened; its shape is not published, so look where such APIs put it."""
    value = parse_json(body) if len(body) <= _ERROR_BYTES else None
    if isinstance(value, dict):
        parts = [
            value.get("error") or value.get("detail") or value.get("message"),
            value.get("field"),
            value.get("code"),
        ]
        said = [part if isinstance(part, str) else json.dumps(part) for part in parts if part]
        text = " · ".join(said) or json.dumps(value)
    else:
        text = body[: 4 * _WORDS_LIMIT].decode("utf-8", "replace").strip() or "no words"
    text = _plain(text)
    return text if len(text) <= _WORDS_LIMIT else text[:_WORDS_LIMIT] + "…"
