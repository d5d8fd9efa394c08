"""TOML to tables: by a parser in Rust, and by ``tomllib`` where that is not installed, or refuses.

Both read TOML 1.0 and give equal tables (``tests/config/test_parsing.py``); the first is some twenty times as fast.
What it refuses, ``tomllib`` reads once more: so a mistake is told in one way, with its line and column.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import partial
from typing import Any


def _fast() -> Callable[[str], dict[str, Any]] | None:
    try:
        import toml_rs
    except ImportError:  # no wheel for this platform
        return None
    return partial(toml_rs.loads, toml_version="1.0.0")


_FAST = _fast()


def parse(text: str) -> dict[str, Any]:
    """A document. Raises what ``tomllib.loads`` does: TOMLDecodeError, RecursionError, ValueError."""
    if _FAST is not None and text[:1] != "\ufeff":  # a second mark, which the Rust parser passes over
        try:
            return _FAST(text)
        except BaseException as problem:
            if isinstance(problem, (KeyboardInterrupt, SystemExit)):
                raise
    return tomllib.loads(text)
