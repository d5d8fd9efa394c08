"""Where the ids of runs are that a project's state could not take."""

from __future__ import annotations

from reconciler.applying.rescue import Rescue
from reconciler.datafolder import data_folder
from reconciler.project import Project
from state.open import sqlite_path


def rescue(project: Project, lineage: str) -> Rescue:
    """Beside the state, else in the user's data folder, which may be on another disk."""
    database = sqlite_path(project.state_url, project.root)
    beside = database.parent if database else project.root / ".reconciler"
    return Rescue([beside, data_folder() / lineage])
