"""What lies behind signed links. Whoever has such a link may read the file, so it is held like a secret: it is never
shown, logged or stored whole, and no exception that leaves this module holds any of it.

Links are fetched without the API key, by a transport rather than a client: that logs no address, keeps no cookies and
follows nothing by itself. HTTPS, or plain HTTP on this machine where the service itself is there.
"""

from __future__ import annotations

import ipaddress
import ssl
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import httpx
from msgspec import Struct

from reconciler import __version__
from reconciler.dataframer.transport import TRANSPORT_ERRORS

_LONGEST_LINK: Final = 16_384
_REDIRECTS: Final = 3
_TIMEOUTS: Final = {"connect": 10.0, "read": 60.0, "write": 60.0, "pool": 10.0}


class LinkBroken(Exception):
    """The exchange failed. Its text holds nothing of the link but the host."""


class LinkRefused(Exception):
    """A link that is not followed, whatever it leads to. Its text holds nothing of the link but the host."""


class Link:
    """A signed link. What is printed of it is its host."""

    __slots__ = ("_url",)

    def __init__(self, url: str) -> None:
        self._url = url

    def __repr__(self) -> str:
        return f"Link({self.host})"

    @property
    def host(self) -> str:
        """Where it leads, for people; empty for what is no address."""
        try:
            return urllib.parse.urlsplit(self._url).hostname or ""
        except ValueError:
            return ""

    def reveal(self) -> str:
        """The whole link, to be fetched and forgotten."""
        return self._url


class Stored(Struct, frozen=True):
    """The head of an answer, and its body as it arrives; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


class Storage:
    """Fetches links. ``plain``: the service is on this machine, so its links may be, too. Any thread may use it."""

    def __init__(self, plain: bool = False, transport: Callable[[], httpx.BaseTransport] | None = None) -> None:
        self._plain = plain
        self._transport = transport
        self._local = threading.local()
        self._made: list[httpx.BaseTransport] = []
        self._ssl: ssl.SSLContext | None = None
        self._guard = threading.Lock()

    @contextmanager
    def get(self, link: Link, headers: Mapping[str, str]) -> Iterator[Stored]:
        """One GET with these headers; up to three redirects are followed. Raises LinkBroken and LinkRefused; so does
        reading the chunks.
        """
        for _ in range(_REDIRECTS + 1):
            refusal = self._refusal(link)
            if refusal:
                raise LinkRefused(refusal)
            response = self._open(link, headers)
            if isinstance(response, str):  # raised here, where nothing of the link is in reach
                raise LinkBroken(response)
            try:
                target = response.headers.get("location") if 300 <= response.status_code < 400 else None
                if target is None:
                    found = {name.lower(): value for name, value in response.headers.items()}
                    yield Stored(response.status_code, found, _chunks(response, link.host))
                    return
                link = _joined(link, target)
            finally:
                _close(response)
        raise LinkBroken(f"{link.host} redirects too often")

    def close(self) -> None:
        """Close every connection."""
        with self._guard:
            made, self._made = self._made, []
        for transport in made:
            transport.close()

    def _open(self, link: Link, headers: Mapping[str, str]) -> httpx.Response | str:
        """The answer, or what went wrong."""
        sent = {"user-agent": f"reconciler/{__version__}", "accept-encoding": "identity", **headers}
        try:
            request = httpx.Request("GET", link.reveal(), headers=sent, extensions={"timeout": _TIMEOUTS})
            return self._for(link).handle_request(request)
        except TRANSPORT_ERRORS as error:
            return _said(error, link.host)

    def _refusal(self, link: Link) -> str:
        """Why a link is not followed, or an empty text."""
        url = link.reveal()
        try:
            parts = urllib.parse.urlsplit(url)
            host, user, _ = parts.hostname or "", parts.username, parts.port
        except ValueError:
            return "the service gave a link that is no address"
        if not host or user is not None or len(url) > _LONGEST_LINK or not (url.isascii() and url.isprintable()):
            return "the service gave a link that is no address"
        plain = parts.scheme == "http" and self._plain and (_is_loopback(host) or self._transport is not None)
        if parts.scheme != "https" and not plain:
            return f"the service gave a link to {host} that is not encrypted (https)"
        return ""

    def _for(self, link: Link) -> httpx.BaseTransport:
        """This thread's transport for a link: that of the environment's proxy where the host asks for one."""
        parts = urllib.parse.urlsplit(link.reveal())
        direct = parts.scheme == "http" or urllib.request.proxy_bypass(parts.hostname or "")
        proxy = None if direct else urllib.request.getproxies().get("https")
        mine: dict[tuple[str, str | None], httpx.BaseTransport] = self._local.__dict__.setdefault("transports", {})
        made = mine.get((parts.scheme, proxy))
        if made is None:
            made = mine[parts.scheme, proxy] = self._make(parts.scheme, proxy)
            with self._guard:
                self._made.append(made)
        return made

    def _make(self, scheme: str, proxy: str | None) -> httpx.BaseTransport:
        if self._transport is not None:
            return self._transport()
        with self._guard:
            if self._ssl is None and scheme == "https":  # costs 40 ms: made once
                self._ssl = httpx.create_ssl_context()
            trust = self._ssl or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return httpx.HTTPTransport(verify=trust, proxy=proxy, limits=httpx.Limits(max_connections=1), retries=0)


def _chunks(response: httpx.Response, host: str) -> Iterator[bytes]:
    said = ""
    try:
        assert isinstance(response.stream, httpx.SyncByteStream)
        yield from response.stream
    except TRANSPORT_ERRORS as error:
        said = _said(error, host)
    if said:
        raise LinkBroken(said)


def _close(response: httpx.Response) -> None:
    try:
        response.close()
    except TRANSPORT_ERRORS:
        return  # what was read, was read


def _joined(link: Link, target: str) -> Link:
    try:
        return Link(urllib.parse.urljoin(link.reveal(), target))
    except ValueError:
        return Link("")  # refused when it is opened


def _said(error: BaseException, host: str) -> str:
    """The class of a failure; its own words only where no answer can have put anything into them."""
    words = f": {error}" if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)) else ""
    return f"{host}: {type(error).__name__}{words}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
