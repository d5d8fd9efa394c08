"""What a run lists of its files, and where each of them goes."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from reconciler.dataframer.parse import usable_id
from reconciler.downloading.names import placed
from reconciler.downloading.provenance import FileRecord
from reconciler.model.run import Run


class Listed(Struct, frozen=True):
    """A file that the run lists, and where it goes."""

    file_id: str
    name: str
    path: str
    size: int | None
    file_type: str | None


def as_listed(wanted: Listed, found: FileRecord | None) -> FileRecord | None:
    """A file of the archive as the run lists it, or None where it is another one."""
    if found is None or found.listed_as != wanted.name or wanted.size not in (None, found.size_bytes):
        return None
    return replace(found, file_id=wanted.file_id, file_type=wanted.file_type)


def listed(run: Run) -> Sequence[Listed]:
    """The files that a run lists, each with its place; none where one of them can't be asked for. Raises UnsafeName."""
    found = []
    for one in run.generated_files or ():
        file_id, name, size = one.get("id"), one.get("path"), one.get("size_bytes")
        if not usable_id(file_id) or not isinstance(name, str):
            return ()
        kind = one.get("file_type")
        whole = isinstance(size, int) and not isinstance(size, bool) and size >= 0
        found.append((name, file_id, size if whole else None, kind if isinstance(kind, str) else None))
    found.sort(key=lambda item: item[:2])  # the order of the list may differ from call to call, the places may not
    paths = placed(name for name, *_ in found)
    return [Listed(i, name, path, size, kind) for (name, i, size, kind), path in zip(found, paths, strict=True)]
