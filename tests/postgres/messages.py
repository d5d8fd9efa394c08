"""PostgreSQL's protocol as far as proxies need it: where a message begins and ends, and a few messages to make.

A message is a type of one byte, a length of four that counts itself and what follows, and the rest. What a client sends
first has no type; it may be several such: a wish for encryption (answered with one byte), then the start proper.
Source: "Message Formats" in PostgreSQL's documentation of its frontend/backend protocol, version 3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102
VERSION_3 = 3 << 16


class Splitter:
    """Cuts a stream into whole messages. ``started``: no message without a type comes (any more)."""

    def __init__(self, *, started: bool) -> None:
        self.started = started
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that are complete with ``data``. Set ``started`` in between, when the start proper was one."""
        self._rest += data
        while True:
            head = 1 if self.started else 0
            if len(self._rest) < head + 4:
                return
            (length,) = struct.unpack_from("!i", self._rest, head)
            if len(self._rest) < head + length:
                return
            message = bytes(self._rest[: head + length])
            del self._rest[: head + length]
            yield message

    @property
    def rest(self) -> bytes:
        """What was fed and is no whole message yet."""
        return bytes(self._rest)


def code(first: bytes) -> int:
    """What a message without a type asks for: one of the numbers above, or a protocol version."""
    (number,) = struct.unpack_from("!i", first, 4)
    return int(number)


def is_start(first: bytes) -> bool:
    """Whether a message without a type is the start proper, after which every message has a type."""
    return code(first) >> 16 == 3


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def ssl_request() -> bytes:
    return struct.pack("!ii", 8, SSL_REQUEST)


def cancel_request(key: bytes) -> bytes:
    """``key``: the body of a BackendKeyData message (process number and secret)."""
    return struct.pack("!ii", 8 + len(key), CANCEL_REQUEST) + key


def start(parameters: Mapping[str, str]) -> bytes:
    body = b"".join(text.encode() + b"\0" for item in parameters.items() for text in item) + b"\0"
    return struct.pack("!ii", 8 + len(body), VERSION_3) + body


def parameters(first: bytes) -> dict[str, str]:
    """The parameters of a start proper."""
    words = [word.decode() for word in first[8:-1].split(b"\0")]  # the last byte ends the list
    return dict(zip(words[0::2], words[1::2], strict=False))  # after the last value comes one more word, empty


def error(sqlstate: str, text: str, severity: str = "FATAL") -> bytes:
    fields = {"S": severity, "V": severity, "C": sqlstate, "M": text}
    return message(b"E", b"".join(f"{key}{value}".encode() + b"\0" for key, value in fields.items()) + b"\0")
