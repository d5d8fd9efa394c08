"""From a base URL to a client: the service over HTTP, or the emulator inside this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.dataframer.client import Client
from reconciler.dataframer.outcomes import MAX_WAIT_SECONDS
from reconciler.dataframer.storage import Storage
from reconciler.dataframer.transport import HttpTransport
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from reconciler.dataframer.emulator.core import Emulator

EMULATOR_DATABASE: Final = Path(".reconciler") / "emulator.db"
_EMULATED: Final = "http://emulator.localhost"  # never resolved: its transport opens no socket


def connect(base_url: str, root: Path, api_key: Callable[[], str], patience: float = MAX_WAIT_SECONDS) -> Client:
    """A client of the service, or of the project's own emulator. Reads the key at once: a missing one is told before
    anything else happens. ``patience``: see ``Client``.
    """
    if base_url != "emulator":
        key = api_key()
        plain = base_url.startswith("http://")  # only this machine may be: so may be what its links lead to
        client = Client(HttpTransport(base_url, lambda: key), storage=Storage(plain), patience=patience)
        client.conceal([key])
        return client
    from reconciler.dataframer.emulator.transport import EmulatorTransport

    emulator = open_emulator(root / EMULATOR_DATABASE)
    transport = HttpTransport(_EMULATED, lambda: "emulator", lambda: EmulatorTransport(emulator))
    storage = Storage(plain=True, transport=lambda: EmulatorTransport(emulator))
    return Client(transport, closing=emulator.close, storage=storage, patience=patience)


def open_emulator(database: Path) -> Emulator:
    """The emulator over a file. Raises UsageError for a file or for faults that it can't use."""
    from reconciler.dataframer.emulator.core import Emulator
    from reconciler.dataframer.emulator.storage import UnusableDatabase

    try:
        return Emulator(database)
    except UnusableDatabase as problem:
        # It may be anybody's file, so no word of removing it.
        raise UsageError(f"{problem}. It was left as it is; move it away to start anew.") from None
    except OSError as problem:
        raise UsageError(f"The emulator can't keep its runs in {database}: {problem.strerror}.") from None
    except ValueError as problem:
        raise UsageError(str(problem)) from None  # it names the variable, the entry and what is known
