"""Archives, good and wicked. Each is a function that gives its bytes."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping

Change = Callable[[zipfile.ZipInfo], None]


def packed(files: Mapping[str, bytes] | Iterable[tuple[str, bytes]], change: Change = lambda entry: None) -> bytes:
    """A ZIP of these files; ``change`` may spoil each entry before it is written."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items() if isinstance(files, Mapping) else files:
            entry = zipfile.ZipInfo("x")
            entry.filename, entry.compress_type = name, zipfile.ZIP_DEFLATED
            change(entry)
            archive.NameToInfo.clear()  # which would warn of two alike
            archive.writestr(entry, content)
    return out.getvalue()


def _link(entry: zipfile.ZipInfo) -> None:
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16


def _device(entry: zipfile.ZipInfo) -> None:
    entry.external_attr = (stat.S_IFCHR | 0o666) << 16


def _method(entry: zipfile.ZipInfo) -> None:
    entry.compress_type = zipfile.ZIP_LZMA


def spoiled(data: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    """The bytes at an offset of every record with a signature, replaced."""
    found = bytearray(data)
    at = found.find(signature)
    assert at >= 0
    while at >= 0:
        found[at + offset : at + offset + len(value)] = value
        at = found.find(signature, at + 4)
    return bytes(found)


def encrypted() -> bytes:
    """Both flags say so."""
    flags = struct.pack("<H", 1)
    return spoiled(spoiled(packed({"a": b"x"}), b"PK\x01\x02", 8, flags), b"PK\x03\x04", 6, flags)


def lying(size: int, content: bytes = b"\0" * 100_000) -> bytes:
    """It says another size than it has, in both headers."""
    said = struct.pack("<L", size)
    return spoiled(spoiled(packed({"a": content}), b"PK\x01\x02", 24, said), b"PK\x03\x04", 22, said)


def zeros(size: int) -> bytes:
    """A bomb of this many bytes, packed 1,000 times."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros", "w") as file:
        for _ in range(size // 2**20):
            file.write(b"\0" * 2**20)
    return out.getvalue()


def overlapping(times: int) -> bytes:
    """Many entries that are all the same bytes: small to fetch, large to unpack."""
    one = packed({"a": b"\0" * 10_000_000})
    end = one.rfind(b"PK\x05\x06")
    start = one.find(b"PK\x01\x02")
    entry = one[start:end]
    tail = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, times, times, len(entry) * times, start, 0)
    return one[:start] + entry * times + tail


def endless_directory() -> bytes:
    """Its list of entries is said to be as long as it can be."""
    return spoiled(packed({"a": b"x"}), b"PK\x05\x06", 12, struct.pack("<L", 0xFFFFFFF0))


def endless_directory_64() -> bytes:
    """Likewise, in the numbers of a large archive."""
    one = packed({"a": b"x"})
    end = one.rfind(b"PK\x05\x06")
    longer = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 2**40, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    return one[:end] + longer + locator + one[end:]


WICKED: dict[str, tuple[Callable[[], bytes], str]] = {
    "up": (lambda: packed({"fine": b"x", "../evil": b"x"}), "leads out"),
    "up, later": (lambda: packed({"a/../../evil": b"x"}), "leads out"),
    "up, as Windows has it": (lambda: packed({"a\\..\\..\\evil": b"x"}), "leads out"),
    "up, a folder": (lambda: packed({"../evil/": b""}), "leads out"),
    "absolute": (lambda: packed({"/tmp/evil": b"x"}), "absolute"),
    "a drive": (lambda: packed({"C:\\evil": b"x"}), "absolute"),
    "a link": (lambda: packed({"evil": b"/etc/passwd"}, _link), "symbolic link"),
    "a link that poses as a folder": (lambda: packed({"evil/": b"/etc"}, _link), "symbolic link"),
    "a device": (lambda: packed({"evil": b""}, _device), "no file at all"),
    "an escape": (lambda: packed({"\x1b[2Jevil": b"x"}), "control characters"),
    "a NUL": (lambda: spoiled(packed({"evil/Z.txt": b"x"}), b"evil/", 5, b"\0"), "control characters"),
    "encrypted": (encrypted, "refused: 'a' is encrypted"),
    "another method": (lambda: packed({"a": b"x"}, _method), "not known here"),
    "10 GB of zeros": (lambda: lying(4_000_000_000, b"\0" * 10_000_000), "would become 4,000,000,000"),
    "zeros": (lambda: zeros(100 * 2**20), "would become 104,857,600"),
    "overlapping": (lambda: overlapping(200), "would become 2,000,000,000"),
    "says it is longer": (lambda: lying(100_001), "not as long as it says"),
    "says it is shorter": (lambda: lying(10), "Bad CRC"),
    "another name within": (
        lambda: spoiled(packed({"aaaa": b"x"}), b"PK\x03\x04", 30, b"evil"), "differ",
    ),
    "wrong bytes": (lambda: spoiled(packed({"a": b"x" * 99}), b"PK\x03\x04", 32, b"\xff\xff"), "damaged"),
    "cut": (lambda: packed({"a": b"x" * 99})[:-30], "no end"),
    "no archive": (lambda: b"<html>not a zip</html>", "no end"),
    "nothing": (lambda: b"", "no end"),
    "endless directory": (endless_directory, "bytes of entries"),
    "endless directory, 64 bits": (endless_directory_64, "bytes of entries"),
}  # fmt: skip
