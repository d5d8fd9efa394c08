"""Every line that a command's help shows as an example does what it says, from the first to the last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.project import Project
from tests.docs.examples import CODES, SCENES, SERVES, Scene, bought, examples

EXAMPLES = examples()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path, "emulator")
    yield made
    made.close()


@pytest.mark.parametrize("path", EXAMPLES)
def test_the_examples_of_the_help_work(project: Project, path: str) -> None:
    lines = EXAMPLES[path]
    assert lines, f"{path} --help shows no example"
    scene = Scene(project, lines)
    with scene.open:
        SCENES.get(path, bought)(scene)
        for number, line in enumerate(lines):
            code, shown = scene.serve(line) if path in SERVES else scene.type(line, fresh=number == 0)
            assert code == CODES.get(line, 0), f"{line}\nexited with {code}:\n{shown}"
            assert "Traceback (most recent call last)" not in shown, shown


def test_every_scene_and_code_is_of_a_line_that_there_is() -> None:
    assert set(SERVES) <= set(EXAMPLES)
    assert set(CODES) <= {line for lines in EXAMPLES.values() for line in lines}
