"""A session that ends, a server that is stopped, killed, frozen: what is recorded then, and what is not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from state.errors import (
    StateBusy,
    StateError,
    StateLocked,
    StateLockLost,
    StateReadOnly,
    StateUnreachable,
    StateUnwritable,
)
from state.postgres.store import PostgresStore, open_postgres
from state.records import UNTRACKED, MarkRecord, Phase
from state.writes import Advance, Observe, Put
from tests.postgres.server import Server
from tests.state.samples import T0, T1, URL, attempt, event, instance

pytestmark = pytest.mark.timeout(200)


@pytest.fixture
def name(own_server: Server) -> str:
    """A database of a server that this test may break."""
    return own_server.create_database()


@pytest.fixture
def place(own_server: Server, name: str) -> str:
    """Its URL, with the patience of every user: on a busy machine, making the tables may well take a second."""
    return own_server.url(name, user="team")


@pytest.fixture
def store(place: str) -> Iterator[PostgresStore]:
    made = open_postgres(place, base_url=URL, create=True)
    made.commit([Put(attempt(phase=Phase.ACCEPTED, run_id="r1", status="PENDING")), Put(instance("run.x", "a1"))])
    yield made
    made.close()


@pytest.fixture
def hasty(store: PostgresStore, place: str) -> Iterator[PostgresStore]:
    """The same state for a test that waits until a server is given up: it takes three seconds."""
    made = open_postgres(f"{place}?timeout=3", base_url=URL)
    yield made
    made.close()


def terminate(server: Server) -> None:
    """End every session of ours, as an administrator or a firewall does."""
    ended = server.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'reconciler'"
    )
    assert ended


def test_reading_and_progress_go_on_after_a_lost_session(own_server: Server, store: PostgresStore) -> None:
    terminate(own_server)
    assert set(store.snapshot().current) == {"run.x"}
    terminate(own_server)
    store.commit([Observe("r1", T1, status="PROCESSING"), Put(event("e1"))])
    assert (store.snapshot().current["run.x"].status, store.meta().serial) == ("PROCESSING", 1)


def test_a_server_that_is_restarted_meanwhile_is_waited_for(own_server: Server, store: PostgresStore) -> None:
    own_server.stop()
    back = threading.Timer(0.3, own_server.start)
    back.start()
    store.commit([Observe("r1", T1, status="PROCESSING")])
    back.join()
    assert store.snapshot().current["run.x"].status == "PROCESSING"


def test_a_server_that_stays_away_is_an_error_in_words(own_server: Server, hasty: PostgresStore) -> None:
    own_server.stop()
    started = time.monotonic()
    with pytest.raises(StateUnreachable, match="can't be reached"):
        hasty.snapshot()
    assert time.monotonic() - started < 30
    own_server.start()
    assert set(hasty.snapshot().current) == {"run.x"}


def test_a_holder_that_lost_its_session_decides_nothing_until_it_locks_again(
    own_server: Server, store: PostgresStore
) -> None:
    with store.lock("apply"):
        store.commit([Put(attempt("a2", number=2))])
        terminate(own_server)
        with pytest.raises(StateError):  # the first one to find out
            store.commit([Advance("a2", Phase.SENDING, T0)])
        for _ in range(2):
            with pytest.raises(StateLockLost, match="gone with the connection"):
                store.commit([Advance("a2", Phase.SENDING, T0)])
        store.commit([Observe("r1", T1, status="PROCESSING")])  # progress decides nothing
        assert store.snapshot().current["run.x"].status == "PROCESSING"
        with pytest.raises(StateLockLost):  # nor does a reader's new session bring the lock back
            store.commit([Advance("a2", Phase.SENDING, T0)])
    assert {one.attempt_id: one.phase for one in store.attempts()}["a2"] is Phase.PREPARED
    with store.lock("apply"):
        store.commit([Advance("a2", Phase.SENDING, T0)])
    assert [step.phase for step in store.journal("a2")] == [Phase.PREPARED, Phase.SENDING]


def test_the_lock_is_free_when_its_session_is_gone_and_the_old_holder_is_fenced_off(
    own_server: Server, place: str, store: PostgresStore
) -> None:
    other = open_postgres(place, base_url=URL)
    with store.lock("apply") as mine:
        assert other.holder() == mine
        with pytest.raises(StateLocked), other.lock("apply"):
            pass
        terminate(own_server)
        assert other.holder() is None
        with other.lock("second") as theirs:
            assert store.holder() == theirs
            other.commit([Put(attempt("a2", number=2))])
            with pytest.raises(StateLockLost):
                store.commit([Advance("a2", Phase.SENDING, T0)])
            other.commit([Advance("a2", Phase.SENDING, T0)])
        with pytest.raises(StateLockLost):
            store.commit([Advance("a2", Phase.UNKNOWN, T0)])
    other.close()
    assert [step.phase for step in store.journal("a2")] == [Phase.PREPARED, Phase.SENDING]


def test_a_killed_server_has_what_was_committed(own_server: Server, store: PostgresStore) -> None:
    store.commit([Put(attempt("a2", number=2))])
    own_server.kill()
    own_server.start()
    assert [one.attempt_id for one in store.attempts()] == ["a1", "a2"]


def test_a_frozen_server_is_given_up_and_nothing_is_sent_over_the_session_again(
    own_server: Server, hasty: PostgresStore
) -> None:
    with hasty.lock("apply"):
        hasty.commit([Put(attempt("a2", number=2))])
        own_server.freeze()
        started = time.monotonic()
        with pytest.raises(StateUnreachable):
            hasty.commit([Advance("a2", Phase.SENDING, T0)])
        assert time.monotonic() - started < 20
        own_server.thaw()
        with pytest.raises(StateLockLost):
            hasty.commit([Advance("a2", Phase.ACCEPTED, T1, run_id="r2")])
    # What the server made of the step that it did not answer is not known, but it is one of two things.
    assert [step.phase for step in hasty.journal("a2")] in (
        [Phase.PREPARED], [Phase.PREPARED, Phase.SENDING],
    )  # fmt: skip


def test_one_that_hangs_inside_a_transaction_holds_up_nobody_for_long(place: str, hasty: PostgresStore) -> None:
    with psycopg.connect(place) as hanging:
        hanging.execute("SELECT 1 FROM reconciler.workspaces FOR UPDATE")
        with pytest.raises(StateBusy):
            hasty.commit([Put(attempt("a2", number=2))])
    hasty.commit([Put(attempt("a2", number=2))])


def test_a_decision_is_not_made_once_more_over_a_new_session(own_server: Server, store: PostgresStore) -> None:
    terminate(own_server)
    with pytest.raises(StateUnreachable):
        store.commit([Put(attempt("a2", number=2))])
    assert ([one.attempt_id for one in store.attempts()], store.meta().serial) == (["a1"], 1)
    store.commit([Put(attempt("a2", number=2))])
    assert [step.attempt_id for step in store.journal()] == ["a1", "a2"]


def test_who_can_not_write_down_that_it_has_the_lock_has_none(place: str, hasty: PostgresStore) -> None:
    other = open_postgres(place, base_url=URL)
    with psycopg.connect(place) as hanging:
        hanging.execute("SELECT 1 FROM reconciler.workspaces FOR UPDATE")
        with pytest.raises(StateBusy), hasty.lock("apply"):
            pass
    with other.lock("apply") as theirs:
        assert hasty.holder() == theirs
    other.close()


def test_a_check_that_was_passed_is_due_again_after_a_restart(own_server: Server, store: PostgresStore) -> None:
    store.commit([Put(MarkRecord(UNTRACKED, "passed", T0)), Put(MarkRecord("other", "1", T0))])
    assert not store.snapshot().restarted
    own_server.restart()
    assert store.snapshot().restarted
    assert store.snapshot().marks[UNTRACKED].value == "passed"
    store.commit([Put(MarkRecord(UNTRACKED, "passed", T1))])
    assert not store.snapshot().restarted


def test_a_server_set_back_to_a_copy_is_noticed(own_server: Server, store: PostgresStore) -> None:
    store.commit([Put(MarkRecord(UNTRACKED, "passed", T0))])
    kept = own_server.copy()
    assert store.snapshot().restarted  # the copy was made of a stopped server
    store.commit([Put(MarkRecord(UNTRACKED, "passed", T0)), Put(attempt("a2", number=2))])
    own_server.restore(kept)
    seen = store.snapshot()
    assert (seen.restarted, seen.meta.serial) == (True, 1)


def test_tables_that_were_put_back_are_noticed(own_server: Server, place: str, store: PostgresStore) -> None:
    store.commit([Put(MarkRecord(UNTRACKED, "passed", T0))])
    with psycopg.connect(place) as connection:
        rows = connection.execute("SELECT * FROM reconciler.marks").fetchall()
        connection.execute("DROP SCHEMA reconciler CASCADE")
    again = open_postgres(place, base_url=URL, create=True)
    with psycopg.connect(place) as connection:
        connection.execute("INSERT INTO reconciler.marks VALUES (%s, %s, %s, %s, %s)", (1, *rows[0][1:]))
    assert again.snapshot().restarted
    again.close()
    terminate(own_server)
    with pytest.raises(StateError, match="another state"):
        store.snapshot()


def test_a_database_that_was_put_back_on_the_running_server_is_noticed(
    own_server: Server, name: str, place: str, store: PostgresStore
) -> None:
    store.commit([Put(MarkRecord(UNTRACKED, "passed", T0))])
    store.close()
    kept = own_server.create_database(template=name)
    own_server.drop_database(name)
    own_server.execute(f"ALTER DATABASE {kept} RENAME TO {name}")
    again = open_postgres(place, base_url=URL)
    assert again.snapshot().restarted
    again.close()


def test_rows_that_were_put_back_are_noticed(own_server: Server, name: str, place: str, store: PostgresStore) -> None:
    store.commit([Put(MarkRecord(UNTRACKED, "passed", T0))])
    with psycopg.connect(own_server.url(name)) as connection:
        connection.execute("CREATE TABLE kept AS TABLE reconciler.attempts")
        connection.execute("SET session_replication_role = replica")  # as pg_restore --disable-triggers does
        connection.execute("TRUNCATE reconciler.attempts, reconciler.instances")
        connection.execute("INSERT INTO reconciler.attempts TABLE kept")
    again = open_postgres(place, base_url=URL)
    assert again.snapshot().restarted
    again.close()


def test_a_server_that_does_not_sync_is_refused_for_writing(
    own_server: Server, place: str, store: PostgresStore
) -> None:
    own_server.settings["fsync"] = "off"
    own_server.restart()
    with pytest.raises(StateUnwritable, match="fsync"):
        open_postgres(place, base_url=URL)
    open_postgres(place, base_url=URL, read_only=True).close()


@pytest.mark.parametrize(
    ("default", "ours"), [("off", "on"), ("local", "on"), ("on", "on"), ("remote_apply", "remote_apply")]
)
def test_a_commit_waits_for_the_disk_whatever_the_default(
    own_server: Server, place: str, default: str, ours: str
) -> None:
    own_server.execute(f"ALTER ROLE team SET synchronous_commit = '{default}'")
    store = open_postgres(place, base_url=URL, create=True)
    assert store._session.execute("SHOW synchronous_commit").fetchone() == (ours,)
    store.close()


def test_a_database_that_is_read_only_is_refused_for_writing_and_can_be_read(
    own_server: Server, place: str, store: PostgresStore
) -> None:
    own_server.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    own_server.execute("SELECT pg_reload_conf()")
    reading = open_postgres(place, base_url=URL, read_only=True)
    assert set(reading.snapshot().current) == {"run.x"}
    with pytest.raises(StateReadOnly):
        reading.commit([Put(event("e1"))])
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        reading._session.execute("DELETE FROM reconciler.instances")
    reading.close()


def test_after_a_freeze_nothing_of_before_is_taken_for_an_answer(own_server: Server, hasty: PostgresStore) -> None:
    given_up = hasty._session
    own_server.freeze()
    with pytest.raises(StateUnreachable):
        hasty.snapshot()
    own_server.thaw()
    assert given_up.closed  # whatever the server still sends over it, nobody listens
    assert set(hasty.snapshot().current) == {"run.x"}
    assert hasty.journal("a1")[-1].phase is Phase.ACCEPTED
