"""Medians, ratios and goals of the benchmark: what is missed is told, and ends with exit code 1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.__main__ import finish, main
from tests.bench.figures import Figure, Goal, Record, markdown, number, put_into
from tests.bench.harness import Bench
from tests.bench.running import CommandFailed

OURS, FLOOR = (30.0, 10.0, 80.0), (10.0, 10.0, 20.0)


def figure(goal: Goal | None = None) -> Figure:
    return Figure("start", "--help", "ms", OURS, "floor", FLOOR, goal)


def test_a_ratio_is_the_median_of_the_pairs_not_that_of_the_medians() -> None:
    found = figure()
    assert (found.median, found.spread, found.ratio) == (30.0, (10.0, 80.0), 3.0)
    uneven = Figure("start", "x", "ms", (10.0, 40.0, 90.0), "floor", (10.0, 20.0, 90.0))
    assert uneven.ratio == 1.0  # 40 / 20 would be 2


@pytest.mark.parametrize(
    ("goal", "limit", "verdict"),
    [
        (None, "", ""),
        (Goal(3.0), "≤ 3 ×", "ok"),
        (Goal(2.99), "≤ 2.99 ×", "MISSED"),
        (Goal(30.0, of_ratio=False), "≤ 30 ms", "ok"),
        (Goal(29.0, of_ratio=False), "≤ 29 ms", "MISSED"),
    ],
)
def test_a_goal_is_of_the_ratio_or_of_our_own_figure(goal: Goal | None, limit: str, verdict: str) -> None:
    found = figure(goal)
    assert (found.limit, found.verdict, found.missed) == (limit, verdict, verdict == "MISSED")


def test_nothing_beside_it_is_no_ratio_and_reaches_no_goal_of_one() -> None:
    found = Figure("start", "x", "ms", (1.0,), goal=Goal(100.0))
    assert (found.ratio, found.missed) == (None, True)


@pytest.mark.parametrize("pair", [((), ()), (OURS, FLOOR[:2]), (OURS, ())])
def test_samples_come_in_pairs(pair: tuple[tuple[float, ...], tuple[float, ...]]) -> None:
    with pytest.raises(ValueError, match="samples come in pairs"):
        Figure("start", "x", "ms", pair[0], "floor", pair[1])


@pytest.mark.parametrize(("most", "judging", "code"), [(3.0, True, 0), (2.0, True, 1), (2.0, False, 0)])
def test_a_missed_goal_is_exit_code_1_and_all_samples_are_kept(
    most: float, judging: bool, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = Record(3, judging)
    record.add(figure(Goal(most)))
    kept = tmp_path / "folder" / "bench.json"
    assert finish(record, kept, None) == code
    assert f"goals missed: {code}\n" in (said := capsys.readouterr().out) or "not judged" in said
    assert said.count("MISSED") == 2 * code  # when it was measured, and in the table
    found = json.loads(kept.read_text())
    assert (found["rounds"], found["judged"], found["failures"]) == (3, judging, [])
    assert {"cpus", "python", "date", "load", "least_mb"} <= set(found["machine"])
    (only,) = found["figures"]
    assert (only["ours"], only["theirs"], only["ratio"]) == ([*OURS], [*FLOOR], 3.0)
    assert only["goal"] == {"most": most, "of_ratio": True}
    assert only["missed"] is (most < 3)


def test_a_path_that_fails_leaves_the_others_and_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(bench: Bench) -> None:
        raise CommandFailed("reconciler gave 1: no")

    def holds(bench: Bench) -> None:
        bench.record.add(figure())

    monkeypatch.setattr("tests.bench.__main__.PATHS", {"first": fails, "second": holds})
    assert main(["--rounds", "3", "--json", str(tmp_path / "bench.json")]) == 1
    found = json.loads((tmp_path / "bench.json").read_text())
    assert found["failures"] == ["first: reconciler gave 1: no"]
    assert [each["what"] for each in found["figures"]] == ["--help"]
    assert capsys.readouterr().out.endswith("NOT MEASURED: first: reconciler gave 1: no\n")


def test_the_page_shows_what_has_a_goal(tmp_path: Path) -> None:
    record = Record(3)
    record.add(figure(Goal(2.0)), Figure("start", "without one", "ms", (1.0,)))
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- figures of speed -->\nold\n<!-- end of figures of speed -->\nafter\n")
    put_into(page, record)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "| --help | 30 ms | 10 ms (floor) | 3.00 | ≤ 2 × MISSED |" in text
    assert "old" not in text
    assert "without one" not in text
    page.write_text("no marks")
    with pytest.raises(ValueError, match="no marks"):
        put_into(page, record)


def test_the_readme_has_the_marks(tmp_path: Path) -> None:
    copy = tmp_path / "README.md"
    copy.write_text((Path(__file__).parents[2] / "README.md").read_text("utf-8"), "utf-8")
    record = Record(3)
    record.add(figure(Goal(3.0)))
    put_into(copy, record)
    assert markdown(record.figures, record.loads).splitlines()[2] in copy.read_text("utf-8")


@pytest.mark.parametrize(("value", "text"), [(1234.5, "1,234"), (99.96, "100.0"), (3.14159, "3.14"), (4.0, "4")])
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    "words", [["--report", "x", "--quick"], ["--report", "x", "--only", "start"], ["--rounds", "0"]]
)
def test_a_page_is_filled_by_the_whole_benchmark_only(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
