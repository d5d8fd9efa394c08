"""A project: its declarations, and how to reach its state and its service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.config.expand import expand
from reconciler.config.load import load
from reconciler.config.settings import Settings, read_secret
from reconciler.config.validate import Desired, validate
from reconciler.dataframer.client import Client
from reconciler.dataframer.connect import connect
from reconciler.model.errors import ConfigurationError
from reconciler.model.request import SecretRef
from state.errors import StateMissing
from state.open import open_store
from state.store import Store


@dataclass(frozen=True, slots=True)
class Project:
    """A validated project, and how to reach its state and its service."""

    root: Path
    desired: Desired
    environ: Mapping[str, str]
    state_url: str

    @property
    def settings(self) -> Settings:
        """How to reach the service, and the pace."""
        return self.desired.settings

    def secret(self, ref: SecretRef) -> str:
        """The value of a reference, read now. Raises SecretError."""
        return read_secret(ref, self.root, self.environ)

    def open_state(self, *, create: bool = False, read_only: bool = False) -> Store:
        """Open the state. Raises StateError."""
        base_url = self.settings.base_url
        return open_store(self.state_url, base_url=base_url, root=self.root, create=create, read_only=read_only)

    def open_state_if_any(self) -> Store | None:
        """The state for reading only, or None where there is none yet."""
        try:
            return self.open_state(read_only=True)
        except StateMissing:
            return None

    def connect(self) -> Client:
        """A client of the service. Raises SecretError for a missing key."""
        return connect(self.settings.base_url, self.root, lambda: self.secret(self.settings.api_key))


def check_project(root: Path) -> Desired:
    """Load, expand and validate, offline. Raises ConfigurationError where there is no project."""
    loaded = load(root)
    return validate(loaded, expand(loaded))


def read_project(root: Path, environ: Mapping[str, str], state_url: str | None = None) -> Project:
    """A project without errors. Raises ConfigurationError with everything that is wrong."""
    desired = check_project(root)
    if not desired.valid:
        raise ConfigurationError(desired.diagnostics)
    declared = desired.settings.state_url
    if isinstance(declared, SecretRef):
        declared = read_secret(declared, root, environ)
    url = state_url or environ.get("RECONCILER_STATE_URL") or declared or desired.settings.default_state_url
    return Project(root, desired, environ, url)
