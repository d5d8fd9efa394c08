"""A controller put together of its parts, as watch.toml says."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec.structs import asdict

from reconciler import consenting
from reconciler.applying.interruption import Interruption
from reconciler.model.errors import UsageError
from reconciler.project import Project
from reconciler.watching.checkout import Checkout
from reconciler.watching.election import Memory
from reconciler.watching.following import Following
from reconciler.watching.happenings import Listening, Observer
from reconciler.watching.known import Rules
from reconciler.watching.loop import Controller
from reconciler.watching.metrics import Metrics
from reconciler.watching.remote import Remote
from reconciler.watching.server import Server
from reconciler.watching.settings import Settings
from reconciler.watching.webhooks import Announcer
from reconciler.watching.windows import denied

WORK_FOLDER: Final = ".reconciler-watch"


class Assembly:
    """Enter it to have HTTP and webhooks at work; ``controller.run`` is the loop."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        environ: Mapping[str, str],
        interruption: Interruption,
        log: Observer,
        *,
        listen: bool = True,
    ) -> None:
        work = (folder / WORK_FOLDER).resolve()
        work.mkdir(parents=True, exist_ok=True, mode=0o700)
        allowed = {name: value for name, value in environ.items() if name not in settings.withheld}
        following = Following(
            Remote(settings.place, work / "repository", interruption),
            Checkout(work / "project"),
            settings.place,
            allowed,
            settings.given,
            settings.state_url,
            settings.allowed,
            work / "state-named",
        )
        announcer = Announcer(settings.webhooks)
        rules = Rules(settings.mode, settings.prune, settings.caps, partial(denied, settings.windows))
        metrics = Metrics(lambda: self.controller.status, settings.caps, lambda: announcer.dropped)
        self.controller = Controller(
            following, settings.place, settings.given.environment or "", rules, settings.pace, interruption,
            (log, metrics, announcer), Memory(work / "state-led"),
        )  # fmt: skip
        self._log = log
        self._announcer = announcer
        self._server = None
        if listen and settings.listen is not None:
            commands = Commands(self.controller, following)
            self._server = Server(
                settings.listen, lambda: self.controller.status, self.controller.alive, metrics, commands,
                settings.token,
            )  # fmt: skip
        self._work = work
        self._open = ExitStack()

    def __enter__(self) -> Assembly:
        self._open.callback(os.close, _hold(self._work))
        self._open.enter_context(self._announcer)
        if self._server is not None:
            self._open.enter_context(self._server)
            self._log(Listening(self._server.url))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


def _hold(work: Path) -> int:
    """Have a folder alone: two that brought files of two revisions to it would make a third one. Gone with the process.
    Raises UsageError.
    """
    handle = os.open(work / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise UsageError(f"Another controller works in {work}. Give each a folder of its own with -C.") from None
    return handle


class Commands:
    """What a post does, in whatever thread: a state of its own is opened for it."""

    def __init__(self, controller: Controller, following: Following) -> None:
        self._controller = controller
        self._following = following

    def reconcile(self) -> Mapping[str, Any]:
        """Begin the next pass at once."""
        self._controller.poke()
        return {"reconcile": "soon"}

    def approve(self, digest: str, reason: str, seconds: float | None, by: str) -> Mapping[str, Any]:
        """As ``reconciler approve``."""
        made = consenting.approve(self._project(), digest, reason, seconds, over_http(by))
        self._controller.poke()
        return asdict(made)

    def suspend(self, scope: str, reason: str, seconds: float | None, by: str) -> Mapping[str, Any]:
        """As ``reconciler suspend``."""
        return asdict(consenting.suspend(self._project(), scope, reason, seconds, over_http(by)))

    def resume(self, scope: str, by: str) -> Mapping[str, Any]:
        """As ``reconciler resume``; an empty scope ends every suspension."""
        ended = consenting.resume(self._project(), (scope,) if scope else (), over_http(by))
        self._controller.poke()
        return {"resumed": [one.scope for one in ended]}

    def _project(self) -> Project:
        found = self._following.project()
        if found is None:
            raise UsageError("No revision was taken yet, so it is not known where the state is.")
        return found


def over_http(by: str) -> consenting.Who:
    """Whoever called: a name that nobody checked, and that it came with the token."""
    return consenting.Who(by.strip() or "somebody", "HTTP")
