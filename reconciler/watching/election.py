"""Which of several replicas works: the one that has a lock of its own in the state's database."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from reconciler.project import Project
from state.errors import StateError, StateMissing
from state.store import Leadership, Store


@dataclass(frozen=True, slots=True)
class Lead:
    """The lead over the state of a project. Without a state there is none to lose: nothing is recorded then."""

    place: tuple[str, str | None]
    store: Store | None = None
    leadership: Leadership | None = None

    def holds(self, project: Project) -> bool:
        """Whether it is still ours, and the project's state the same. Raises StateError."""
        if self.place != _place(project):
            return False
        if self.leadership is None:
            return not _exists(project)
        return self.leadership.held()

    def close(self) -> None:
        """Let another one have it."""
        with suppress(StateError):
            if self.leadership is not None:
                self.leadership.close()
            if self.store is not None:
                self.store.close()


def lead(project: Project, *, create: bool) -> Lead | None:
    """Take the lead; None while another replica has it. ``create``: make the state where there is none.

    Raises StateError.
    """
    try:
        store = project.open_state(create=create)
    except StateMissing:
        if create:
            raise
        return Lead(_place(project))
    try:
        leadership = store.lead()
    except BaseException:
        store.close()
        raise
    if leadership is None:
        store.close()
        return None
    return Lead(_place(project), store, leadership)


def _exists(project: Project) -> bool:
    store = project.open_state_if_any()
    if store is not None:
        store.close()
    return store is not None


def _place(project: Project) -> tuple[str, str | None]:
    return project.state_url, project.workspace
