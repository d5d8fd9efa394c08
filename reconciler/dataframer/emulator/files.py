"""What a finished run has made: its files, the archive, and signed links to both.

Nothing is stored: every byte follows from the run, so a link gives the same bytes each time, in any process. Only the
archive changes once, when the run is graded; its ETag tells.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from functools import lru_cache
from urllib.parse import urlencode

from msgspec import Struct

from reconciler.dataframer.emulator.evaluations import Evaluations, mood
from reconciler.dataframer.emulator.life import Pace, Progress, StoredRun
from reconciler.dataframer.emulator.messages import ApiRequest, ApiResponse, Json, Problem, json_answer
from reconciler.dataframer.emulator.runs import Runs
from reconciler.dataframer.emulator.storage import Storage

LINK_SECONDS = 3600
# Larger runs get this many text files, and one with a line for every sample.
MOST_TEXT_FILES = 20
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class MadeFile(Struct, frozen=True):
    """One output file of a run."""

    id: str
    path: str
    file_type: str
    content: bytes


class Files:
    """The download calls, and the storage behind their links; each raises `Problem` for what it refuses."""

    def __init__(
        self, storage: Storage, runs: Runs, evaluations: Evaluations, clock: Callable[[], float], pace: Pace
    ) -> None:
        self._key = storage.secret()
        self._runs = runs
        self._evaluations = evaluations
        self._clock = clock
        self._pace = pace

    def archive_link(self, run_id: str, origin: str) -> ApiResponse:
        """202 while the archive is packed, then 200 with its link; 400 for a run that is not over."""
        run = self._finished(run_id)[0]
        if self._clock() < self._runs.start_packing(run) + self._pace.packing:
            return json_answer(202, {})
        link = self._link(origin, f"/storage/runs/{run.id}/archive.zip")
        return json_answer(200, {"download_url": link, "size_bytes": len(self._archive(run.id))})

    def file_link(self, run_id: str, file_id: str, origin: str) -> Json:
        made = self._file(run_id, file_id)
        link = self._link(origin, f"/storage/runs/{run_id.lower()}/files/{made.id}")
        return {"download_url": link, "filename": made.path, "content_type": made.file_type}

    def stored_archive(self, request: ApiRequest, run_id: str) -> ApiResponse:
        self._check_link(request)
        return _content(request, self._archive(run_id), "application/zip", f"{run_id}.zip")

    def stored_file(self, request: ApiRequest, run_id: str, file_id: str) -> ApiResponse:
        self._check_link(request)
        made = self._file(run_id, file_id)
        return _content(request, made.content, made.file_type, made.path)

    def _finished(self, run_id: str) -> tuple[StoredRun, Progress]:
        run, now = self._runs.find(run_id)
        if not now.is_final:
            raise Problem(400, f"The run has no files yet; it is {now.status}.")
        return run, now

    def _file(self, run_id: str, file_id: str) -> MadeFile:
        for made in made_files(*self._finished(run_id)):
            if made.id == file_id:
                return made
        raise Problem(404, "The run has no such file.")

    def _archive(self, run_id: str) -> bytes:
        run, now = self._finished(run_id)
        files = made_files(run, now)
        content = {made.path: made.content for made in files}
        if self._evaluations.is_graded(run.id):
            for index, made in enumerate(files[:MOST_TEXT_FILES], start=1):
                content[f"{made.path}.metadata"] = json.dumps({"mood": mood(run.id, index)}).encode()
            content["top_level.metadata"] = json.dumps({"run_id": run.id, "samples": now.completed}).encode()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(content):
                archive.writestr(zipfile.ZipInfo(path, _ZIP_DATE), content[path], zipfile.ZIP_DEFLATED)
        return packed.getvalue()

    def _link(self, origin: str, path: str) -> str:
        expires = str(int(self._clock()) + LINK_SECONDS)
        return f"{origin}{path}?" + urlencode({"signature": self._signature(path, expires), "expires": expires})

    def _signature(self, path: str, expires: str) -> str:
        return hmac.new(self._key, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()

    def _check_link(self, request: ApiRequest) -> None:
        expires = request.query.get("expires", "")
        expected = self._signature(request.path, expires)
        if not hmac.compare_digest(expected.encode(), request.query.get("signature", "").encode()):
            raise Problem(403, "The signature of this link is wrong.")
        if self._clock() >= int(expires):
            raise Problem(403, "This link has expired.")


def made_files(run: StoredRun, now: Progress) -> tuple[MadeFile, ...]:
    """Every file of a run, in order; none until it is over."""
    if not now.is_final:
        return ()
    return _written(run.id, f"{run.spec_name} v{run.spec_version}", run.samples, now.completed)


# Whoever polls a finished run asks for the same files again and again.
@lru_cache(maxsize=16)
def _written(run_id: str, title: str, samples: int, completed: int) -> tuple[MadeFile, ...]:
    content = [
        f"{title}, sample {index} of {samples}: a {mood(run_id, index)} customer.\n"
        for index in range(1, completed + 1)
    ]
    texts = [
        MadeFile(f"file-{index:04}", f"sample_{index}.txt", "text/plain", text.encode())
        for index, text in enumerate(content[:MOST_TEXT_FILES], start=1)
    ]
    if completed > MOST_TEXT_FILES:
        lines = (json.dumps({"sample": index, "text": text}) for index, text in enumerate(content, start=1))
        whole = "".join(f"{line}\n" for line in lines).encode()
        texts.append(MadeFile(f"file-{len(texts) + 1:04}", "samples.jsonl", "application/x-ndjson", whole))
    return tuple(texts)


def shown_files(run: StoredRun, now: Progress) -> list[Json]:
    """A run's files as the run shows them."""
    return [
        {"id": made.id, "path": made.path, "file_type": made.file_type, "size_bytes": len(made.content)}
        for made in made_files(run, now)
    ]


def _content(request: ApiRequest, content: bytes, content_type: str, filename: str) -> ApiResponse:
    """Answer with the content, or the single range of it that was asked for; several ranges get the whole."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {
        "content-type": content_type,
        "content-disposition": f'attachment; filename="{filename}"',
        "accept-ranges": "bytes",
        "etag": etag,
    }
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if found is None or found.groups() == ("", "") or not _is_current(request.headers, etag):
        return ApiResponse(200, headers, content)
    first, last = found.groups()
    size = len(content)
    if first:
        start, end = int(first), min(int(last) if last else size - 1, size - 1)
    else:
        start, end = max(size - int(last), 0), size - 1
    if start > end:
        raise Problem(416, "The range lies outside of the file.", headers={"content-range": f"bytes */{size}"})
    return ApiResponse(206, {**headers, "content-range": f"bytes {start}-{end}/{size}"}, content[start : end + 1])


def _is_current(headers: Mapping[str, str], etag: str) -> bool:
    return headers.get("if-range", etag) == etag
