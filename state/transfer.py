"""A whole state as a text that can be piped: JSON Lines, in ASCII.

::

    {"base_url":"…","created_at":"…","format":"reconciler-state","format_version":2,"lineage":"…","serial":7}
    {"attempts":{"address":"run.x","attempt_id":"…",…}}
    …
    {"end":{"counts":{"attempts":1,…},"sha256":"…"}}

Each line between the first and the last is one row: its table, and all of its columns. The last line has the number of
rows of each table and the hash of all bytes before it, so that a text which was cut off or changed is recognised.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any, BinaryIO, Final

from state.errors import StateDocumentInvalid, StateNewer
from state.incoming import HIGHEST, WrongError, check_names, parse, row_reader, shown
from state.machine import LINEAGE
from state.records import ROW_TYPES, Meta, Row
from state.rows import columns, typed_columns

FORMAT: Final = "reconciler-state"
_SINCE: Final = {"approvals": 3, "suspensions": 3}  # tables that came later, of which texts of before say nothing
FORMAT_VERSION: Final = 3  # 1: without the branch of a commit; 2: without approvals and suspensions
LONGEST_LINE: Final = 64 * 2**20  # bytes; none is read that is longer, and none is written
_CHUNK: Final = 2**20  # characters that are written at once
_HEADER: Final[Mapping[str, type]] = {
    "base_url": str,
    "created_at": str,
    "format": str,
    "format_version": int,
    "lineage": str,
    "serial": int,
}
_ADVICE: Final = "Write it anew with `reconciler state pull` where it came from; it is not meant to be edited."

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False)


def write(meta: Meta, rows: Iterable[Row], out: Callable[[str], object]) -> Counter[str]:
    """Hand the text of a state to ``out``, piece by piece; returns the number of rows of each table.

    Raises StateDocumentInvalid for a row that is too long to be read again, and what ``out`` and ``rows`` raise.
    """
    counts: Counter[str] = Counter({kind.table: 0 for kind in ROW_TYPES})
    digest = hashlib.sha256()
    header = {name: getattr(meta, name) for name in _HEADER if not name.startswith("format")}
    header |= {"format": FORMAT, "format_version": FORMAT_VERSION}
    waiting, size = [_ENCODER.encode(header) + "\n"], 0
    for table, line in _lines(rows):
        counts[table] += 1
        waiting.append(line)
        size += len(line)
        if size >= _CHUNK:
            text = "".join(waiting)
            digest.update(text.encode())
            out(text)
            waiting, size = [], 0
    text = "".join(waiting)
    digest.update(text.encode())
    out(text)
    out(_ENCODER.encode({"end": {"counts": counts, "sha256": digest.hexdigest()}}) + "\n")
    return counts


def fingerprint(rows: Iterable[Row]) -> int:
    """Equal for equal rows, in whatever order they come."""
    return sum(int.from_bytes(hashlib.sha256(line.encode()).digest()) for _, line in _lines(rows)) % 2**256


def read(stream: BinaryIO, name: str) -> tuple[Meta, Iterator[Row]]:
    """What the first line says, and the rows, read and checked as they are asked for. ``name``: for people.

    Only when the iterator has come to its end is the text known to be whole. Both raise StateDocumentInvalid, which
    names the line, and StateNewer for the text of a newer version of the tool.
    """
    lines = _Lines(stream, name)
    try:
        meta, version = _header(lines.next())
    except WrongError as problem:
        raise lines.invalid(problem) from None
    return meta, _rows(lines, version)


class _Lines:
    """The lines of a text as JSON values, their number, and the hash of what came before the present one."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self._line, self._number = b"", 0
        self.before = hashlib.sha256()

    def next(self) -> Any:
        """The next line's value. Raises WrongError."""
        self.before.update(self._line)
        self._number += 1
        self._line = self._read(LONGEST_LINE + 1)
        if not self._line:
            raise WrongError(
                "there is nothing (did the command that was to write it fail?)"
                if self._number == 1
                else "the text ends before its last line (was the command that wrote it interrupted?)"
            )
        if len(self._line) > LONGEST_LINE:
            raise WrongError(f"the line is longer than {LONGEST_LINE / 2**20:g} MiB")
        try:
            return parse(self._line.decode())
        except UnicodeDecodeError:
            raise WrongError("the line is no UTF-8") from None

    def finish(self) -> None:
        """Raise WrongError if anything follows."""
        if self._read(1):
            raise WrongError("something follows the last line")

    def invalid(self, problem: WrongError) -> StateDocumentInvalid:
        """The error for people."""
        return StateDocumentInvalid(f"{self._name}, line {self._number}: {problem}. Nothing was changed.", _ADVICE)

    def _read(self, size: int) -> bytes:
        try:
            return self._stream.readline(size)
        except OSError as problem:
            raise WrongError(f"it can't be read on ({problem.strerror or problem})") from problem


def _rows(lines: _Lines, version: int) -> Iterator[Row]:
    readers: dict[str, Callable[[object], Row]] = {
        kind.table: row_reader(kind, version) for kind in ROW_TYPES if _SINCE.get(kind.table, 1) <= version
    }
    counts = Counter(dict.fromkeys(readers, 0))
    while True:
        try:
            value = lines.next()
            if not isinstance(value, dict) or len(value) != 1:
                raise WrongError("the line is no row of a table")
            ((table, body),) = value.items()
            if table == "end":
                _check_end(body, counts, lines.before.hexdigest())
                lines.finish()
                return
            if table not in readers:
                raise WrongError(f"there is no table {shown(table)}")
            row = readers[table](body)
        except WrongError as problem:
            raise lines.invalid(problem) from None
        counts[table] += 1
        yield row


def _header(value: object) -> tuple[Meta, int]:
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise WrongError("this is no state that `reconciler state pull` wrote")
    version = value.get("format_version")
    if type(version) is int and version > FORMAT_VERSION:
        raise StateNewer(
            f"The text has format version {version}, this tool knows {FORMAT_VERSION}; nothing was changed.",
            "Install the newer version of reconciler that wrote it.",
        )
    check_names(value, _HEADER)
    for name, kind in _HEADER.items():
        if type(value[name]) is not kind:
            raise WrongError(f"{name} is {shown(value[name])}")
    if value["format_version"] < 1:
        raise WrongError(f"there is no format version {version}")
    if not LINEAGE.fullmatch(value["lineage"]):
        raise WrongError(f"the lineage {shown(value['lineage'])} is none")
    if not 0 <= value["serial"] < HIGHEST:
        raise WrongError(f"the serial {shown(value['serial'])} is none")
    # The version of the tables is that of a database; a text has one of its own.
    return Meta(0, *(value[name] for name in Meta.__struct_fields__[1:])), int(value["format_version"])


def _check_end(body: object, counts: Counter[str], digest: str) -> None:
    if not isinstance(body, dict) or body.get("sha256") != digest:
        raise WrongError("the text is damaged or was changed: its hash is another one")
    if body.get("counts") != counts:
        raise WrongError("the text is damaged: it has other rows than it says")


def _lines(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    """Table and line of each row."""
    known: dict[type[Row], tuple[tuple[str, ...], Callable[[Row], tuple[Any, ...]], list[str]]] = {}
    for kind in ROW_TYPES:
        names = columns(kind)
        floats = [name for name, annotation in typed_columns(kind) if annotation.startswith("float")]
        known[kind] = names, attrgetter(*names), floats
    for row in rows:
        names, values, floats = known[type(row)]
        body = dict(zip(names, values(row), strict=True))
        for name in floats:
            if body[name] is not None:
                body[name] = float(body[name])
        line = _ENCODER.encode({row.table: body}).replace("\x7f", "\\u007f") + "\n"
        if len(line) > LONGEST_LINE:
            raise StateDocumentInvalid(
                f"{getattr(row, row.key)} of {row.table} is longer than {LONGEST_LINE / 2**20:g} MiB.",
                "Move this state with its database's own tools.",
            )
        yield row.table, line
