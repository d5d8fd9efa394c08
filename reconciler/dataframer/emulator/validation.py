"""The rules of the create call's reference page, as data, and the check of a body against them.

This is on purpose a second, independent reading of that page: the emulator must be able to catch a mistake in the
product's own table of fields. Fields that the page doesn't know are ignored, for the page doesn't say that they are
refused. A field that is `null` has the wrong type. What the page calls without effect (a thinking budget without a
thinking model, a revision model without revisions) is taken and ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from uuid import UUID

from msgspec import Struct

from reconciler.dataframer.emulator.messages import Json, Problem


class Identifier(Struct, frozen=True):
    """A UUID as text."""


class Integer(Struct, frozen=True):
    """A whole number; `maximum` None means no upper bound."""

    minimum: int
    maximum: int | None = None


class Choice(Struct, frozen=True):
    """One of these words."""

    words: tuple[str, ...]


class Choices(Struct, frozen=True):
    """A list, possibly empty, of these words."""

    words: tuple[str, ...]


class Text(Struct, frozen=True):
    """Any text."""


class Boolean(Struct, frozen=True):
    """True or false."""


Rule = Identifier | Integer | Choice | Choices | Text | Boolean


def _models() -> tuple[str, ...]:
    """Every model name of the three published lists."""
    text = files("reconciler.dataframer.emulator").joinpath("models.json").read_text(encoding="utf-8")
    return tuple(json.loads(text)["models"])


MODELS = _models()
REVISION_TYPES = ("coherence_flow", "consistency", "distinguishability", "conformance")
FILTERING_TYPES = ("structural", "conformance")
CREDENTIALS = ("databricks_client_id", "databricks_client_secret", "databricks_api_base")
MODEL_FIELDS = ("generation_model", "outline_model", "revision_model")
REQUIRED = ("spec_id", "number_of_samples")

FIELDS: Mapping[str, Rule] = {
    "spec_id": Identifier(),
    "number_of_samples": Integer(1, 20_000),
    "spec_version": Integer(1),
    "generation_model": Choice(MODELS),
    "outline_model": Choice(MODELS),
    "revision_model": Choice(MODELS),
    "revision_types": Choices(REVISION_TYPES),
    "filtering_types": Choices(FILTERING_TYPES),
    "max_revision_cycles": Integer(1, 5),
    "seed_shuffling_level": Choice(("none", "sample", "field", "prompt")),
    "max_examples_in_prompt": Integer(1),
    "unified_multifield": Boolean(),
    "generation_thinking_budget": Integer(1024),
    "outline_thinking_budget": Integer(1024),
    "revision_thinking_budget": Integer(1024),
    "databricks_client_id": Text(),
    "databricks_client_secret": Text(),
    "databricks_api_base": Text(),
    "skip_outline": Boolean(),
    "tools": Choices(("calculator",)),
    "enable_revisions": Boolean(),
}


def check_create(body: Json) -> None:
    """Raise `Problem` 400, naming the field, for the first rule of the page that `body` breaks.

    Rules that need the spec (its status, its versions, whether it has seeds) are checked where the spec is known.
    """
    for name in REQUIRED:
        if name not in body:
            raise Problem(400, f"{name} is required.", name)
    for name, rule in FIELDS.items():
        if name in body:
            complaint = _complaint(rule, body[name])
            if complaint is not None:
                raise Problem(400, f"{name} {complaint}.", name)
    _check_credentials(body)


def _complaint(rule: Rule, value: object) -> str | None:
    """Say what is wrong with a value, or None. The value isn't repeated: it may be a secret."""
    match rule:
        case Identifier():
            return None if isinstance(value, str) and _is_uuid(value) else "must be a UUID"
        case Integer(minimum, maximum):
            return _integer_complaint(value, minimum, maximum)
        case Choice(words):
            return None if isinstance(value, str) and value in words else f"must be one of {_listed(words)}"
        case Choices(words):
            fits = isinstance(value, list) and all(isinstance(word, str) and word in words for word in value)
            return None if fits else f"must be a list of {_listed(words)}"
        case Text():
            return None if isinstance(value, str) else "must be a string"
        case Boolean():
            return None if isinstance(value, bool) else "must be true or false"


def _integer_complaint(value: object, minimum: int, maximum: int | None) -> str | None:
    # True is an int to Python, not to the API.
    if not isinstance(value, int) or isinstance(value, bool):
        return "must be an integer"
    if value < minimum:
        return f"must be at least {minimum}"
    if maximum is not None and value > maximum:
        return f"must be at most {maximum}"
    return None


def _check_credentials(body: Json) -> None:
    """The `databricks/system.ai.*` names came after the credentials had been dropped from the call: they need none."""
    users = [name for name in MODEL_FIELDS if _needs_credentials(body.get(name))]
    missing = [name for name in CREDENTIALS if not body.get(name)]
    if users and missing:
        raise Problem(400, f"{users[0]} is a databricks/ model: {', '.join(missing)} must be given too.", missing[0])


def _needs_credentials(model: object) -> bool:
    return isinstance(model, str) and model.startswith("databricks/") and not model.startswith("databricks/system.ai.")


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words)
