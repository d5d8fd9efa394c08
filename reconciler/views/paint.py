"""Text for terminals: escaping of what comes from outside, and colour."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# Control characters, line separators, and the marks that reorder or hide text.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_CODES: Final = {"green": "32", "red": "31", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}


def escape(text: str) -> str:
    """The text with everything made visible that a terminal would obey. New lines and tabs stay."""
    return _UNSAFE.sub(lambda found: _visible(found[0]), text)


def one_line(text: str) -> str:
    """Escaped, on one line."""
    return escape(text).replace("\n", "\\n").replace("\t", "\\t")


def _visible(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours text, or leaves it alone."""

    enabled: bool = False

    def __call__(self, text: str, *styles: str) -> str:
        """``styles``: green, red, yellow, cyan, bold, dim."""
        codes = ";".join(_CODES[style] for style in styles)
        return f"\x1b[{codes}m{text}\x1b[0m" if self.enabled and codes else text
