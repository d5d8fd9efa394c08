"""From a base URL to a client: the service over HTTP, or the emulator inside this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reconciler.dataframer.client import Client
from reconciler.dataframer.transport import HttpTransport

EMULATOR_DATABASE = Path(".reconciler") / "emulator.db"
_EMULATED = "http://emulator.localhost"  # never resolved: its transport opens no socket


def connect(base_url: str, root: Path, api_key: Callable[[], str]) -> Client:
    """A client of the service, or of the project's own emulator. Reads the key at once: a missing one is told before
    anything else happens.
    """
    if base_url != "emulator":
        key = api_key()
        return Client(HttpTransport(base_url, lambda: key))
    from reconciler.dataframer.emulator.core import Emulator
    from reconciler.dataframer.emulator.transport import EmulatorTransport

    emulator = Emulator(root / EMULATOR_DATABASE)
    transport = HttpTransport(_EMULATED, lambda: "emulator", lambda: EmulatorTransport(emulator))
    return Client(transport, closing=emulator.close)
