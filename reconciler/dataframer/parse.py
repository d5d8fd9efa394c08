"""JSON from the service to values of ours. Unknown properties are passed over; a value of the wrong type is unsaid."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any, TypeVar

from reconciler.model.run import Run, Spec, normalise_status

_T = TypeVar("_T")
_WORDS_LIMIT = 500


def parse_json(body: bytes) -> Any:
    """The JSON value of a body, or None for what is none (also for one too deep to read)."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _of(value: object, kind: type[_T]) -> _T | None:
    if isinstance(value, bool) and kind is not bool:
        return None
    return value if isinstance(value, kind) else None


def _cost(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def parse_run(item: object) -> Run | None:
    """A run of a create, get or list answer; None without a usable id."""
    if not isinstance(item, dict):
        return None
    run_id = item.get("id")
    if not isinstance(run_id, str) or not run_id.strip():
        return None
    files = _of(item.get("generated_files"), list)
    word = item.get("status")
    return Run(
        id=run_id,
        status=normalise_status(word if word is not None else "PENDING"),
        status_word=str(word) if word is not None else "",
        spec_id=_of(item.get("spec_id"), str),
        spec_name=_of(item.get("spec_name"), str),
        spec_version=_of(item.get("spec_version"), int),
        dataset_id=_of(item.get("dataset_id"), str),
        samples_completed=_of(item.get("samples_completed"), int),
        samples_failed=_of(item.get("samples_failed"), int),
        total_cost=_cost(item.get("total_cost")),
        created_at=_of(item.get("created_at"), str),
        completed_at=_of(item.get("completed_at"), str),
        created_by_email=_of(item.get("created_by_email"), str),
        runtime_params=_of(item.get("runtime_params"), dict),
        generated_files=None if files is None else [file for file in files if isinstance(file, dict)],
    )


def parse_spec(item: object) -> Spec | None:
    """A spec of a get or list answer; None without a usable id."""
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return None
    content, versions = _of(item.get("content_yaml"), str), _of(item.get("versions"), list)
    return Spec(
        id=item["id"],
        name=_of(item.get("name"), str) or "",
        status=_of(item.get("status"), str) or "",
        seeded=item.get("dataset_id") is not None,
        dataset_name=_of(item.get("dataset_name"), str),
        error=_of(item.get("error"), str),
        versions=None if versions is None else len(versions),
        content_sha256=None if content is None else hashlib.sha256(content.encode()).hexdigest(),
    )


def service_words(body: bytes) -> str:
    """What the service says of an error, shortened; its shape is not published, so look where such APIs put it."""
    value = parse_json(body)
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
    return text if len(text) <= _WORDS_LIMIT else text[:_WORDS_LIMIT] + "…"
