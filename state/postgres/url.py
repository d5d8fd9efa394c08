"""What a PostgreSQL URL says: libpq's own parameters, and two of ours, ``workspace`` and ``timeout``."""

from __future__ import annotations

import re
import urllib.parse

from msgspec import Struct

from state.errors import StateUrlInvalid

SCHEMES = ("postgresql", "postgres")
DEFAULT_WORKSPACE = "default"
WORKSPACE_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,99}"
_TIMEOUT_SECONDS = 30.0
_EXAMPLE = "postgresql://user@host:5432/database?workspace=NAME"
_ESCAPING = (
    "In a user or password write %40 for @, %2F for /, %3F for ?, %25 for %; or leave the password to PGPASSWORD."
)
_CREDENTIALS = re.compile("[^@/]*:[^@/]*@")  # to libpq a ? or & before the first @ is a part of the password
# What a session of ours needs; a URL may say otherwise. The keepalives notice a server that vanished without a word.
_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives_idle": "20",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "application_name": "reconciler",
    "client_encoding": "UTF8",
}


class Target(Struct, frozen=True):
    """Where a state is. ``conninfo`` may hold a password, so it is never shown; ``place`` is what people see."""

    conninfo: str
    workspace: str
    place: str
    timeout: float  # seconds in which the server must have answered a step


def is_postgres(url: str) -> bool:
    """Whether a URL names a state in PostgreSQL."""
    return url.partition("://")[0] in SCHEMES


def names_workspace(url: str) -> bool:
    """Whether a URL says which workspace of its database it means."""
    return any(pair.startswith("workspace=") for pair in _split(url)[2].split("&"))


def holds_password(url: str) -> bool:
    """``postgresql://user:password@host``, ``?password=…``, or a key's passphrase."""
    authority, _, query = _split(url)
    user, at, _ = authority.rpartition("@")
    names = {urllib.parse.unquote(pair.partition("=")[0]).strip().lower() for pair in re.split("[&;]", query)}
    found = (bool(at) and ":" in user) or _CREDENTIALS.match(url.partition("://")[2])
    return bool(found) or not names.isdisjoint({"password", "sslpassword"})


def parse(url: str, workspace: str | None = None) -> Target:
    """Take a URL apart. ``workspace``: the one that the configuration names, which the URL must not contradict.

    Raises StateUrlInvalid, in words that hold nothing of a password.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    if _split(url)[0].count("@") > 1:  # libpq would take the rest of a password for the host, and repeat it
        raise StateUrlInvalid("The state's URL holds more than one @.", _ESCAPING)
    base, _, query = url.partition("?")
    ours: dict[str, str] = {}
    theirs = []
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if name in ("workspace", "timeout"):
            ours[name] = urllib.parse.unquote(value)
        else:
            theirs.append(pair)
    try:
        found = conninfo_to_dict(f"{base}?{'&'.join(theirs)}" if theirs else base)
    except (ProgrammingError, UnicodeError) as error:
        # An @ behind a ? may end a password with a question mark in it.
        secret = holds_password(url) or "@" in query
        said, advice = ("", f" {_ESCAPING}") if secret else (f": {str(error).strip()}", "")
        raise StateUrlInvalid(
            f"The state's URL is not understood{said}.", f"Write it like {_EXAMPLE}.{advice}"
        ) from None
    _check_ports(str(found.get("port") or ""))
    conninfo = make_conninfo("", **{**_DEFAULTS, **found})
    chosen = _workspace(ours.get("workspace"), workspace)
    where = f"{found.get('host') or found.get('hostaddr') or ''}{_port(found.get('port'))}"
    user = f"{found['user']}@" if found.get("user") else ""
    service = f"?service={found['service']}" if found.get("service") else ""
    place = f"postgresql://{user}{where}/{found.get('dbname') or ''}{service}, workspace {chosen}"
    return Target(conninfo, chosen, place, _timeout(ours.get("timeout")))


def _workspace(in_url: str | None, configured: str | None) -> str:
    if in_url is not None and configured is not None and in_url != configured:
        raise StateUrlInvalid(
            f"The state's URL names workspace {in_url!r}, [state] workspace names {configured!r}.", "Name one of them."
        )
    chosen = in_url if in_url is not None else configured
    if chosen is None:
        return DEFAULT_WORKSPACE
    if not re.fullmatch(WORKSPACE_PATTERN, chosen):
        raise StateUrlInvalid(
            f"{chosen!r} is no name of a workspace.",
            "Use up to 100 letters, digits, and . _ / - within, as in search/production.",
        )
    return chosen


def _timeout(value: str | None) -> float:
    try:
        seconds = float(value) if value is not None else _TIMEOUT_SECONDS
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        raise StateUrlInvalid(
            "The timeout in the state's URL is not understood.", "Give seconds, as in timeout=30 (0.1 to 3600)."
        )
    return seconds


def _check_ports(ports: str) -> None:
    """What stands in the place of a port may be a password whose host was left out: it is not repeated."""
    if not all(port == "" or (port.isascii() and port.isdigit()) for port in ports.split(",")):
        raise StateUrlInvalid("The port in the state's URL is no number.", f"Write it like {_EXAMPLE}.")


def _port(port: object) -> str:
    return f":{port}" if port and port != "5432" else ""


def _split(url: str) -> tuple[str, str, str]:
    """Authority, path and query. Not by ``urlsplit``, which fails for several hosts with ports."""
    rest, _, query = url.partition("://")[2].partition("?")
    # A password may hold a slash that nobody escaped: the authority ends at the first slash after the last @.
    at = rest.rfind("@")
    slash = rest.find("/", at + 1)
    return (rest, "", query) if slash < 0 else (rest[:slash], rest[slash:], query)
