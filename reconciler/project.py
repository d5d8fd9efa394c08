"""A project: its declarations, and how to reach its state and its service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.config.environment import with_environment
from reconciler.config.expand import expand
from reconciler.config.load import load
from reconciler.config.settings import Settings, read_secret
from reconciler.config.substitute import substitute
from reconciler.config.validate import Desired, validate
from reconciler.config.variables import Given
from reconciler.git import Followed, Git, git_state, project_name
from reconciler.model.errors import ConfigurationError, SecretError, UsageError
from reconciler.model.request import SecretRef
from state.errors import StateMissing
from state.open import open_store
from state.postgres.url import is_postgres, names_workspace
from state.store import Store

if TYPE_CHECKING:
    from reconciler.dataframer.client import Client


_FOLLOWED_PATIENCE = 5.0  # seconds between two tries of a read


class Project(Struct, frozen=True):
    """A validated project, and how to reach its state and its service."""

    root: Path
    desired: Desired
    environ: Mapping[str, str]
    state_url: str
    workspace: str | None = None  # of a state in PostgreSQL, where its URL names none
    unset: str = ""  # why nobody knows where the state is, where that is no error
    followed: Followed | None = None  # in the place of what git knows of the root

    @property
    def name(self) -> str:
        """The same in every checkout."""
        return self.followed.name if self.followed else project_name(self.root)

    @property
    def git(self) -> Git:
        """The revision of its files."""
        return self.followed.git if self.followed else git_state(self.root, self.environ)

    @property
    def settings(self) -> Settings:
        """How to reach the service, and the pace."""
        return self.desired.settings

    def secret(self, ref: SecretRef) -> str:
        """The value of a reference, read now. Raises SecretError."""
        return read_secret(ref, self.root, self.environ)

    def open_state(self, *, create: bool = False, read_only: bool = False) -> Store:
        """Open the state. Raises StateError."""
        if self.unset:
            raise StateMissing(self.unset, "Set it, or leave --offline out.")
        base_url = self.settings.base_url
        return open_store(
            self.state_url,
            base_url=base_url,
            root=self.root,
            workspace=self.workspace,
            create=create,
            read_only=read_only,
        )

    def open_state_if_any(self) -> Store | None:
        """The state for reading only, or None where there is none yet."""
        try:
            return self.open_state(read_only=True)
        except StateMissing:
            return None

    def other_workspaces(self) -> tuple[str, ...]:
        """The workspaces of the database, where it has none of the project's name. Raises StateError."""
        try:
            self.open_state(read_only=True).close()
        except StateMissing as missing:
            return missing.others
        return ()

    def connect(self) -> Client:
        """A client of the service. Raises SecretError for a missing key."""
        from reconciler.dataframer.connect import connect  # with httpx, 0.1 s: offline nobody waits for it
        from reconciler.dataframer.outcomes import MAX_WAIT_SECONDS

        # The controller waits between its looks, where it can be stopped and goes on with the rest.
        patience = _FOLLOWED_PATIENCE if self.followed else MAX_WAIT_SECONDS
        return connect(self.settings.base_url, self.root, lambda: self.secret(self.settings.api_key), patience)


def check_project(root: Path, environ: Mapping[str, str] | None = None, given: Given | None = None) -> Desired:
    """Load, substitute, expand and validate, offline. Raises ConfigurationError where there is no project, or no such
    environment, and UsageError for what can't be the name of one.
    """
    given = given or Given()
    loaded = load(root)
    if given.environment is not None:
        loaded = with_environment(loaded, given.environment)
    loaded = substitute(loaded, given, environ or {})
    return validate(loaded, expand(loaded))


def read_project(
    root: Path,
    environ: Mapping[str, str],
    state_url: str | None = None,
    given: Given | None = None,
    records_only: bool = False,
    stateless: bool = False,
    followed: Followed | None = None,
) -> Project:
    """A project without errors. Raises ConfigurationError with everything that is wrong. ``records_only``: its
    declarations are not looked at, so variables that only they need may lack a value; ``stateless``: a state whose URL
    is in a variable that is not set is none, as in a job that is given no secrets.
    """
    desired = check_project(root, environ, given)
    if not (desired.records_readable if records_only else desired.valid):
        raise ConfigurationError(desired.diagnostics)
    try:
        url, workspace = _state_of(desired, root, environ, state_url)
    except SecretError as problem:
        if not stateless:
            raise
        return Project(root, desired, environ, "", unset=f"No state is read: {problem}", followed=followed)
    return Project(root, desired, environ, url, workspace, followed=followed)


def _state_of(
    desired: Desired, root: Path, environ: Mapping[str, str], state_url: str | None
) -> tuple[str, str | None]:
    """Where the state is, and its workspace where that names none. Raises UsageError, SecretError."""
    # Where a variable of a script is not set, another state must not take its place.
    if state_url == "":
        raise UsageError("--state is empty. Name a state, or leave it out.")
    if environ.get("RECONCILER_STATE_URL") == "":
        raise SecretError("RECONCILER_STATE_URL is empty. Name a state, or leave it out.")
    settings, workspace = desired.settings, desired.settings.workspace
    url = state_url or environ.get("RECONCILER_STATE_URL")
    if url:  # in the place of the project's own: its workspace counts where this URL names none
        workspace = workspace if is_postgres(url) and not names_workspace(url) else None
    else:
        declared = settings.state_url
        url = read_secret(declared, root, environ) if isinstance(declared, SecretRef) else declared
    url = url or settings.default_state_url
    if workspace is None and is_postgres(url) and not names_workspace(url):
        workspace = settings.environment
    return url, workspace
