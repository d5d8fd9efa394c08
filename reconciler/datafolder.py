"""Where this user's data is, away from every project."""

from __future__ import annotations

from pathlib import Path


def data_folder() -> Path:
    """Where the states of this user are kept safe. To ask makes no folder."""
    import platformdirs  # rarely needed

    return platformdirs.user_data_path("reconciler", appauthor=False) / "states"
