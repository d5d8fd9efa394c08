"""What a download wants, and what it tells: values."""

from __future__ import annotations

from msgspec import Struct


class Kept(Struct, frozen=True):
    """Every file of the run is there already; nothing was asked for."""

    address: str
    folder: str
    files: int
    size: int  # bytes


class Fetching(Struct, frozen=True):
    """The files of a run are about to be fetched. ``size`` in bytes, None where the service does not say it."""

    address: str
    files: int
    size: int | None


class Gained(Struct, frozen=True):
    """So many bytes more of a run are there; negative where a file is begun anew."""

    address: str
    size: int


class Fetched(Struct, frozen=True):
    """The run is whole, in ``folder``; ``files`` of them and ``size`` bytes were missing before."""

    address: str
    folder: str
    files: int
    size: int


class Noted(Struct, frozen=True):
    """Something worth a line that stops nothing."""

    address: str
    text: str


class Failed(Struct, frozen=True):
    """This run is not there; the others go on."""

    address: str
    why: str


DownloadEvent = Kept | Fetching | Gained | Fetched | Noted | Failed
