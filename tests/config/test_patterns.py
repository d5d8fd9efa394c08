"""Patterns of addresses: what they name, and that no pattern takes long."""

from __future__ import annotations

import time

import pytest

from reconciler.model.address import matching

KNOWN = ["run.a", 'run.a["x"]', 'run.a["y"]', "run.ab", 'run.l["de"]', 'run.l["*"]', 'run.l["a\nb"]']


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("run.a", ["run.a"]),
        ("run.l", KNOWN[4:]),
        ("run.l[de]", ['run.l["de"]']),
        ("run.l['de']", ['run.l["de"]']),
        ("run.a*", KNOWN[:4]),
        ("run.a?", ["run.ab"]),
        ('run.a["?"]', KNOWN[1:3]),
        ('run.l["*"]', ['run.l["*"]']),
        ("run.l*", KNOWN[4:]),
        ("*", KNOWN),
        ("**b", ["run.ab"]),
        ("*a*b*", ["run.ab", 'run.l["a\nb"]']),
        ("run.x", []),
        ("run.", []),
        ("run.[ab]", []),
    ],
)
def test_what_a_pattern_names(pattern: str, expected: list[str]) -> None:
    assert matching(pattern, KNOWN) == expected


def test_no_pattern_takes_long() -> None:
    started = time.process_time()
    assert matching("run.x" + "*a" * 30 + "*b", [f'run.x["{"a" * 300}"]'] * 100) == []
    assert time.process_time() - started < 1.0
