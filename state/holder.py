"""Ourselves, as the holder of a lock."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache

from state.records import Holder


def describe(command: str) -> Holder:
    """Ourselves, as the holder of a lock."""
    user, host = _user_and_host()
    return Holder(
        user=user,
        host=host,
        pid=os.getpid(),
        command=command,
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        lock_id=os.urandom(6).hex(),
    )


@cache
def _user_and_host() -> tuple[str, str]:
    import getpass  # rarely needed: most commands take no lock

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container without a name for this user
        user = str(os.getuid())
    return user, os.uname().nodename
