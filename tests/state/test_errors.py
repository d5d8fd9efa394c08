"""Every foreign error is mapped, in one table."""

from __future__ import annotations

import errno
import sqlite3

import pytest

from state import errors
from state.errors import OS_FAILURES, SQLITE_FAILURES, StateError, from_os, from_sqlite

RESULT_CODES = {
    name: getattr(sqlite3, f"SQLITE_{name}")
    for name in [
        "ERROR",
        "INTERNAL",
        "PERM",
        "ABORT",
        "BUSY",
        "LOCKED",
        "NOMEM",
        "READONLY",
        "INTERRUPT",
        "IOERR",
        "CORRUPT",
        "NOTFOUND",
        "FULL",
        "CANTOPEN",
        "PROTOCOL",
        "EMPTY",
        "SCHEMA",
        "TOOBIG",
        "CONSTRAINT",
        "MISMATCH",
        "MISUSE",
        "NOLFS",
        "AUTH",
        "FORMAT",
        "RANGE",
        "NOTADB",
    ]
}


def tree(kind: type[StateError]) -> set[type[StateError]]:
    return {kind}.union(*(tree(child) for child in kind.__subclasses__()))


def failed(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("what SQLite says")
    error.sqlite_errorcode = code
    return error


def test_the_table_has_every_primary_result_code() -> None:
    assert set(RESULT_CODES.values()) == set(range(1, 27))  # SQLite numbers them without gaps
    assert set(RESULT_CODES.values()) <= set(SQLITE_FAILURES)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_BUSY_SNAPSHOT, errors.StateBusy),
        (sqlite3.SQLITE_FULL, errors.StateUnwritable),
        (sqlite3.SQLITE_IOERR_FSYNC, errors.StateUnwritable),
        (sqlite3.SQLITE_READONLY_DIRECTORY, errors.StateReadOnly),
        (sqlite3.SQLITE_CORRUPT_INDEX, errors.StateCorrupt),
        (sqlite3.SQLITE_NOTADB, errors.StateCorrupt),
        (sqlite3.SQLITE_CANTOPEN_ISDIR, errors.StateUnreadable),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, errors.StateConflict),
        (sqlite3.SQLITE_CONSTRAINT_CHECK, errors.StateInvalid),
    ],
)
def test_extended_codes_fall_back_on_primary_ones(code: int, kind: type[StateError]) -> None:
    error = from_sqlite(failed(code), "the/place")
    assert type(error) is kind
    assert "the/place" in error.message
    assert "what SQLite says" in error.message
    assert error.advice


def test_errors_of_the_operating_system() -> None:
    assert type(from_os(OSError(errno.ENOSPC, "full"), "p")) is errors.StateUnwritable
    assert type(from_os(OSError(errno.EROFS, "ro"), "p")) is errors.StateReadOnly
    assert type(from_os(OSError(errno.EACCES, "no"), "p")) is errors.StateUnreadable
    assert type(from_os(OSError(errno.ELOOP, "loop"), "p")) is errors.StateUnreadable
    assert errno.EDQUOT in OS_FAILURES


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = {word for word in str(errors.__doc__).split() if word.startswith("State")}
    assert {kind.__name__ for kind in tree(StateError)} <= drawn | {"StateError"}


def test_message_and_advice_are_both_said() -> None:
    error = StateError("It broke.", "Mend it.")
    assert str(error) == "It broke. Mend it."
    assert (error.message, error.advice) == ("It broke.", "Mend it.")
