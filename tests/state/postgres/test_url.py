"""What a URL says, and that no message repeats a password."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from state.errors import StateUrlInvalid
from state.postgres.store import open_postgres
from state.postgres.url import holds_password, is_postgres, names_workspace, parse


def test_ours_is_taken_out_and_theirs_goes_to_libpq() -> None:
    target = parse("postgresql://ada@db.example:6543/runs?sslmode=verify-full&workspace=search%2Fprod&timeout=5")
    assert (target.workspace, target.timeout) == ("search/prod", 5.0)
    assert target.place == "postgresql://ada@db.example:6543/runs, workspace search/prod"
    given = conninfo_to_dict(target.conninfo)
    assert (given["host"], given["port"], given["dbname"], given["sslmode"]) == (
        "db.example", "6543", "runs", "verify-full",
    )  # fmt: skip
    assert given["connect_timeout"] == "10"
    assert "workspace" not in target.conninfo


def test_what_the_url_says_wins_over_our_defaults() -> None:
    given = conninfo_to_dict(parse("postgresql:///runs?connect_timeout=3&keepalives_idle=60").conninfo)
    assert (given["connect_timeout"], given["keepalives_idle"], given["keepalives_count"]) == ("3", "60", "3")


def test_several_hosts() -> None:
    target = parse("postgresql://ada@one:5432,two:5433/runs?target_session_attrs=read-write")
    given = conninfo_to_dict(target.conninfo)
    assert (given["host"], given["port"], given["target_session_attrs"]) == ("one,two", "5432,5433", "read-write")
    assert "one,two" in target.place


def test_the_default_workspace() -> None:
    assert parse("postgresql://db/runs").workspace == "default"
    assert parse("postgresql://db/runs", "search").workspace == "search"
    assert parse("postgresql://db/runs?workspace=search", "search").workspace == "search"
    assert names_workspace("postgresql://db/runs?workspace=search")
    assert not names_workspace("postgresql://db/runs?application_name=workspace")


@pytest.mark.parametrize(
    ("url", "workspace", "words"),
    [
        ("postgresql://db/runs?workspace=one", "two", "'two'"),
        ("postgresql://db/runs?workspace=", None, "''"),
        ("postgresql://db/runs?workspace=a%20b", None, "'a b'"),
        ("postgresql://db/runs?workspace=-x", None, "'-x'"),
        ("postgresql://db/runs?workspace=" + "x" * 101, None, "xxx"),
        ("postgresql://db/runs?timeout=soon", None, "timeout"),
        ("postgresql://db/runs?timeout=nan", None, "timeout"),
        ("postgresql://db/runs?timeout=0", None, "timeout"),
        ("postgresql://db/runs?sslmode=maybe&colour=blue", None, "colour"),
        ("postgresql://[::1/runs", None, "not understood"),
    ],
)
def test_refused(url: str, workspace: str | None, words: str) -> None:
    with pytest.raises(StateUrlInvalid, match=words):
        parse(url, workspace)


@pytest.mark.parametrize(
    ("url", "holds"),
    [
        ("postgresql://ada:hunter2@db/runs", True),
        ("postgresql://ada:@db/runs", True),
        ("postgres://:hunter2@db", True),
        ("postgresql://ada:hun/ter2@db/runs", True),
        ("postgresql://ada:hun?ter2@db/runs", True),
        ("postgresql://db/runs?password=hunter2", True),
        ("postgresql://db/runs?PASSWORD=hunter2", True),
        ("postgresql://db/runs?pass%77ord=hunter2", True),
        ("postgresql://db/runs?sslmode=require&sslpassword=hunter2", True),
        ("postgresql://ada@db:5432/runs?passfile=/home/ada/.pgpass", False),
        ("postgresql://ada@one:1,two:2/runs", False),
        ("postgresql://one:1/runs?sslcert=/home/ada@db/crt", False),
        ("postgresql:///runs?host=/run/postgresql", False),
    ],
)
def test_a_password_is_seen(url: str, holds: bool) -> None:
    assert is_postgres(url)
    assert holds_password(url) is holds


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:hunter2@db:port/runs?colour=blue",
        "postgresql://ada:hunter2@[db/runs",
        "postgresql://ada:x@hunter2@db/runs",
        "postgresql://ada:x/y@hunter2@db/runs",
        "postgresql://ada:x/y?hunter2@db/runs",
        "postgresql://ada:1/y?z=hunter2@db/runs",
        "postgresql://ada:hunter2/runs",
        "postgresql://ada@db/runs?password=hunter2&colour=blue",
        "postgresql://ada:hunter2%ZZ@db/runs",
        "postgresql://ada:hunter2@db/runs?timeout=never",
        "postgresql://ada:hunter2@db/runs?workspace=%20",
    ],
)
def test_no_message_repeats_a_password(url: str) -> None:
    with pytest.raises(StateUrlInvalid) as caught:
        parse(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "query", ["sslmode=maybe", "connect_timeout=soon", "service=nowhere", "keepalives_idle=x", "port=99999"]
)
def test_a_value_that_libpq_does_not_take_is_no_broken_connection(query: str) -> None:
    with pytest.raises(StateUrlInvalid, match="does not understand a parameter"):
        open_postgres(f"postgresql://ada@127.0.0.1/runs?{query}", base_url="http://127.0.0.1")


def test_the_place_names_a_service_file_s_entry() -> None:
    assert parse("postgresql:///?service=team").place == "postgresql:///?service=team, workspace default"


def test_the_place_holds_no_password() -> None:
    assert "hunter2" not in parse("postgresql://ada:hunter2@db/runs").place
