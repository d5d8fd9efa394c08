"""The how-to pages: their projects are valid and canonical, their commands exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.config.canonical import canonical
from reconciler.model.diagnostics import Severity
from reconciler.project import check_project
from tests.docs.howto import PAGES, commands, problem, projects

PROJECTS = [(f"{page.stem} {number}", files) for page in PAGES for number, files in enumerate(projects(page))]
COMMANDS = sorted({tuple(words) for page in PAGES for words in commands(page)})


def test_every_page_has_a_project_and_commands() -> None:
    assert len(PAGES) >= 6
    assert [page.name for page in PAGES if not projects(page) or not list(commands(page))] == []


@pytest.mark.parametrize("files", [files for _, files in PROJECTS], ids=[name for name, _ in PROJECTS])
def test_the_project_is_valid_and_canonical(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
        assert canonical(text) == text
    found = check_project(tmp_path)
    told = [item for item in found.diagnostics if item.severity is not Severity.NOTICE]
    assert [f"{item.source}: {item.summary}: {item.detail}" for item in told] == []
    assert found.instances


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_command_exists(words: tuple[str, ...]) -> None:
    assert problem(list(words)) == ""


@pytest.mark.parametrize("words", ["plan --outt x", "plna", "state backup --lost", "resolve", "state"])
def test_a_wrong_command_would_be_noticed(words: str) -> None:
    assert problem(words.split()) != ""
