"""What is followed: a branch of a remote, as a project in a folder of the controller's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from reconciler.config.validate import Desired
from reconciler.config.variables import Given
from reconciler.git import Followed, Git, named_after
from reconciler.model.errors import ConfigurationError, SecretError, UsageError
from reconciler.project import Project, read_project
from reconciler.watching.allowed import Allowed
from reconciler.watching.checkout import Checkout
from reconciler.watching.place import Place
from reconciler.watching.remote import Remote
from state.postgres.url import is_postgres, names_workspace


class Following:
    """``given`` and ``state_url``: what the operator says of the project, as the command line would. ``allowed``: what
    it may name, None for anything. ``pin``: a file that remembers what state it named.
    """

    def __init__(
        self,
        remote: Remote,
        checkout: Checkout,
        place: Place,
        environ: Mapping[str, str],
        given: Given,
        state_url: str | None = None,
        allowed: Allowed | None = None,
        pin: Path | None = None,
    ) -> None:
        self._remote = remote
        self._checkout = checkout
        self._place = place
        self._environ = environ
        self._given = given
        self._state_url = state_url
        self._allowed = allowed
        self._pin = pin
        self._guard = threading.Lock()
        self._read: tuple[object, Project] | None = None

    def newest(self) -> str:
        """The branch's newest commit. Raises RemoteError."""
        return self._remote.newest()

    def good(self) -> str | None:
        """The commit whose declarations count."""
        return self._checkout.good()

    def take(self, commit: str) -> None:
        """Make a commit's declarations the ones that count. Raises RemoteError, SourceRefused, OSError."""
        self._remote.fetch(commit)
        with suppress(ConfigurationError, SecretError, UsageError):
            self.project()  # what state the one of before names is remembered
        files = self._remote.files(commit)
        with self._guard:
            self._checkout.take(commit, files, self._environ, self._given, self._objections)

    def project(self) -> Project | None:
        """The project as it was last taken; None before any was. Read again only where something has changed.

        Raises ConfigurationError, SecretError, UsageError.
        """
        with self._guard:  # what is read in one thread while another one takes would be of two revisions
            return self._project()

    def _project(self) -> Project | None:
        commit = self.good()
        if commit is None:
            return None
        key = commit, tuple(_stamp(file) for file in self._given.files)
        if self._read is None or self._read[0] != key:
            name = named_after(self._place.url, self._place.folder)
            followed = Followed(Git(commit, False, self._place.branch), name)
            made = read_project(self._checkout.root, self._environ, self._state_url, self._given, followed=followed)
            if refused := self._refused(made.desired):  # watch.toml may allow less than when it was taken
                raise UsageError(". ".join(refused))
            self._remember(made.desired)
            self._read = key, made
        return self._read[1]

    def _refused(self, desired: Desired) -> list[str]:
        return self._allowed.refused(desired, self._state_url) if self._allowed else []

    def _objections(self, desired: Desired) -> list[str]:
        """Why a revision is not taken, although it has no errors. The state counts what caps allow, and has approvals
        and suspensions: a push may not choose another one.
        """
        said, before, named = self._refused(desired), self._remembered(), self._state_named(desired)
        if named and before is not None and before != named:
            said.append(
                f"it names another state, {named}, and until now that was {before}: caps, approvals and suspensions are"
                f" in that. If it is meant: name it in watch.toml, [project] state, or remove {self._pin}"
            )
        return said

    def _state_named(self, desired: Desired) -> str:
        """What the project itself says of where the state is; empty where it has no say. Holds no secret."""
        settings, workspace = desired.settings, desired.settings.workspace or desired.settings.environment or ""
        if self._state_url is None:
            place = settings.state_url or settings.default_state_url
            known = isinstance(place, str) and not is_postgres(place)
            return f"{place}, workspace {workspace}" if workspace and not known else str(place)
        if is_postgres(self._state_url) and not names_workspace(self._state_url):
            return f"workspace {workspace}" if workspace else "no workspace of its own"
        return ""

    def _remembered(self) -> str | None:
        """What the state was that the project named, as long as the operator asks for the same."""
        try:
            found = json.loads(self._pin.read_text("utf-8")) if self._pin else None
        except (FileNotFoundError, ValueError):
            return None
        return found["named"] if isinstance(found, dict) and found.get("asked") == self._asked() else None

    def _remember(self, desired: Desired) -> None:
        if self._pin is not None and self._remembered() is None:
            self._pin.write_text(json.dumps({"asked": self._asked(), "named": self._state_named(desired)}))

    def _asked(self) -> list[object]:
        """What the operator says, on which it may depend."""
        given = self._given
        return [given.environment, list(given.variables), list(map(str, given.files)), self._state_url is not None]


def _stamp(file: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = file.stat()
        return found.st_mtime_ns, found.st_size
    return None
