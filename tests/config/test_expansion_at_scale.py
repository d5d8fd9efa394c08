"""Ten thousand instances of one declaration, and dependencies between thousands, at once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.config.projects import SPECS, addresses, desired, errors, run

SECONDS = 3.0  # of this process, and many times what is needed: a square of the number would be far beyond


@pytest.mark.parametrize(
    "text",
    [
        run(matrix={"number_of_samples": list(range(1, 101)), "max_examples_in_prompt": list(range(1, 101))}),
        run(for_each={f"k{n}": {"number_of_samples": n % 90 + 1} for n in range(10_000)}),
        run(number_of_samples=10_000, shard_size=1),
        run("b", number_of_samples=5_000, shard_size=1)
        + run(number_of_samples=5_000, shard_size=1, depends_on=["run.b", "run.b*"]),
    ],
    ids=["matrix", "for_each", "shards", "dependencies"],
)
def test_ten_thousand(tmp_path: Path, text: str) -> None:
    started = time.process_time()
    found = desired(tmp_path, SPECS + text)
    assert len(addresses(found)) == 10_000
    assert time.process_time() - started < SECONDS


def test_ten_thousand_that_are_wrong_are_told_in_a_word(tmp_path: Path) -> None:
    started = time.process_time()
    text = run(generation_model="openai/gpt-oss-120", number_of_samples=10_000, shard_size=1)
    (error,) = errors(desired(tmp_path, SPECS + text))
    assert "9,999 more" in error.detail
    assert time.process_time() - started < SECONDS


def test_a_thousand_wrong_keys_are_enough(tmp_path: Path) -> None:
    text = run(for_each={f"k{n}": {"number_of_samples": 0} for n in range(1_500)})
    found = errors(desired(tmp_path, SPECS + text))
    assert [item.summary for item in found].count("Value out of bounds") == 1_000
    assert found[-1].summary == "Too many problems"
