"""What values of the configuration must keep to, beside their types. pydantic reads it here, and so does ``plain``;
this module imports neither, so that a project without mistakes is read without waiting for pydantic.
"""

from __future__ import annotations

from typing import Any


class _Bound:
    """Becomes a part of pydantic's schema of the annotated type."""

    __slots__ = ("terms",)

    def __init__(self, **terms: Any) -> None:
        self.terms = {name: term for name, term in terms.items() if term is not None}

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return {**handler(source), **self.terms}


class Between(_Bound):
    """Numbers from ``ge`` to ``le``."""

    def __init__(self, ge: int, le: int) -> None:
        super().__init__(ge=ge, le=le)


class Chars(_Bound):
    """Texts of so many characters."""

    def __init__(self, least: int, most: int | None = None) -> None:
        super().__init__(min_length=least, max_length=most)


class Matching(_Bound):
    """Texts that match a pattern from ``^`` to ``$``, in the syntax that Python and Rust share."""

    def __init__(self, pattern: str) -> None:
        super().__init__(pattern=pattern)


class Filled(_Bound):
    """Lists that are not empty."""

    def __init__(self) -> None:
        super().__init__(min_length=1)
