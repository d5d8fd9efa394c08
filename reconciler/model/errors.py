"""The exception tree.

::

    ReconcilerError            something that a person can act upon; its text is for people
    ├── ConfigurationError     the project's files: carries diagnostics
    ├── UsageError             the command line asks for what can't be
    ├── PlanError              the plan has errors; nothing was done: carries the plan's diagnostics
    ├── LimitExceeded          a limit of the project forbids the plan; nothing was done
    ├── PlanOutdated           a saved or expected plan no longer holds
    ├── SecretError            a referenced secret is not there
    ├── DownloadError          files of a run can't be had, or not be put where they belong
    ├── ForgeError             where the code is reviewed (GitHub, GitLab), nothing could be read or written
    │   ├── ForgeRefused       it answered with a status that is final
    │   └── ForgeUnclear       no usable answer came
    └── ServiceError           the service could not be asked, or refused
        ├── ServiceRefused     it answered with a status that is final
        ├── AccountMismatch    it knows too few of our runs: the key is probably another account's
        └── ServiceUnreachable no usable answer came

``state.errors.StateError`` is the other tree; ``cli.exits`` maps both to exit codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler.model.diagnostics import Diagnostic
from reconciler.model.limits import Level, LimitResult


class ReconcilerError(Exception):
    """Something that a person can act upon."""


class _WithDiagnostics(ReconcilerError):
    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("; ".join(f"{d.source or ''} {d.summary}: {d.detail}" for d in self.diagnostics))


class ConfigurationError(_WithDiagnostics):
    """The project's files are not right."""


class PlanError(_WithDiagnostics):
    """The plan has errors, so it can't be applied."""


class UsageError(ReconcilerError):
    """The command line asks for what can't be."""


class LimitExceeded(ReconcilerError):
    """A limit forbids the plan."""

    def __init__(self, exceeded: Sequence[LimitResult]) -> None:
        said = "; ".join(f"{item.limit.name} ({item.limit.level.value}): {item.found}" for item in exceeded)
        soft = [item.limit.name for item in exceeded if item.limit.level is Level.SOFT]
        way = (
            f"Whoever may let it pass says so: {' '.join(f'--override {name}' for name in soft)} --reason TEXT"
            if len(soft) == len(exceeded)
            else "Buy less, or change [limits] in reconciler.toml, which is reviewed like any change"
        )
        super().__init__(f"A limit forbids this plan. {said}. {way}. Nothing was done.")


class PlanOutdated(ReconcilerError):
    """A saved or expected plan no longer holds, or is spent. ``difference``: how it differs from what there is now."""

    def __init__(self, message: str, difference: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.difference = tuple(difference)


class SecretError(ReconcilerError):
    """A referenced secret is not there."""


class DownloadError(ReconcilerError):
    """Files of a run can't be had, or not be put where they belong."""


class ForgeError(ReconcilerError):
    """A pull request's comment could not be read or written."""


class ForgeRefused(ForgeError):
    """GitHub or GitLab answered with a status that is final for this call. ``words``: the beginning of its answer."""

    def __init__(self, status: int, words: str, message: str) -> None:
        self.status, self.words = status, words
        super().__init__(message)


class ForgeUnclear(ForgeError):
    """No usable answer came, also not after trying again. ``sent``: what was asked for may have been done."""

    def __init__(self, message: str, *, sent: bool) -> None:
        self.sent = sent
        super().__init__(message)


class ServiceError(ReconcilerError):
    """The service could not be asked, or refused."""


class ServiceRefused(ServiceError):
    """The service answered with a status that is final for this call. ``wait``: seconds that it asks for first."""

    def __init__(self, status: int, message: str, wait: float | None = None) -> None:
        self.status = status
        self.wait = wait
        super().__init__(message)


class AccountMismatch(ServiceError):
    """Too many unfinished runs are answered 404 at once."""

    def __init__(self, missing: int, unfinished: int) -> None:
        super().__init__(
            f"{missing:,} of {unfinished:,} unfinished runs are not found with this key (HTTP 404): it is probably "
            "another account's. Nothing was recorded. Check [api] api_key and base_url; if these runs really are gone, "
            "say so with `reconciler refresh --accept-missing`."
        )


class ServiceUnreachable(ServiceError):
    """No usable answer came, also not after trying again."""
