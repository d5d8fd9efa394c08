"""Where something stands, as those name it who look at the whole repository."""

from __future__ import annotations

import posixpath

from reconciler.model.diagnostics import Source


def in_repository(folder: str, source: Source) -> str:
    """The path of a file relative to the repository; ``folder``: the project's within it, empty at its top. What lies
    elsewhere, such as a file of values, keeps its own path.
    """
    return posixpath.normpath(posixpath.join(folder, source.file))
