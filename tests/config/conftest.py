"""Whatever project a test of the configuration finds valid, the editors' schema must take as well."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from reconciler.config.schema import schema
from reconciler.config.validate import Desired
from reconciler.project import check_project
from tests.config import projects

_LONGEST = 100_000  # characters; the large ones are made of the same declarations over and over


@pytest.fixture(autouse=True, scope="session")
def _the_schema_takes_what_is_valid() -> Iterator[None]:
    validator = Draft7Validator(schema())

    def checked(root: Path, *args: Any, **options: Any) -> Desired:
        found = check_project(root, *args, **options)
        paths = (root / "reconciler.toml", *root.glob("runs/**/*.toml"), *root.glob("environments/*.toml"))
        for path in paths if found.valid else ():
            text = path.read_text("utf-8-sig")
            if len(text) < _LONGEST:
                refused = [problem.message for problem in validator.iter_errors(tomllib.loads(text))]
                assert refused == [], f"{path.name} is valid, and the schema refuses it"
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projects, "check_project", checked)
        yield
