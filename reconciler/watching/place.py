"""Where a remote is, and how git is told of it: credentials are given to git alone, never to who lists processes."""

from __future__ import annotations

import os
import re
import urllib.parse
from dataclasses import dataclass
from typing import Final

from reconciler.config.settings import is_loopback

BRANCH: Final = re.compile(r"(?!-)(?!.*(?:\.\.|@\{|//|/$|\.lock$))[^\x00-\x20~^:?*\[\\\x7f]{1,255}")
_PROTOCOLS: Final = ("https", "http", "ssh", "git", "file")
_CREDENTIALS: Final = re.compile(r"://[^/@\s'\"]+@")
_HELPER: Final = r"""!printf 'username=%s\npassword=%s\n' "$RECONCILER_GIT_USER" "$RECONCILER_GIT_PASSWORD" #"""
_OPERATORS: Final = frozenset(
    {"GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_SSL_CAINFO", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"}
)


class RemoteError(Exception):
    """git can't do what was asked for; its text is for people, and holds no credentials."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is followed. ``url`` may hold credentials; ``folder``: the project's in the repository, empty at its top;
    ``max_bytes``: what may be received; ``timeout``: seconds of one command.
    """

    url: str
    branch: str = "main"
    folder: str = ""
    max_bytes: int = 50_000_000
    max_files: int = 20_000
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Address:
    """A URL: without its user and password, since all of this machine may read what a command is called with."""

    shown: str
    protocol: str
    user: str = ""
    password: str = ""

    def concealed(self, text: str) -> str:
        """git's words without what the URL, or one that git's own configuration puts in its place, holds of secrets."""
        for secret in filter(None, (self.password, self.user)):
            for form in {secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote(secret)}:
                text = text.replace(form, "***")
        return _CREDENTIALS.sub("://***@", text)


def address_of(url: str) -> Address:
    """Raises RemoteError for what is none."""
    scheme, separator, _ = url.partition("://")
    if not url or not url.isprintable() or url.startswith("-"):
        raise RemoteError("the URL of the remote is empty, begins with a dash, or has characters that no URL has")
    if not separator:
        if re.match(r"[^/:]+::", url):
            raise RemoteError(f"the remote must be reached by {', '.join(_PROTOCOLS)}")
        if re.match(r"[^/:]+:", url):  # git@example.com:owner/name
            return Address(url, "ssh")
        return Address(os.path.abspath(url), "file")
    if scheme.lower() not in _PROTOCOLS:
        raise RemoteError(f"the remote must be reached by {', '.join(_PROTOCOLS)}")
    try:
        parts = urllib.parse.urlsplit(url)
        user, password = (urllib.parse.unquote(part or "") for part in (parts.username, parts.password))
    except ValueError:  # not repeated: it may hold a password
        raise RemoteError("the URL of the remote is not one") from None
    if scheme.lower() not in ("https", "http"):
        if password:
            raise RemoteError(f"a URL with {scheme.lower()}:// takes no password, and all on this machine would see it")
        return Address(url, scheme.lower())
    if not (user + password).isprintable():
        raise RemoteError("the user or the password in the URL of the remote has characters that none has")
    host = parts.netloc.rpartition("@")[2]
    if (user or password) and scheme.lower() == "http" and not is_loopback(parts.hostname or ""):
        raise RemoteError(f"http:// would send the user and the password in the clear to {parts.hostname}")
    return Address(urllib.parse.urlunsplit(parts._replace(netloc=host)), scheme.lower(), user, password)


def environment(address: Address) -> dict[str, str]:
    """Nobody is there to be asked, and no other protocol is spoken than the operator named."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in _OPERATORS}
    kept |= {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "SSH_ASKPASS_REQUIRE": "never",  # and there is no terminal: ssh asks nobody
        "GIT_ALLOW_PROTOCOL": address.protocol,
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_CONFIG_COUNT": "0",
        "LC_ALL": "C",
    }
    if address.user or address.password:  # in the place of the operator's helpers
        kept |= {
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "credential.helper",
            "GIT_CONFIG_VALUE_0": "",
            "GIT_CONFIG_KEY_1": "credential.helper",
            "GIT_CONFIG_VALUE_1": _HELPER,
            "RECONCILER_GIT_USER": address.user,
            "RECONCILER_GIT_PASSWORD": address.password,
        }
    return kept
