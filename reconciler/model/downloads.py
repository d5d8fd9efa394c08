"""What a download wants, and what it tells: values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """Every file of the run is there already; nothing was asked for."""

    address: str
    folder: str
    files: int
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Fetching:
    """The files of a run are about to be fetched. ``size`` in bytes, None where the service does not say it."""

    address: str
    files: int
    size: int | None


@dataclass(frozen=True, slots=True)
class Gained:
    """So many bytes more of a run are there; negative where a file is begun anew."""

    address: str
    size: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """The run is whole, in ``folder``; ``files`` of them and ``size`` bytes were missing before."""

    address: str
    folder: str
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Noted:
    """Something worth a line that stops nothing."""

    address: str
    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """This run is not there; the others go on."""

    address: str
    why: str


DownloadEvent = Kept | Fetching | Gained | Fetched | Noted | Failed
