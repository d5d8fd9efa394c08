"""The first line of a plan comment: hidden, so that CI finds its own comment again, and reads what was reviewed."""

from __future__ import annotations

import json
import re

from msgspec import Struct

from reconciler.model.plan import Plan

SCHEMA = 1
_LINE = re.compile(r"<!-- reconciler:plan (\{[^\r\n]*\}) -->(?:\r?\n|$)")


class Marker(Struct, frozen=True):
    """What a comment says to machines. ``folder``: the project's within its repository; ``head``: the commit that was
    planned, None where there is none; ``truncated``: something of the plan is not shown.
    """

    environment: str
    folder: str
    digest: str
    lineage: str
    serial: int
    head: str | None
    truncated: bool
    schema: int = SCHEMA

    @classmethod
    def of(cls, plan: Plan, *, truncated: bool) -> Marker:
        """The marker of a plan's comment."""
        head, folder = plan.revision.commit, plan.revision.folder
        return cls(plan.environment, folder, plan.digest, plan.lineage, plan.serial, head, truncated)

    def __str__(self) -> str:
        """An HTML comment on one line, without a line end. Nothing in it can end the comment before its end."""
        values = {name: getattr(self, name) for name in sorted(self.__struct_fields__)}
        text = json.dumps(values, separators=(",", ":")).replace("--", "\\u002d\\u002d")
        for character in "<>&":  # no letters of JSON's own grammar, so they stand in texts only
            text = text.replace(character, f"\\u{ord(character):04x}")
        return f"<!-- reconciler:plan {text} -->"

    @classmethod
    def read(cls, body: str) -> Marker | None:
        """The marker of a comment: of its first line and nowhere else, for what follows holds text of others."""
        found = _LINE.match(body)
        try:
            values = json.loads(found[1]) if found else None
        except (ValueError, RecursionError):
            return None
        if not isinstance(values, dict) or values.get("schema") != SCHEMA or set(values) != set(cls.__struct_fields__):
            return None
        made = cls(**values)
        return made if _typed(made) else None


def _typed(made: Marker) -> bool:
    texts = (made.environment, made.folder, made.digest, made.lineage, made.head or "")
    counted = isinstance(made.serial, int) and isinstance(made.truncated, bool)
    return all(isinstance(text, str) for text in texts) and counted
