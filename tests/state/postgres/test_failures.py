"""Every error of PostgreSQL and of its driver is mapped, in one table."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from state.errors import (
    StateBusy,
    StateConflict,
    StateCorrupt,
    StateError,
    StateInvalid,
    StateReadOnly,
    StateUnreachable,
    StateUnreadable,
    StateUnwritable,
)
from state.postgres.failures import FAILURES, from_postgres

KINDS = [kind for kind in vars(errors).values() if isinstance(getattr(kind, "sqlstate", None), str)]
CODES = {kind.sqlstate: kind for kind in KINDS}
# Classes that a client of ours can't meet: SQL/MED, cursors and savepoints by name, PL/pgSQL conditions of others.
NEVER = {
    "02", "03", "09", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "24", "26", "27", "2B", "2D", "2F", "34", "38",
    "39", "3B", "44", "72", "F0", "HV", "P0",
}  # fmt: skip


def test_every_class_of_errors_is_in_the_table_or_can_not_occur() -> None:
    assert len(CODES) > 200
    classes = {code[:2] for code in CODES}
    assert classes - NEVER == {code[:2] for code in FAILURES} & classes
    assert NEVER.isdisjoint(code[:2] for code in FAILURES)


@pytest.mark.parametrize("kind", list(CODES.values()), ids=list(CODES))
def test_each_becomes_a_state_error_with_advice(kind: type[psycopg.Error]) -> None:
    made = from_postgres(kind("what the server says"), "here")
    assert isinstance(made, StateError)
    assert "here" in made.message
    assert "what the server says" in made.message
    assert made.advice


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (errors.AdminShutdown, StateUnreachable),
        (errors.CrashShutdown, StateUnreachable),
        (errors.CannotConnectNow, StateUnreachable),
        (errors.IdleInTransactionSessionTimeout, StateUnreachable),
        (errors.ConnectionFailure, StateUnreachable),
        (errors.QueryCanceled, StateBusy),
        (errors.LockNotAvailable, StateBusy),
        (errors.DeadlockDetected, StateBusy),
        (errors.UniqueViolation, StateConflict),
        (errors.CheckViolation, StateInvalid),
        (errors.ForeignKeyViolation, StateInvalid),
        (errors.DiskFull, StateUnwritable),
        (errors.TooManyConnections, StateUnwritable),
        (errors.ReadOnlySqlTransaction, StateReadOnly),
        (errors.InsufficientPrivilege, StateReadOnly),
        (errors.UndefinedTable, StateCorrupt),
        (errors.DataCorrupted, StateCorrupt),
        (errors.InvalidPassword, StateUnreadable),
        (errors.InvalidCatalogName, StateUnreadable),
        (psycopg.OperationalError, StateUnreachable),
        (psycopg.InterfaceError, StateInvalid),
        (psycopg.ProgrammingError, StateInvalid),
    ],
)
def test_what_they_become(kind: type[psycopg.Error], expected: type[StateError]) -> None:
    assert type(from_postgres(kind("x"), "here")) is expected


def test_a_login_that_is_refused_is_no_broken_connection() -> None:
    said = 'connection failed: FATAL:  password authentication failed for user "ada"'
    assert type(from_postgres(psycopg.OperationalError(said), "here")) is StateUnreadable
