"""Addresses: the name of one instance, ``run.NAME`` or ``run.NAME["KEY"]``, and the patterns that name several."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from typing import NewType

Address = NewType("Address", str)

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_ADDRESS = re.compile(r'run\.([A-Za-z_][A-Za-z0-9_-]*)(?:\[("(?:[^"\\]|\\.)*")\])?')
_UNQUOTED = re.compile(r"(run\.[A-Za-z0-9_*?-]+)\[(?:'([^']*)'|([^\"'].*))\]", re.DOTALL)


def format_address(name: str, key: str | None = None) -> Address:
    """The address of a declaration, or of one of the instances that it expands into."""
    return Address(f"run.{name}" if key is None else f"run.{name}[{json.dumps(key, ensure_ascii=False)}]")


def split_address(text: str) -> tuple[str, str | None]:
    """Name and key of an address. Raises ValueError for what is none."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r} is not an address: expected run.NAME or run.NAME["KEY"]')
    return found[1], None if found[2] is None else json.loads(found[2])


def spelled(pattern: str) -> str:
    """An address or pattern, with the quotes that a shell may have eaten: ``run.x[de]``, ``run.x['de']``."""
    found = _UNQUOTED.fullmatch(pattern)
    if found is None:
        return pattern
    key = found[2] if found[2] is not None else found[3]
    return f"{found[1]}[{json.dumps(key, ensure_ascii=False)}]"


def matching(pattern: str, known: Collection[str]) -> list[str]:
    """The addresses that a pattern names, in their order: one address; a declaration's name, for all of its instances;
    or a glob, where ``*`` stands for any text and ``?`` for one character. Brackets are part of addresses.
    """
    wanted = spelled(pattern)
    if wanted in known:
        return [wanted]
    if "*" not in wanted and "?" not in wanted:
        return [address for address in known if address.startswith(f"{wanted}[")] if "[" not in wanted else []
    glob = _compiled(wanted)
    return [address for address in known if glob.fullmatch(address)]


def _compiled(glob: str) -> re.Pattern[str]:
    """Each part between stars is taken where it comes first, and never looked for again: no glob takes long."""
    first, *parts = ("".join("." if char == "?" else re.escape(char) for char in part) for part in glob.split("*"))
    *within, last = parts or [""]
    rest = "".join(f"(?>.*?{part})" for part in within) + f".*{last}" if parts else ""
    return re.compile(first + rest, re.DOTALL)


def nearest(pattern: str, known: Iterable[str]) -> str:
    """`` Did you mean X?`` for the known address, or declaration, that is most like a pattern; or an empty text."""
    import difflib

    wanted = spelled(pattern)
    names = dict.fromkeys(name for address in known for name in (address.partition("[")[0], address))
    alike = [name for name in names if name.lower() == wanted.lower()]
    near = alike or difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else ""
