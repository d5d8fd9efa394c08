"""Which of several replicas works: the one that has a lock of its own in the state's database. And it works with that
state alone: one that takes its place knows of no suspension, and of nothing that was bought.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from reconciler.project import Project
from state.errors import StateError, StateMissing
from state.store import Leadership, Store


@dataclass(frozen=True, slots=True)
class Memory:
    """A file that remembers which state was worked with, and in what place, over restarts."""

    file: Path

    def recall(self, project: Project) -> str | None:
        """The lineage of the state that was there."""
        with suppress(OSError, ValueError):
            found = json.loads(self.file.read_text("utf-8"))
            if isinstance(found, dict) and found.get("place") == _fingerprint(project):
                return str(found["lineage"])
        return None

    def remember(self, project: Project, lineage: str) -> None:
        """Raises OSError."""
        if self.recall(project) != lineage:
            self.file.write_text(json.dumps({"place": _fingerprint(project), "lineage": lineage}), "utf-8")


@dataclass(frozen=True, slots=True)
class Lead:
    """The lead over the state of a project. Without a state there is none to lose: nothing is recorded then."""

    place: tuple[str, str | None]
    store: Store | None = None
    leadership: Leadership | None = None
    lineage: str = ""

    def holds(self, project: Project) -> bool:
        """Whether it is still ours, and the project's state the same. Raises StateError, also where that is gone."""
        if self.place != _place(project):
            return False
        if self.leadership is not None and not self.leadership.held():
            return False
        found = _lineage(project)
        if self.leadership is not None and found != self.lineage:
            raise _gone(found)
        return self.leadership is not None or found is None

    def close(self) -> None:
        """Let another one have it."""
        with suppress(StateError):
            if self.leadership is not None:
                self.leadership.close()
            if self.store is not None:
                self.store.close()


def lead(project: Project, *, create: bool, memory: Memory | None = None) -> Lead | None:
    """Take the lead; None while another replica has it. ``create``: make the state where there is none, and none is
    remembered, and upgrade an older one; who only reports changes nothing for others.

    Raises StateError, OSError.
    """
    known = memory.recall(project) if memory else None
    try:
        if not create:
            project.open_state(read_only=True).close()
        store = project.open_state(create=create and known is None)
    except StateMissing:
        if known is not None:
            raise _gone(None, memory) from None
        if create:
            raise
        return Lead(_place(project))
    try:
        lineage = store.meta().lineage
        if known not in (None, lineage):
            raise _gone(lineage, memory)
        leadership = store.lead()
        if leadership is not None and memory is not None:
            memory.remember(project, lineage)
    except BaseException:
        store.close()
        raise
    if leadership is None:
        store.close()
        return None
    return Lead(_place(project), store, leadership, lineage)


def _gone(found: str | None, memory: Memory | None = None) -> StateError:
    what = "is gone" if found is None else "is gone, and another one is in its place"
    begin = f"remove {memory.file}" if memory else "start the controller anew"
    return StateMissing(
        f"The state that this controller worked with {what}: what was bought, approved and suspended is not known.",
        f"Bring it back (`reconciler state restore`, or the database's own tools). If another one is meant, {begin}.",
    )


def _lineage(project: Project) -> str | None:
    """Of the state that is there now."""
    store = project.open_state_if_any()
    if store is None:
        return None
    with closing(store):
        return store.meta().lineage


def _place(project: Project) -> tuple[str, str | None]:
    return project.state_url, project.workspace


def _fingerprint(project: Project) -> str:
    """Of a place, whose URL may hold a password."""
    return hashlib.sha256(repr((*_place(project), str(project.root))).encode()).hexdigest()
