"""Texts: the short form of a comment, what a provider says of an error, and what it means."""

from __future__ import annotations

import json
import re
from typing import Final

from msgspec.structs import replace

from reconciler.forge.api import Answer, Api
from reconciler.model.errors import ForgeRefused
from reconciler.model.marker import Marker

_HEADING: Final = re.compile(r"^## [^\r\n]*", re.MULTILINE)
_LONGEST_HEADING: Final = 2_000  # characters
_WORDS: Final = 300  # characters of a provider's own


def short_form(body: str, marker: Marker, api: Api) -> str:
    """What is posted of a comment that is too long: the marker, the verdict, and where the rest is."""
    heading = _HEADING.search(body)
    verdict = f"{heading[0][:_LONGEST_HEADING]}\n\n" if heading else ""
    return (
        f"{replace(marker, truncated=True)}\n{verdict}The plan is too long for a comment on {api.name}: {len(body):,} "
        f"characters, where {api.longest:,} are allowed. The whole plan is in the output of the job that made it.\n"
    )


def said(answer: Answer) -> str:
    """What a provider says of an error, on one line; empty for a page of HTML."""
    value = answer.value
    if isinstance(value, dict):
        message = value.get("message") or value.get("error_description") or value.get("error")
        details = value.get("errors") if isinstance(value.get("errors"), list) else []
        more = [item.get("message") if isinstance(item, dict) else item for item in details or []]
        parts = [part if isinstance(part, str) else json.dumps(part) for part in (message, *more) if part]
        text = "; ".join(parts)
    else:
        text = "" if answer.text.lstrip().startswith("<") else answer.text
    text = " ".join(text.split())
    return text if len(text) <= _WORDS else text[:_WORDS] + "…"


def too_long(refused: ForgeRefused) -> bool:
    words = refused.words.lower()
    return refused.status == 413 or (refused.status in (400, 422) and ("too long" in words or "too large" in words))


def same(left: str, right: str) -> bool:
    """Whether two texts show the same: providers differ in what they do to line ends."""
    return left.replace("\r\n", "\n").rstrip() == right.replace("\r\n", "\n").rstrip()
