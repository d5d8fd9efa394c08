"""Waits until the service has packed the archive of a run."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from reconciler.dataframer.client import Client
from reconciler.dataframer.storage import Link
from reconciler.model.errors import DownloadError

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0


class Packed(Struct):
    """An archive that can be fetched. ``size`` in bytes, None where the service does not say it."""

    run_id: str
    size: int | None
    _link: Link | None

    def again(self, client: Client) -> Link:
        """The link that the wait brought, once; then new ones."""
        link, self._link = self._link, None
        if link is None:
            link = client.archive(self.run_id).link
        if link is None:
            raise DownloadError("the archive is packed anew; try again later")
        return link


def packed(client: Client, run_id: str, patience: float, sleep: Callable[[float], object]) -> Packed:
    """Ask until the archive is packed. Raises DownloadError when ``patience``, in seconds, is over."""
    until = time.monotonic() + patience
    pause = _FIRST_PAUSE
    while True:
        found = client.archive(run_id)
        if found.link is not None:
            return Packed(run_id, found.size, found.link)
        left = until - time.monotonic()
        if left <= 0:
            raise DownloadError(
                f"its archive is still being packed after {patience:,.0f} s; run the same command again later, or wait"
                " longer with --wait-timeout"
            )
        sleep(min(found.wait if found.wait is not None else pause * random.uniform(0.75, 1.0), left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
