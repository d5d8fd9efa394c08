"""From a project to the parts that its commands work with."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from msgspec import Struct

from reconciler import safekeeping
from reconciler.applying.author import Author
from reconciler.applying.record import Recorder
from reconciler.applying.rescue import Rescue
from reconciler.applying.settle import Examiner
from reconciler.applying.settling import DEAD_SECONDS, SETTLE_SECONDS, Patience
from reconciler.clock import now
from reconciler.config.settings import is_loopback
from reconciler.dataframer.client import Client
from reconciler.model.errors import UsageError
from reconciler.project import Project
from reconciler.rescuing import rescue
from state.errors import StateError
from state.holder import describe
from state.store import Store

Tell = Callable[[str], None]


class Books(Struct, frozen=True):
    """An open state with what is needed to write into it."""

    store: Store
    client: Client
    recorder: Recorder
    examiner: Examiner
    rescue: Rescue

    def take_in(self) -> list[str]:
        """Record the runs that an earlier command could only rescue; under the state's lock."""
        return self.rescue.take_in(self.store, lambda attempt, run: self.recorder.adopt(attempt, run, confirmed=True))


@contextmanager
def books(project: Project, command: str, tell: Tell, *, create: bool = False) -> Iterator[Books]:
    """Open the state for recording, and connect. Afterwards this machine remembers how far the state had come.

    Errors: StateError, SecretError.
    """
    client = project.connect()
    try:
        store = project.open_state(create=create)
        try:
            made = recorder(project, store, command)
            yield Books(store, client, made, examiner(project, store, client), rescue(project, store.meta().lineage))
        finally:
            with suppress(StateError):  # what went wrong before says more
                warning = safekeeping.remember(store)
                if warning:
                    tell(warning)
            store.close()
    finally:
        client.close()


def recorder(project: Project, store: Store, command: str) -> Recorder:
    """Writes in the name of this user and command."""
    git = project.git
    me = describe(command)
    return Recorder(store, Author(command, me.user, me.host, git.commit, git.dirty, git.branch), now)


def examiner(project: Project, store: Store, client: Client) -> Examiner:
    """Looks after unknown submissions."""
    return Examiner(store, client, patience(project), project.settings.timeout, time.time)


def patience(project: Project) -> Patience:
    """How long unknown submissions are waited for. Tests may shorten it, where nothing real can be bought."""
    base_url = project.settings.base_url
    if not (project.settings.emulated or is_loopback(urllib.parse.urlsplit(base_url).hostname or "")):
        return Patience()
    settle, dead = (project.environ.get(f"RECONCILER_{name}_SECONDS") for name in ("SETTLE", "DEAD"))
    try:
        return Patience(float(settle or SETTLE_SECONDS), float(dead or DEAD_SECONDS))
    except ValueError:
        raise UsageError("RECONCILER_SETTLE_SECONDS and RECONCILER_DEAD_SECONDS are numbers of seconds.") from None
