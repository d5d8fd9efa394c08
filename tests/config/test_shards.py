"""``shard_size``: more samples than the service takes in one run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.projects import SPEC, SPECS, addresses, desired, errors, run, table


@pytest.mark.parametrize(
    ("samples", "size", "expected"),
    [
        (100_000, 20_000, [20_000] * 5),
        (90_001, 20_000, [20_000] * 4 + [10_001]),
        (20_001, 20_000, [20_000, 1]),
        (20_000, 20_000, [20_000]),
        (5, 20_000, [5]),
        (7, 3, [3, 3, 1]),
        (3, 1, [1, 1, 1]),
    ],
)
@pytest.mark.parametrize("in_defaults", [False, True])
def test_the_last_shard_has_the_rest(
    tmp_path: Path, samples: int, size: int, expected: list[int], in_defaults: bool
) -> None:
    text = SPECS + table("defaults", {"number_of_samples": samples if in_defaults else None})
    text += run("bulk", number_of_samples=None if in_defaults else samples, shard_size=size)
    found = desired(tmp_path, text)
    assert addresses(found) == [f'run.bulk["{number}"]' for number in range(len(expected))]
    assert [one.request.samples for one in found.instances] == expected
    assert str(found.where(found.instances[-1].address, "number_of_samples")) == (
        "reconciler.toml:4:21" if in_defaults else "reconciler.toml:6:21"
    )


@pytest.mark.parametrize(
    ("changes", "summary", "words"),
    [
        ({"number_of_samples": 20_001}, "Value out of bounds", "shard_size = 20_000"),
        ({"shard_size": 20_001}, "Value out of bounds", "from 1 to 20000"),
        ({"shard_size": 0}, "Value out of bounds", "from 1 to 20000"),
        ({"shard_size": "5"}, "Wrong type", "from 1 to 20000"),
        ({"shard_size": True}, "Wrong type", "whole number"),
        ({"shard_size": 5, "number_of_samples": None}, "A field is missing", "number_of_samples"),
        ({"shard_size": 5, "number_of_samples": 0}, "Value out of bounds", "not 0"),
        ({"shard_size": 5, "number_of_samples": "x"}, "Wrong type", "whole number"),
        ({"shard_size": 1, "number_of_samples": 100_001}, "Too many instances", "100,000"),
        ({"shard_size": 5, "number_of_samples": 12, "lifecycle": {"min_samples": 3}}, "Value out of bounds", "only 2"),
        ({"shard_size": 5, "number_of_samples": 92, "generation_model": "openai/gpt-oss-120"}, "Unknown model", "18 m"),
        ({"shard_size": 5, "number_of_samples": 92, "spec_id": SPEC}, "One spec is needed", "18 more"),
    ],
)
def test_refused(tmp_path: Path, changes: dict[str, object], summary: str, words: str) -> None:
    (error,) = errors(desired(tmp_path, SPECS + run("bulk", **changes)))
    assert error.summary == summary
    assert words in f"{error.detail} {error.fix}"
