"""What the reference page of the create call asks of a request body, written from that page alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BOUNDS: Mapping[str, tuple[int, int | None]] = {
    "number_of_samples": (1, 20_000),
    "spec_version": (1, None),
    "max_revision_cycles": (1, 5),
    "max_examples_in_prompt": (1, None),
    "generation_thinking_budget": (1024, None),
    "outline_thinking_budget": (1024, None),
    "revision_thinking_budget": (1024, None),
}
CHOICES: Mapping[str, frozenset[str]] = {
    "seed_shuffling_level": frozenset({"none", "sample", "field", "prompt"}),
    "revision_types": frozenset({"coherence_flow", "consistency", "distinguishability", "conformance"}),
    "filtering_types": frozenset({"structural", "conformance"}),
    "tools": frozenset({"calculator"}),
}
LISTS = frozenset({"revision_types", "filtering_types", "tools"})
BOOLEANS = frozenset({"unified_multifield", "skip_outline", "enable_revisions"})
MODELS = frozenset({"generation_model", "outline_model", "revision_model"})
CREDENTIALS = frozenset({"databricks_client_id", "databricks_client_secret", "databricks_api_base"})
TEXTS = MODELS | CREDENTIALS | {"spec_id"}
FIELDS = frozenset(BOUNDS) | frozenset(CHOICES) | BOOLEANS | TEXTS


def problem(body: Mapping[str, Any], seeded: bool) -> str | None:
    """Say what is wrong with a create body, or None. ``seeded``: the spec has a seed dataset."""
    for name, value in body.items():
        wrong = _wrong(name, value)
        if wrong is not None:
            return f"{name}: {wrong}"
    for name in ("spec_id", "number_of_samples"):
        if name not in body:
            return f"{name}: this field is required"
    if "distinguishability" in body.get("revision_types", []) and not seeded:
        return "revision_types: distinguishability needs a seed dataset"
    databricks = any(str(body.get(name, "")).startswith("databricks/databricks-") for name in MODELS)
    if databricks and not set(body) >= CREDENTIALS:
        return "databricks_client_id: required for databricks models"
    return None


def _wrong(name: str, value: Any) -> str | None:
    if name not in FIELDS:
        return "unknown field"
    if name in BOUNDS:
        low, high = BOUNDS[name]
        if isinstance(value, bool) or not isinstance(value, int):
            return "a valid integer is required"
        return None if value >= low and (high is None or value <= high) else "out of range"
    if name in LISTS:
        known = isinstance(value, list) and all(item in CHOICES[name] for item in value)
        return None if known else "not a valid choice"
    if name in CHOICES:
        return None if value in CHOICES[name] else "not a valid choice"
    if name in BOOLEANS:
        return None if isinstance(value, bool) else "must be a valid boolean"
    return None if isinstance(value, str) and value else "not a valid string"
