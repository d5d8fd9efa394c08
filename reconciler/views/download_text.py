"""What a download tells, as lines for people."""

from __future__ import annotations

from msgspec import Struct, field

from reconciler.model.downloads import DownloadEvent, Failed, Fetched, Fetching, Gained, Kept, Noted
from reconciler.views.paint import Paint

_UNITS = ("B", "kB", "MB", "GB", "TB")


def size_text(size: int) -> str:
    """``512 B``, ``1.5 kB``, ``23.0 MB``: powers of 1,000."""
    value, unit = float(size), 0
    while value >= 999.95 and unit + 1 < len(_UNITS):
        value, unit = value / 1000, unit + 1
    return f"{size:,} B" if unit == 0 else f"{value:,.1f} {_UNITS[unit]}"


def files_text(files: int) -> str:
    """``1 file``, ``2 files``."""
    return f"{files:,} file{'' if files == 1 else 's'}"


def download_line(event: DownloadEvent, paint: Paint) -> str | None:
    """One line, or None for what is not worth one."""
    match event:
        case Kept():
            return f"{event.address}: all there ({files_text(event.files)}, {size_text(event.size)})"
        case Fetching(files=0, size=None):
            return f"{event.address}: waiting for the service to pack its archive"
        case Fetching(files=0):
            return f"{event.address}: fetching its archive ({size_text(event.size or 0)})"
        case Fetching():
            size = f" ({size_text(event.size)})" if event.size is not None else ""
            return f"{event.address}: fetching {files_text(event.files)}{size}"
        case Fetched():
            done = f"{files_text(event.files)}, {size_text(event.size)}"
            return f"{event.address}: {paint('fetched', 'green')} {done} into {event.folder}"
        case Noted():
            return f"{event.address}: {event.text}"
        case Failed():
            return f"{paint('error', 'red', 'bold')}: {event.address}: {event.why}"
        case Gained():
            return None


class Tally(Struct):
    """Counts what happened."""

    kept: int = 0
    fetched: int = 0
    files: int = 0
    size: int = 0
    failed: list[str] = field(default_factory=list)

    def count(self, event: DownloadEvent) -> None:
        """Take an event."""
        match event:
            case Kept():
                self.kept += 1
            case Fetched():
                self.fetched += 1
                self.files += event.files
                self.size += event.size
            case Failed():
                self.failed.append(event.address)

    def summary(self) -> str:
        """``Download complete: 2 runs fetched (42 files, 1.2 MB), 3 were there already, 1 failed (run.x).``"""
        said = []
        if self.fetched:
            runs = f"{self.fetched:,} run{'' if self.fetched == 1 else 's'}"
            said.append(f"{runs} fetched ({files_text(self.files)}, {size_text(self.size)})")
        if self.kept:
            said.append(f"{self.kept:,} {'was' if self.kept == 1 else 'were'} there already")
        if self.failed:
            named = ", ".join(sorted(self.failed)[:5]) + (", …" if len(self.failed) > 5 else "")
            said.append(f"{len(self.failed):,} failed ({named})")
        state = "incomplete" if self.failed else "complete"
        return f"Download {state}: {', '.join(said)}." if said else "Nothing to download."
