"""The text of a whole state: what it looks like, and that nothing else is taken for one."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from state import transfer
from state.errors import StateDocumentInvalid, StateNewer
from state.memory.store import MemoryStore
from state.records import ROW_TYPES, ApplyRecord, JournalRecord, MarkRecord, Meta, Phase, Row
from state.sqlite.store import open_sqlite
from state.store import Store
from state.transfer import fingerprint
from tests.state import samples
from tests.state.samples import T0, URL, attempt, event, instance, owed, spec
from tests.state.test_exchange import contents, filled

META = Meta(0, "the-lineage", 7, URL, T0)
ROWS: list[Row] = [
    samples.full_attempt(),
    attempt("a2", note="two\nlines, \x1b[2J, \x7f, \x00, é, \u2028, 😀"),
    instance("run.x", "a1"),
    MarkRecord("untracked", "passed", T0),
    JournalRecord(3, "a1", Phase.PREPARED, T0, None),
]


def text_of(rows: list[Row], meta: Meta = META) -> str:
    parts: list[str] = []
    transfer.write(meta, rows, parts.append)
    return "".join(parts)


def read(text: str | bytes) -> tuple[Meta, list[Row]]:
    data = text.encode() if isinstance(text, str) else text
    meta, rows = transfer.read(io.BytesIO(data), "FILE")
    return meta, list(rows)


def sealed(lines: list[str], later: tuple[str, ...] = ()) -> str:
    """These lines with a last one that fits them. ``later``: the tables that their version does not know."""
    body = "".join(f"{line}\n" for line in lines)
    counts = dict.fromkeys((kind.table for kind in ROW_TYPES if kind.table not in later), 0)
    for line in lines[1:]:
        for table in counts:
            counts[table] += line.startswith(f'{{"{table}":')
    end = {"end": {"counts": counts, "sha256": hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()}}
    return body + json.dumps(end) + "\n"


def refused(text: str | bytes, *words: str, line: int | None = None) -> None:
    with pytest.raises(StateDocumentInvalid) as caught:
        read(text)
    told = caught.value.message
    assert told.startswith("FILE, line " if line is None else f"FILE, line {line}: "), told
    assert "Nothing was changed" in told
    assert [word for word in words if word not in told] == []
    assert told.isprintable()
    assert len(told) < 300
    assert "state pull" in caught.value.advice


def test_what_it_looks_like() -> None:
    row = event("e1", None)
    lines = text_of([row]).splitlines()
    assert lines[0] == (
        '{"base_url":"https://service.example","created_at":"2025-01-01T00:00:00+00:00","format":"reconciler-state",'
        '"format_version":3,"lineage":"the-lineage","serial":7}'
    )
    assert lines[1] == (
        '{"events":{"address":null,"apply_id":null,"at":"2025-01-01T00:00:00+00:00","attempt_id":null,"event_id":"e1",'
        '"message":"hello","run_id":null,"type":"created"}}'
    )
    digest = hashlib.sha256(f"{lines[0]}\n{lines[1]}\n".encode()).hexdigest()
    names = ("applies", "approvals", "attempts", "baselines", "events", "instances", "journal", "marks", "owed")
    counts = dict.fromkeys((*names, "plan_actions", "specs", "suspensions"), 0) | {"events": 1}
    told = json.dumps(counts, separators=(",", ":"))
    assert lines[2] == f'{{"end":{{"counts":{told},"sha256":"{digest}"}}}}'
    assert len(lines) == 3


def test_it_comes_back_as_it_was() -> None:
    assert read(text_of(ROWS)) == (META, ROWS)
    assert read(text_of([])) == (META, [])
    assert text_of(read(text_of(ROWS))[1]) == text_of(ROWS)


def test_it_is_one_line_a_row_in_printable_ascii() -> None:
    text = text_of(ROWS)
    assert text.isascii()
    assert all(line.isprintable() for line in text.split("\n"))
    assert text.count("\n") == len(ROWS) + 2


def test_rows_are_counted() -> None:
    counts = transfer.write(META, ROWS, lambda text: None)
    assert counts == {kind.table: 0 for kind in ROW_TYPES} | {"attempts": 2, "instances": 1, "marks": 1, "journal": 1}


def test_any_state_goes_through_it(store: Store) -> None:
    filled(store)
    parts: list[str] = []
    with store.export() as (meta, rows):
        transfer.write(meta, rows, parts.append)
    meta, rows = transfer.read(io.BytesIO("".join(parts).encode()), "pipe")
    twin = MemoryStore(URL)
    twin.replace(meta, rows)
    assert contents(twin) == contents(store)


def test_it_is_written_in_pieces_and_read_in_lines() -> None:
    many = [attempt(f"a{number}", number=number) for number in range(1, 8001)]
    pieces: list[str] = []
    transfer.write(META, many, pieces.append)
    assert len(pieces) > 3
    assert max(map(len, pieces)) < 2 * 2**20

    class Counting(io.BytesIO):
        lines = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            Counting.lines += 1
            return super().readline(size)

    _, rows = transfer.read(Counting("".join(pieces).encode()), "FILE")
    assert next(iter(rows)) == many[0]
    assert Counting.lines == 2


def test_equal_content_has_an_equal_fingerprint() -> None:
    assert fingerprint(ROWS) == fingerprint(reversed(ROWS))
    for other in ([], ROWS[1:], [*ROWS, *ROWS[:1]], [replace(ROWS[1], note="other"), *ROWS[2:], ROWS[0]]):
        assert fingerprint(other) != fingerprint(ROWS)
    assert fingerprint([replace(samples.full_attempt(), total_cost=1)]) == fingerprint(
        [replace(samples.full_attempt(), total_cost=1.0)]
    )


# What is none.


@pytest.mark.parametrize("text", ["", "\n", "{}\n", "[]\n", "null\n", "SQLite format 3\x00", '{"format":"other"}\n'])
def test_something_else(text: str) -> None:
    refused(text, line=1)


def test_nothing_at_all_is_told_as_such() -> None:
    refused("", "nothing", "fail", line=1)


def test_every_cut_is_noticed() -> None:
    text = text_of(ROWS)
    for at in range(0, len(text) - 1, 7):
        refused(text[:at])
    refused("".join(text.splitlines(keepends=True)[:-1]), "ends before its last line", line=7)
    assert read(text[:-1]) == (META, ROWS)  # nothing is missing but the end of the last line


def test_every_change_is_noticed() -> None:
    data = text_of(ROWS[:1]).encode()
    for at in range(0, len(data) - 1, 5):
        with pytest.raises((StateDocumentInvalid, StateNewer)):
            read(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def test_what_follows_is_noticed() -> None:
    refused(text_of(ROWS) + "\n", "follows", line=7)
    refused(text_of(ROWS) + text_of(ROWS), "follows", line=7)


def test_other_counts_than_rows_are_noticed() -> None:
    lines = text_of(ROWS).splitlines()
    end = json.loads(lines[-1])
    end["end"]["counts"]["attempts"] = 3
    refused("\n".join([*lines[:-1], json.dumps(end)]), "other rows than it says", line=7)


def test_a_newer_format_names_the_way_out() -> None:
    header = json.loads(text_of([]).splitlines()[0]) | {"format_version": 4, "surprise": True}
    with pytest.raises(StateNewer) as caught:
        read(sealed([json.dumps(header)]))
    assert "4" in caught.value.message
    assert "Install" in caught.value.advice


def first_version(row: dict[str, Any]) -> str:
    """A text of the first version with one command."""
    header = json.loads(text_of([]).splitlines()[0]) | {"format_version": 1}
    return sealed([json.dumps(header), json.dumps({"applies": row})], ("approvals", "suspensions"))


def test_a_text_of_the_first_version_knows_no_branch() -> None:
    apply = ApplyRecord("p1", "apply", T0, "me", "here", git_commit="1234abc", git_dirty=True)
    row = json.loads(text_of([apply]).splitlines()[1])["applies"]
    assert row.pop("git_branch") is None
    assert read(first_version(row)) == (META, [apply])
    refused(first_version(row | {"git_branch": None}), "git_branch", line=2)
    refused(text_of([apply]).replace(',"git_branch":null', ""), "git_branch is missing", line=2)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"lineage": "../../etc"}, "lineage"),
        ({"lineage": ""}, "lineage"),
        ({"lineage": 7}, "lineage"),
        ({"serial": -1}, "serial"),
        ({"serial": True}, "serial"),
        ({"serial": 2**53}, "serial"),
        ({"serial": 1.0}, "serial"),
        ({"base_url": None}, "base_url"),
        ({"format_version": 0}, "format version 0"),
        ({"format_version": "1"}, "format_version"),
        ({"more\x1b": 1}, "more\\x1b"),
    ],
    ids=str,
)
def test_a_header_that_is_none(change: dict[str, Any], word: str) -> None:
    header = json.loads(text_of([]).splitlines()[0])
    refused(sealed([json.dumps(header | change)]), word, line=1)


def test_a_header_that_lacks_something() -> None:
    header = json.loads(text_of([]).splitlines()[0])
    for name in header.keys() - {"format"}:
        refused(sealed([json.dumps({key: value for key, value in header.items() if key != name})]), name, line=1)


def with_row(change: Callable[[dict[str, Any]], object], row: Row = ROWS[0]) -> str:
    """A text whose third line is a row that was changed."""
    lines = text_of([spec(), row]).splitlines()[:-1]
    value = json.loads(lines[2])
    (body,) = value.values()
    change(body)
    return sealed([*lines[:2], json.dumps(value)])


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("attempt_id", [None, 7, [], {}, True, "\ud800"]),
        ("number", [0, -1, None, "1", 1.0, True, 2**53]),
        ("phase", [None, "SENT", "prepared", 7, [], {}]),
        ("provisional", [None, 0, 1, "true"]),
        ("total_cost", ["1.5", 1, True, [], 10**400]),
        ("samples_completed", [1.0, True, "3", 2**63, 10**400]),
        ("sent_json", [None, "", "{", "[]", "null", "{}x", "[" * 100_000, '{"a":1,"a":2}', "\ud800", {}]),
        ("inferred_json", [None, "{}", "x", []]),
        ("reported_json", ["null", "[]"]),
        ("files_json", ["{}", '["' + "9" * 100]),
        ("run_id", [7, "\udfff"]),
    ],
)
def test_a_value_of_another_type(column: str, values: list[object]) -> None:
    for value in values:
        refused(with_row(lambda body, value=value: body.update({column: value})), column, "attempts", line=3)


@pytest.mark.parametrize(("row", "column"), [(JournalRecord(1, "a1", Phase.PREPARED, T0, None), "seq")])
def test_a_step_that_could_not_be_counted_on_from(row: Row, column: str) -> None:
    for value in (0, -7, 2**63 - 1, 2**64, None):
        refused(with_row(lambda body, value=value: body.update({column: value}), row), column, line=3)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none(word: str) -> None:
    lines = text_of([ROWS[0]]).splitlines()[:-1]
    lines[1] = lines[1].replace('"total_cost":0.25', f'"total_cost":{word}')
    assert word in lines[1]
    refused(sealed(lines), line=2)


def test_columns_that_are_missing_or_not_known() -> None:
    refused(with_row(lambda body: body.pop("gone_at")), "gone_at is missing", line=3)
    refused(with_row(lambda body: body.update(flavour="\x1b[31mred")), "'flavour' is not known", line=3)
    refused(with_row(lambda body: body.update({"run_\x1b": 1})), r"'run_\x1b'", line=3)


def test_an_accepted_attempt_has_a_run() -> None:
    refused(with_row(lambda body: body.update(run_id=None)), "accepted", line=3)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "{}",
        "7",
        '{"attempts":{},"events":{}}',
        '{"attempts":[]}',
        '{"attempts":null}',
        '{"sqlite_master":{"a":1}}',
        '{"meta":{"serial":9}}',
        '{"\\u001b[2J":{}}',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"specs":{},"specs":{}}',
        '{"specs":{"seen_at":"\t"}}',
        "9" * 100_000,
        '{"specs"',
    ],
    ids=lambda line: line[:20],
)
def test_a_line_that_is_no_row(line: str) -> None:
    lines = text_of([spec(), owed()]).splitlines()[:-1]
    refused(sealed([*lines[:2], line, lines[2]]), line=3)


def test_bytes_that_are_no_text() -> None:
    lines = text_of([spec()]).encode().splitlines(keepends=True)
    for other in (b'{"specs":"\xff"}\n', b"\xff\xfe{\x00}\x00\n", b"\xef\xbb\xbf" + lines[1], b"\xed\xa0\x80\n"):
        refused(lines[0] + other, line=2)


def test_a_line_without_end_is_not_read_to_its_end() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            buffer[:] = b"[" * len(buffer)
            Endless.given += len(buffer)
            return len(buffer)

    stream = io.BufferedReader(Endless())
    with pytest.raises(StateDocumentInvalid, match="FILE, line 1: the line is longer than 64 MiB"):
        transfer.read(stream, "FILE")
    assert Endless.given < 66 * 2**20


def test_a_row_that_could_not_be_read_again_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "LONGEST_LINE", 1000)
    with pytest.raises(StateDocumentInvalid, match="a2 of attempts"):
        text_of([attempt("a2", note="x" * 1000)])


def test_a_source_that_can_no_longer_be_read_is_told() -> None:
    class Failing(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(StateDocumentInvalid, match=r"FILE, line 1: .*Input/output error"):
        transfer.read(Failing(), "FILE")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 8))
def test_whatever_else_comes_it_is_refused_in_words(noise: bytes, after: int) -> None:
    lines = text_of(ROWS).encode().splitlines(keepends=True)
    with pytest.raises((StateDocumentInvalid, StateNewer)):
        read(b"".join(lines[:after]) + noise + b"\n")


def test_a_bad_text_changes_nothing() -> None:
    lines = text_of(ROWS).splitlines()
    with tempfile.TemporaryDirectory() as folder:
        store = filled(open_sqlite(Path(folder) / "state.db", base_url=URL, create=True))
        before = contents(store)
        for count in range(1, len(lines)):
            meta, rows = transfer.read(io.BytesIO("\n".join(lines[:count]).encode() + b"\n"), "FILE")
            with pytest.raises(StateDocumentInvalid):
                store.replace(meta, rows)
            assert contents(store) == before
        store.close()
