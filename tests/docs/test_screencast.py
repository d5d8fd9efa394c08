"""The screencast is what a terminal really shows."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.docs.screencast import make
from tests.docs.tutorial import ROOT, masked

pytestmark = pytest.mark.timeout(200)


def test_a_new_recording_ends_like_the_committed_one() -> None:
    recording = make()
    committed = (ROOT / "docs" / "screencast.txt").read_text("utf-8")
    assert masked(recording.text()) == masked(committed)
    assert "No changes. 3 runs are as declared." in committed
    live = ["".join(text for text, _, _ in line) for frame in recording.frames for line in frame]
    assert any("━" in line and "run.tickets_train" in line for line in live), "no live display was seen"
    ET.fromstring(recording.svg())


def test_the_committed_animation_is_well_formed() -> None:
    root = ET.parse(ROOT / "docs" / "screencast.svg").getroot()
    assert root.tag.endswith("svg")
    words = "".join(root.itertext())
    assert "Apply complete: 3 created. 3 succeeded." in words
