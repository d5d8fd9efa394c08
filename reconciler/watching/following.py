"""What is followed: a branch of a remote, as a project in a folder of the controller's own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from reconciler.config.variables import Given
from reconciler.git import Followed, Git, named_after
from reconciler.project import Project, read_project
from reconciler.watching.checkout import Checkout
from reconciler.watching.place import Place
from reconciler.watching.remote import Remote


class Following:
    """``given`` and ``state_url``: what the operator says of the project, as the command line would."""

    def __init__(
        self,
        remote: Remote,
        checkout: Checkout,
        place: Place,
        environ: Mapping[str, str],
        given: Given,
        state_url: str | None = None,
    ) -> None:
        self._remote = remote
        self._checkout = checkout
        self._place = place
        self._environ = environ
        self._given = given
        self._state_url = state_url
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
        self._checkout.take(commit, self._remote.files(commit), self._environ, self._given)

    def project(self) -> Project | None:
        """The project as it was last taken; None before any was. Read again only where something has changed.

        Raises ConfigurationError, SecretError, UsageError.
        """
        commit = self.good()
        if commit is None:
            return None
        key = commit, tuple(_stamp(file) for file in self._given.files)
        if self._read is None or self._read[0] != key:
            name = named_after(self._place.url, self._place.folder)
            followed = Followed(Git(commit, False, self._place.branch), name)
            made = read_project(self._checkout.root, self._environ, self._state_url, self._given, followed=followed)
            self._read = key, made
        return self._read[1]


def _stamp(file: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = file.stat()
        return found.st_mtime_ns, found.st_size
    return None
