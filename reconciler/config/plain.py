"""Values that are plainly right, found without pydantic: most projects have no others.

The checks are made from the annotations that pydantic reads, and accept only what it accepts. What they do not accept
is not wrong yet: pydantic decides, and says why.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal, Required, Union, get_args, get_origin, get_type_hints

from typing_extensions import is_typeddict

from reconciler.config.bounds import Between, Chars, Filled, Matching

Check = Callable[[Any], bool]


@cache
def plain(kind: Any) -> Check:
    """Whether a value is plainly of a kind: a table of ``models``, or one of the types that those use."""
    if is_typeddict(kind):
        return _table(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _bounded(arguments[0], arguments[1:])
    if origin is Required:
        return plain(arguments[0])
    if origin is Literal:
        words = frozenset(arguments)
        return lambda value: type(value) is str and value in words
    if origin is list:
        item = plain(arguments[0])
        return lambda value: type(value) is list and all(map(item, value))
    if origin is dict:
        of_key, of_value = map(plain, arguments)
        return lambda value: type(value) is dict and all(of_key(k) and of_value(v) for k, v in value.items())
    if origin is Union or type(kind).__name__ == "UnionType":
        options = [plain(option) for option in arguments]
        return lambda value: any(option(value) for option in options)
    if kind is float:
        return lambda value: type(value) is int or (type(value) is float and math.isfinite(value))
    return lambda value: type(value) is kind  # a bool is no int here


def _table(kind: Any) -> Check:
    hints = get_type_hints(kind, include_extras=True)
    keys = {name: plain(hint) for name, hint in hints.items()}
    required = {name for name, hint in hints.items() if get_origin(hint) is Required}  # written as text: not known else

    def right(value: Any) -> bool:
        if type(value) is not dict or not required <= value.keys():
            return False
        for name, item in value.items():
            of = keys.get(name)
            if of is None or not of(item):
                return False
        return True

    return right


def _bounded(kind: Any, bounds: tuple[Any, ...]) -> Check:
    of = plain(kind)
    (bound,) = bounds
    match bound:
        case Between():
            least, most = bound.terms["ge"], bound.terms["le"]
            return lambda value: of(value) and least <= value <= most
        case Chars() | Filled():
            least, most = bound.terms["min_length"], bound.terms.get("max_length", math.inf)
            return lambda value: of(value) and least <= len(value) <= most
        case Matching():
            matches = re.compile(bound.terms["pattern"].removesuffix("$") + r"\Z", re.ASCII).match
            return lambda value: of(value) and matches(value) is not None
        case _:
            return lambda value: False  # pydantic knows
