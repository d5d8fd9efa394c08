"""The live display: what it counts, and that it always fits the terminal."""

from __future__ import annotations

import pytest
from rich.console import Console

from reconciler.model.changes import Kind
from reconciler.model.events import Failed, Progressed, Submitted
from reconciler.model.run import RunStatus
from reconciler.views.apply_text import PlainLines
from reconciler.views.board import Board
from reconciler.views.live import LiveBoard
from reconciler.views.paint import Paint


def progress(number: int, status: RunStatus, made: int, samples: int = 100) -> Progressed:
    return Progressed(f"run.r{number}", f"id{number}", status, made, 0, samples, 5.0, 0.25)


def board(runs: int) -> Board:
    made = Board(PlainLines(Paint()), since=0.0)
    for number in range(runs):
        made.handle(Submitted(f"run.r{number}", f"id{number}", Kind.CREATE), 0.0)
    return made


def test_totals_and_eta() -> None:
    made = board(4)
    assert made.handle(progress(0, RunStatus.PROCESSING, 50), 10.0) is None
    assert made.handle(progress(1, RunStatus.PROCESSING, 30), 10.0) is None
    line = made.handle(progress(2, RunStatus.SUCCEEDED, 100), 10.0)
    assert line is not None
    assert line.startswith("run.r2: SUCCEEDED")
    assert made.samples() == (180, 300)
    assert made.eta(10.0) == pytest.approx(10.0 * 120 / 180)
    assert made.rows["id0"].eta(10.0) == pytest.approx(10.0)
    assert made.rows["id3"].eta(10.0) is None
    assert made.over["SUCCEEDED"] == 1
    assert "id2" not in made.rows


def test_working_runs_are_shown_before_waiting_ones() -> None:
    made = board(10)
    made.handle(progress(7, RunStatus.PROCESSING, 1), 1.0)
    assert [row.address for row in made.shown(3)] == ["run.r7", "run.r0", "run.r1"]


def test_a_failure_scrolls_up_at_once() -> None:
    line = board(1).handle(Failed("run.x", "rejected", "the service refused it: \x1b[31mno"), 1.0)
    assert line == "run.x: the service refused it: \\x1b[31mno"


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (60, 10), (40, 6)])
@pytest.mark.parametrize("runs", [1, 30, 1000])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_it_fits_the_terminal(size: tuple[int, int], runs: int, ascii_only: bool) -> None:
    made = board(runs)
    long = 'run.sweep["generation_model=anthropic/claude-haiku-4-5,number_of_samples=10000"]'
    made.handle(Submitted(long, "long", Kind.CREATE), 0.0)
    made.handle(Progressed(long, "long", RunStatus.PROCESSING, 6_200, 0, 10_000, 60.0), 60.0)
    drawn = LiveBoard(made, Console(width=size[0], height=size[1]))
    drawn.now, drawn.stopping = 90_000.0, "SIGINT"
    lines = list(drawn.lines(*size, ascii_only=ascii_only))
    assert len(lines) < size[1]
    assert [line.plain for line in lines if line.cell_len > size[0]] == []
    text = "\n".join(line.plain for line in lines)
    assert "runs over" in text
    assert "6,200/10,000" in text
    if ascii_only:
        assert "━" not in text
    if runs == 1000 and size[0] >= 60:
        assert "more (1 working, 1,000 waiting in all)" in text


def test_bars_tell_their_share_without_colour() -> None:
    made = board(1)
    made.handle(progress(0, RunStatus.PROCESSING, 25), 10.0)
    first = next(LiveBoard(made, Console(width=100, height=24)).lines(100, 24)).plain
    assert first.count("━") == pytest.approx((first.count("━") + first.count("─")) / 4, abs=1)


def test_points_of_a_matrix_are_told_apart_on_a_narrow_terminal() -> None:
    made = board(0)
    for model in ("anthropic/claude-haiku-4-5", "openai/gpt-oss-120b"):
        for number in (3, 6):
            address = f'run.sweep["generation_model={model},number_of_samples={number},spec_version=3"]'
            made.handle(Submitted(address, f"{model}{number}", Kind.CREATE), 0.0)
    drawn = LiveBoard(made, Console(width=80, height=24))
    labels = [line.plain.partition(" ")[0] for line in drawn.lines(80, 24)][:4]
    assert len(set(labels)) == 4
    assert labels[3].endswith(",6]")
