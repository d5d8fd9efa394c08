"""HTTP/1.1 over one socket that is kept. Submissions at the rate of hundreds a second need it: httpx takes 0.5 ms of
the processor for an exchange, this takes 0.1.
http.client takes 0.12, but 103 for an answer, the first of two lengths, and a bad length for none: to hold it to what
httpx reads takes as many lines as this.

It is strict, for whatever is not plainly an answer leaves a submission unknown, which is safe: an answer that is cut
short, or of two lengths, is httpx.RemoteProtocolError. Errors are those of httpx, as ``engine.ByHttpx`` raises them.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import urllib.parse
from collections.abc import Iterator
from typing import Final, NoReturn

import httpx

from reconciler.dataframer.engine import CONNECT_SECONDS, Call, Opened, Trace
from reconciler.deadline import left

_HEAD_BYTES = 100 * 1024  # of a status line and headers, or of what follows the last chunk
_READ_BYTES = 64 * 1024
_WORTH_SETTING: Final = 0.02  # seconds by which an exchange may outlast its deadline
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_STATUS = re.compile(r"HTTP/([0-9]\.[0-9]) ([1-9][0-9]{2})(?: .*)?")
_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00\x0b\x0c]|\r(?!\n)")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00]*)?\r\n")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*")
_TARGET = re.compile(r"[!-~]*")
_VALUE = re.compile(r"[ -~]*")
_DOTS = re.compile(r"/\.{1,2}(?=/|\?|$)")
_PORTS: Final = {"http": 80, "https": 443}


def suits(base_url: str) -> bool:
    """Whether a base URL is of a plain host and path; anything else is left to httpx. Raises ValueError for what is no
    URL.
    """
    url = urllib.parse.urlsplit(base_url)
    plain = url.scheme in _PORTS and not ("@" in url.netloc or "%" in url.netloc or url.query or url.fragment)
    return plain and url.port != 0 and _HOST.fullmatch(url.hostname or "") is not None and _plain(url.path)


class Direct:
    """Without a proxy, to a base URL that ``suits``. ``tls``: None for plain HTTP."""

    def __init__(self, base_url: str, tls: ssl.SSLContext | None) -> None:
        url = urllib.parse.urlsplit(base_url)
        host = url.hostname or ""
        port = _PORTS[url.scheme]
        self._address = host, url.port or port
        named = f"[{host}]" if ":" in host else host
        self._host = named if url.port in (None, port) else f"{named}:{url.port}"
        self._path = url.path
        self._tls = tls
        self._socket: socket.socket | None = None
        self._readable: select.poll | None = None
        self._rest = b""  # received, and not yet taken
        self._timeout = 0.0  # of the socket: to set it gives other threads the interpreter
        self._whole = False  # the last answer was read to its end, and the connection may be used again

    def open(self, call: Call, trace: Trace) -> Opened:
        """See :class:`Engine`."""
        request = self._request(call)
        try:
            connection = self._connected(trace)
            trace("http11.send_request_headers.started", {})
            self._whole = False
            self._send(connection, request)
            status, headers, keeps = self._head()
            while status < 200:  # interim answers
                if status == 101:
                    _broken("the service wants to speak another protocol")
                status, headers, keeps = self._head()
            body = self._body(call.method, status, headers, keeps)
        except BaseException:
            self.close()
            raise
        return Opened(status, headers, body, self._done)

    def close(self) -> None:
        """See :class:`Engine`."""
        opened, self._socket, self._rest, self._whole = self._socket, None, b"", False
        if opened is not None:
            opened.close()

    def _done(self) -> None:
        if not self._whole or self._rest:  # what nobody asked for would be taken for the next answer
            self.close()

    # -- asking ---------------------------------------------------------------------------------------------------

    def _request(self, call: Call) -> bytes:
        target = self._path + call.path
        if call.query:
            target += f"?{urllib.parse.urlencode(call.query)}"
        if not _plain(target):
            raise httpx.InvalidURL("the path holds characters that have to be encoded")
        lines = [f"{call.method} {target or '/'} HTTP/1.1", f"host: {self._host}"]
        for name, value in call.headers.items():
            if not _VALUE.fullmatch(value) or value != value.strip():
                raise httpx.LocalProtocolError(f"the header {name} holds characters that can't be sent")
            lines.append(f"{name}: {value}")
        if call.body is not None or call.method in ("POST", "PUT", "PATCH"):
            lines.append(f"content-length: {len(call.body or b'')}")
        return "\r\n".join((*lines, "\r\n")).encode("ascii") + (call.body or b"")

    def _connected(self, trace: Trace) -> socket.socket:
        """The connection, a new one where there is none or the service has closed it (or said something unasked)."""
        if self._socket is not None and self._readable is not None and self._readable.poll(0):
            self.close()
        if self._socket is None:
            trace("connection.connect_tcp.started", {})
            opened: socket.socket | None = None
            try:
                opened = socket.create_connection(self._address, min(CONNECT_SECONDS, _left()))
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is not None:
                    opened.settimeout(min(CONNECT_SECONDS, _left()))
                    opened = self._tls.wrap_socket(opened, server_hostname=self._address[0])
            except BaseException as error:
                if opened is not None:
                    opened.close()
                if isinstance(error, OSError):
                    kind = httpx.ConnectTimeout if isinstance(error, TimeoutError) else httpx.ConnectError
                    raise kind(str(error)) from error
                raise
            self._readable = select.poll()
            self._readable.register(opened, select.POLLIN)
            self._socket = opened
        return self._socket

    def _send(self, connection: socket.socket, request: bytes) -> None:
        self._set_timeout(connection, _left())
        try:
            connection.sendall(request)
        except TimeoutError as error:
            raise httpx.WriteTimeout(str(error)) from error
        except OSError:
            pass  # the service may have answered, and closed, before it had read all

    def _set_timeout(self, connection: socket.socket, seconds: float) -> None:
        connection.settimeout(seconds)
        self._timeout = seconds

    # -- the answer -----------------------------------------------------------------------------------------------

    def _more(self) -> bool:
        """Receive what there is; False at the end of the connection."""
        assert self._socket is not None
        seconds = _left()
        if self._timeout - seconds > _WORTH_SETTING:
            self._set_timeout(self._socket, seconds)
        try:
            data = self._socket.recv(_READ_BYTES)
        except TimeoutError as error:
            raise httpx.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpx.ReadError(str(error)) from error
        self._rest += data
        return bool(data)

    def _head(self) -> tuple[int, dict[str, str], bool]:
        """Status, headers, and whether the connection is kept after the answer."""
        seen = 0
        while (end := _END_OF_HEAD.search(self._rest, max(seen - 2, 0))) is None:
            seen = len(self._rest)
            if seen > _HEAD_BYTES:
                _broken("the head of the answer is too long")
            if not self._more():
                _broken("Server disconnected without sending a response.")
        head, self._rest = self._rest[: end.start()], self._rest[end.end() :]
        text = _text(head)
        first, *lines = text.replace("\r\n", "\n").removesuffix("\r").split("\n")
        status = _STATUS.fullmatch(first)
        if status is None or _CONTROL.search(text.removesuffix("\r")):
            _broken("the head of the answer is none")
        headers: dict[str, str] = {}
        name = ""
        for line in lines:
            if line[:1] in (" ", "\t") and name:  # a header's value goes on, as it might long ago
                headers[name] += f" {line.strip()}"
                continue
            named, colon, value = line.partition(":")
            if not colon or not _NAME.fullmatch(named):
                _broken("a header of the answer is none")
            name, value = named.lower(), value.strip(" \t")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        closes = "close" in [word.strip() for word in headers.get("connection", "").lower().split(",")]
        return int(status[2]), headers, status[1] >= "1.1" and not closes

    def _body(self, method: str, status: int, headers: dict[str, str], keeps: bool) -> Iterator[bytes]:
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if coding is not None:
            headers["transfer-encoding"] = coding = coding.lower()
            if coding != "chunked":
                _broken("the answer is encoded in a way that was not asked for")
        lengths = {item.strip() for item in length.split(",")} if length is not None else set[str]()
        if len(lengths) > 1 or not all(item.isascii() and item.isdecimal() and len(item) < 16 for item in lengths):
            _broken("the answer's length is none")
        if lengths:
            headers["content-length"] = next(iter(lengths))
        if method == "HEAD" or status in (204, 304):
            return self._counted(0, keeps)
        if coding is not None:
            return self._chunked(keeps and not lengths)
        return self._counted(int(lengths.pop()), keeps) if lengths else self._until_closed()

    def _counted(self, length: int, keeps: bool) -> Iterator[bytes]:
        taken = 0
        while taken < length:
            if not self._rest and not self._more():
                said = f"(received {taken} bytes, expected {length})"
                _broken(f"peer closed connection without sending complete message body {said}")
            part, self._rest = self._rest[: length - taken], self._rest[length - taken :]
            taken += len(part)
            yield part
        self._whole = keeps

    def _until_closed(self) -> Iterator[bytes]:
        while self._rest or self._more():
            part, self._rest = self._rest, b""
            yield part

    def _chunked(self, keeps: bool) -> Iterator[bytes]:
        while True:
            size = _CHUNK.fullmatch(self._line())
            if size is None:
                _broken("a chunk of the answer has no length")
            length = int(size[1], 16)
            if not length:
                break
            yield from self._counted(length, keeps=False)
            if self._line() != b"\r\n":
                _broken("a chunk of the answer is longer than it says")
        read = 0
        while (line := self._line()) not in (b"\r\n", b"\n"):
            read += len(line)
            if read > _HEAD_BYTES:
                _broken("the end of the answer is too long")
        self._whole = keeps

    def _line(self) -> bytes:
        while (end := self._rest.find(b"\n")) < 0:
            if len(self._rest) > _HEAD_BYTES:
                _broken("a line of the answer is too long")
            if not self._more():
                _broken("peer closed connection without sending complete message body (incomplete chunked read)")
        line, self._rest = self._rest[: end + 1], self._rest[end + 1 :]
        return line


def _left() -> float:
    seconds = left()
    if seconds is None:
        raise AssertionError("an exchange without an end")
    if seconds <= 0:
        raise httpx.ReadTimeout("the deadline of the whole exchange has passed")
    return seconds


def _plain(path: str) -> bool:
    return _TARGET.fullmatch(path) is not None and "#" not in path and not _DOTS.search(path)


def _text(head: bytes) -> str:
    for encoding in ("ascii", "utf-8"):
        try:
            return head.decode(encoding)
        except UnicodeDecodeError:
            continue
    return head.decode("latin-1")


def _broken(why: str) -> NoReturn:
    raise httpx.RemoteProtocolError(why)
