"""Names of folders and files, made safe: pure functions of addresses and of what the service or an archive says.

A name that leads out of its folder, or holds control characters, is no accident: the run is refused. One that is only
awkward (too long, reserved elsewhere, equal to another but for the case) is changed, for what was paid for must be
had; the provenance file keeps the original.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from reconciler.model.address import split_address

_PLAIN: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_.=,+-]*[a-z0-9_=,+-])?")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_AWKWARD: Final = re.compile(r'[<>:"|?*\\]')
_DRIVE: Final = re.compile("[A-Za-z]:")
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE | re.DOTALL)
_LONGEST_NAME: Final = 200  # bytes of one component; file systems take 255
_LONGEST_PATH: Final = 2000  # bytes
_DEEPEST: Final = 32
_READABLE: Final = 80  # characters of a folder's name, and bytes of it 120


class UnsafeName(Exception):
    """A name that is refused; its text says why."""


def folder_name(address: str) -> str:
    """The folder of an address: readable, and another one for each address, also where case does not count.

    ``run.eval`` and ``run.langs["de"]`` become ``run.eval`` and ``run.langs.de``; what is not lower case, not ASCII,
    too long or would need quotes is shortened to what can be read, with a hash of the whole: ``run.Eval~0e5dfc1b7ea3``.
    """
    name, key = split_address(address)
    plain = name if key is None else f"{name}.{key}"
    if len(plain) <= _READABLE and _PLAIN.fullmatch(plain) and key != "":
        return f"run.{plain}"
    return f"run.{_readable(plain)}~{short_digest(address)}"


def set_aside_name(folder: str, run_id: str) -> str:
    """Where the files of an earlier run of the same address are kept."""
    plain = len(run_id) <= _READABLE and _PLAIN.fullmatch(run_id)
    return f"{folder}@{run_id}" if plain else f"{folder}@{_readable(run_id)}~{short_digest(run_id)}"


def placed(listed: Iterable[str]) -> list[str]:
    """A relative path for each listed name, in the same order: none leads out of the folder, no two are one file on any
    file system. Raises UnsafeName.
    """
    files: dict[tuple[str, ...], None] = {}
    folders: dict[tuple[str, ...], None] = {}
    paths = []
    for number, name in enumerate(listed):
        parts = _parts(name)
        for depth in range(1, len(parts)):
            if _key(parts[:depth]) in files:  # a folder with the name of a file
                parts[depth - 1] = _hashed(parts[depth - 1], f"folder {parts[:depth]}")
        if _key(parts) in files or _key(parts) in folders:
            parts[-1] = _hashed(parts[-1], f"{number} {name}")
        key = _key(parts)
        files[key] = None
        folders |= {key[:depth]: None for depth in range(1, len(key))}
        paths.append("/".join(parts))
    return paths


def _parts(name: str) -> list[str]:
    shown = repr(name[:100])
    if _CONTROL.search(name):
        raise UnsafeName(f"the name {shown} holds control characters")
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        raise UnsafeName(f"the name {shown} is an absolute path")
    if ".." in re.split(r"[/\\]", name):
        raise UnsafeName(f"the name {shown} leads out of the folder")
    parts = [_component(part) for part in name.split("/") if part not in ("", ".")]
    if not parts or name.endswith("/"):
        raise UnsafeName(f"the name {shown} is not that of a file")
    if len(parts) > _DEEPEST or sum(len(part.encode()) + 1 for part in parts) > _LONGEST_PATH:
        raise UnsafeName(f"the name {shown} is too deep or too long")
    return parts


def _component(part: str) -> str:
    clean = _AWKWARD.sub("_", "".join("_" if unicodedata.category(c) == "Cf" else c for c in part))
    clean = re.sub(r"[. ]+$", "_", clean)
    awkward = _RESERVED.fullmatch(clean) or len(clean.encode()) > _LONGEST_NAME
    return clean if clean == part and not awkward else _hashed(clean, part)


def _hashed(part: str, whole: str) -> str:
    """``sample.txt`` to ``sample~0123456789ab.txt``, not too long."""
    stem, dot, ending = part.rpartition(".")
    if not stem or len(ending) > 10 or not ending.isascii():
        stem, dot, ending = part, "", ""
    return f"{_cut(stem, _LONGEST_NAME - 40)}~{short_digest(whole)}{dot}{ending}"


def _key(parts: list[str]) -> tuple[str, ...]:
    """Equal for paths that a file system may take for one."""
    return tuple(unicodedata.normalize("NFC", unicodedata.normalize("NFC", part).casefold()) for part in parts)


def _readable(text: str) -> str:
    clean = "".join(c if c.isalnum() or c in "_.=,+-" else "_" for c in unicodedata.normalize("NFC", text))
    return _cut(clean[:_READABLE], 120).rstrip(".")


def _cut(text: str, most_bytes: int) -> str:
    return text.encode()[:most_bytes].decode(errors="ignore")


def short_digest(text: str) -> str:
    """Twelve hexadecimal digits that tell texts apart."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
