"""The API document, read once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

_PATH = Path(__file__).parent.parent / "data" / "openapi.yaml"


@cache
def document() -> Any:
    """The whole OpenAPI document as a table."""
    return yaml.safe_load(_PATH.read_text("utf-8"))
