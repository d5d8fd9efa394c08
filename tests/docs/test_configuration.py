"""The configuration reference is what the models say, and its TOML is valid."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from reconciler.config.canonical import canonical
from reconciler.config.schema import schema
from reconciler.watching.settings import read_settings
from tests.docs import watching
from tests.docs.configuration import PAGE, TABLES, page, places

TEXT = PAGE.read_text("utf-8")
BLOCKS = [
    block for block in re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL) if "[formatting]" not in block
]  # taplo's


def test_the_tables_are_what_the_models_say() -> None:
    assert page(TEXT) == TEXT


def test_every_table_is_there_once() -> None:
    assert sorted(places(TEXT)) == sorted(TABLES)


def test_a_wrong_row_would_be_noticed() -> None:
    wrong = TEXT.replace("| `parallelism` | 1 to 1,000 |", "| `parallelism` | 1 to 2,000 |")
    assert wrong != TEXT
    assert page(wrong) == TEXT


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_its_toml_is_canonical_and_fits_the_schema(block: str) -> None:
    assert canonical(block) == block
    assert [found.message for found in Draft7Validator(schema()).iter_errors(tomllib.loads(block))] == []


def test_its_links_to_sections_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert [target for target in re.findall(r"\]\(#([^)]+)\)", TEXT) if target not in anchors] == []


def test_the_defaults_of_watch_toml_are_the_controllers(tmp_path: Path) -> None:
    found = []
    for listed in (False, True):
        (tmp_path / "watch.toml").write_text(watching.defaults(listed))
        found.append(read_settings(tmp_path / "watch.toml", {}))
    assert found[0] == found[1]


def test_a_wrong_default_of_watch_toml_would_be_noticed(tmp_path: Path) -> None:
    text = watching.defaults(True)
    (tmp_path / "watch.toml").write_text(text)
    right = read_settings(tmp_path / "watch.toml", {})
    (tmp_path / "watch.toml").write_text(text.replace("max_files = 20_000", "max_files = 2_000"))
    assert read_settings(tmp_path / "watch.toml", {}) != right
