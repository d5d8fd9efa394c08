"""The page of decisions names every row and every kind of action."""

from __future__ import annotations

import re
from pathlib import Path

from reconciler.model.changes import Kind

PAGE = (Path(__file__).parent.parent.parent / "docs" / "decisions.md").read_text("utf-8")


def test_it_has_every_row_in_order() -> None:
    assert re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE) == [str(number) for number in range(1, 12)]


def test_it_names_every_kind_of_action() -> None:
    assert [kind for kind in Kind if not re.search(rf"`[^`]*\b{kind.value}`", PAGE)] == []
