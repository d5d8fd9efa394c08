"""The one function that everything printed goes through: only new lines and our own colours get past it."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.cli.output import Output, to_json
from reconciler.views.paint import Paint, escape, joined, one_line, printable, wrapped

COLOUR = Paint(True)
OURS = re.compile(r"\x1b\[(?:[0-9]+;?)+m")


def test_colours_of_ours_become_codes_and_foreign_ones_do_not() -> None:
    text = printable(COLOUR("\x1b[31mevil", "green", "bold") + " \x1b[32m")
    assert text == "\x1b[32;1m\\x1b[31mevil\x1b[0m \\x1b[32m"


def test_a_mark_survives_escaping_as_often_as_one_likes() -> None:
    mark = COLOUR("a\tb", "red")
    assert printable(one_line(escape(mark))) == "\x1b[31ma\\tb\x1b[0m"
    assert joined([mark, "x\ny"]).count("\n") == 2


def test_a_mark_cannot_be_guessed_from_its_form() -> None:
    mark = COLOUR("", "red")
    forged = re.sub(r"[0-9a-f]{16}", "0" * 16, mark)
    assert forged != mark
    assert "\x1b" not in printable(forged)


@settings(max_examples=500, deadline=None)
@given(st.text(st.characters() | st.sampled_from("\x00\x1b\n\r\t\x9b\u202e[;m0123456789")))
def test_nothing_else_gets_past(foreign: str) -> None:
    text = printable(f"{COLOUR('a', 'red')}{foreign}{COLOUR(foreign, 'bold')}")
    left = OURS.sub("", text)
    assert len(OURS.findall(text)) == 4
    assert all(character.isprintable() or character == "\n" or character.isspace() for character in left)
    assert not set("\r\t\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029").intersection(left)
    assert text.count("\n") == 2 * foreign.count("\n")


@pytest.mark.parametrize("text", ["Grüße, 世界 🎉", "a\u00a0b\u3000c", "—…→≠━"])
def test_what_people_write_stays(text: str) -> None:
    assert printable(text) == text


def test_a_stream_passes_nothing_around_the_function() -> None:
    raw = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="")
    stream = Output(raw)
    stream.writelines(["\x1b[2J", COLOUR("x", "dim")])
    assert stream.write("\u202e") == 1
    stream.buffer.write("\x1b[3mü".encode())
    with pytest.raises(TypeError):
        stream.write(b"\x1b")  # type: ignore[arg-type]
    raw.flush()
    assert raw.buffer.getvalue().decode() == "\\x1b[2J\x1b[2mx\x1b[0m\\u202e\\x1b[3mü"  # type: ignore[attr-defined]


@given(st.text())
def test_json_needs_no_escaping_on_its_way_out(text: str) -> None:
    for written in (to_json({text: [text]}), to_json({text: [text]}, None)):
        assert printable(written) == written


def test_what_is_to_be_typed_stays_on_one_line() -> None:
    command = "`reconciler plan --format markdown | reconciler comment`"
    lines = wrapped(f"error: Standard input is this terminal. Type {command}, or name a file.", 66)
    assert [line.strip() for line in lines] == [
        "error: Standard input is this terminal. Type",
        f"{command},",
        "or name a file.",
    ]
    assert all(len(line) <= 66 for line in lines)
    narrow = wrapped(f"Type {command}, or name a file.", 40)  # no line could hold it
    assert " ".join(line.strip() for line in narrow) == f"Type {command}, or name a file."
    assert all(len(line) <= 40 for line in narrow)
