"""A branch of a git remote, which nobody trusts: what it holds is read as objects, and never checked out or run.

git runs no hook, filter or monitor for any of this, follows no redirect and no submodule, and speaks only the protocol
of the operator's own URL. The operator's configuration of git counts, since credentials and keys are in it; that of a
repository that the process happens to stand in does not. Every command has a time, and may write only so much; its
whole process group ends with it.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from reconciler.config.load import MAX_BYTES, ROOT_FILE
from reconciler.watching.place import BRANCH, Place, RemoteError, address_of, environment

_REF: Final = "refs/reconciler/followed"
_WATCHED: Final = ("runs", "environments")
_SEARCHED: Final = "runs/"  # with all folders in it
_POLL_SECONDS: Final = 0.02
_MOST_SAID: Final = 64 * 1024 * 1024  # bytes that a command may print: names of files, and their contents
_LONGEST_PATH: Final = 1_000
_LONGEST_NAME: Final = 255  # bytes: more, and no file can be called so
_LINK: Final = "120000"  # the mode of a symbolic link
_MEMORY: Final = 2 * 1024**3  # bytes: a delta of a few bytes may stand for an object of any size
_SAFE: Final = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.askPass=true", "core.bigFileThreshold=1m",
    "http.followRedirects=false", "fetch.recurseSubmodules=false", "transfer.fsckObjects=true",
    "transfer.bundleURI=false", "fetch.unpackLimit=1", "gc.auto=0", "maintenance.auto=false", "pack.threads=1",
)  # fmt: skip


class SourceRefused(Exception):
    """A revision whose declarations are not taken. ``problems``: a line each, with file, line and column if any."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__(problems[0])


class Remote:
    """Uses one folder, which it makes anew for each commit that it fetches: it never grows."""

    def __init__(self, place: Place, folder: Path, interruption: Callable[[], str] = str) -> None:
        self._place = place
        self._folder = folder
        self._interruption = interruption  # a text ends the command that is at work
        if not BRANCH.fullmatch(place.branch):
            raise RemoteError(f"{place.branch!r} can't be the name of a branch")
        self._address = address_of(place.url)

    def newest(self) -> str:
        """The branch's newest commit. Raises RemoteError."""
        ref = f"refs/heads/{self._place.branch}"
        said = self._git("ls-remote", "--refs", "--", self._address.shown, ref).decode("utf-8", "replace")
        found = [line.partition("\t") for line in said.splitlines()]
        commits = [commit for commit, _, name in found if name == ref and re.fullmatch("[0-9a-f]{40,64}", commit)]
        if not commits:
            raise RemoteError(f"the remote has no branch {self._place.branch}. Nothing is done until it has one again")
        return commits[0]

    def fetch(self, commit: str) -> None:
        """Bring this commit, the branch's newest one, alone. Raises RemoteError."""
        try:
            self._fetch(commit)
        except BaseException:  # what is half there, or too large, is not kept until the next commit
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _fetch(self, commit: str) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, mode=0o700)
        self._git("init", "--quiet", "--bare", "--template=", "--object-format=sha1", str(self._folder))
        self._git(
            *self._inside, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules",
            "--no-write-fetch-head", "--", self._address.shown, f"+refs/heads/{self._place.branch}:{_REF}",
        )  # fmt: skip
        found = self._git(*self._inside, "rev-parse", "--verify", "--quiet", f"{_REF}^{{commit}}").decode().strip()
        if found != commit:
            raise RemoteError("the branch moved on while it was fetched")

    def files(self, commit: str) -> dict[str, bytes]:
        """reconciler.toml, and what is called ``*.toml`` below runs/ and environments/, by path in the project.

        Raises RemoteError; SourceRefused for what is too much, and for links.
        """
        prefix = f"{self._place.folder}/" if self._place.folder else ""
        asked = [f"{prefix}{name}" for name in (ROOT_FILE, *_WATCHED)]
        listed = self._git(*self._inside, "--literal-pathspecs", "ls-tree", "-r", "-z", "-l", commit, "--", *asked)
        wanted: dict[str, str] = {}
        called: dict[str, str] = {}
        size = 0
        for entry in listed.split(b"\0"):
            about, _, raw = entry.partition(b"\t")
            name = raw.decode("utf-8", "surrogateescape").removeprefix(prefix)
            if not name:
                continue
            mode, kind, key, length = about.decode().split()
            # Where declarations may be that can't be seen, the runs of before would seem to be withdrawn.
            if kind != "blob" or (mode == _LINK and (name in _WATCHED or name.startswith(_SEARCHED))):
                raise SourceRefused(f"{name!r}: it is a link or a submodule, which is not followed")
            if not name.endswith(".toml"):
                continue
            if mode == _LINK:
                raise SourceRefused(f"{name!r}: it is a link, which is not followed. Put the file itself there")
            if len(raw) > _LONGEST_PATH or not _is_name(name):
                raise SourceRefused(f"{name[:100]!r}: it has no usable name")
            if int(length) > MAX_BYTES:
                raise SourceRefused(f"{name}: it has more than 8 MiB, which is the most")
            folded = unicodedata.normalize("NFC", name).casefold()
            if (other := called.setdefault(folded, name)) != name:
                raise SourceRefused(f"{other!r} and {name!r} are one file on some systems: rename one of them")
            wanted[name] = key
            size += int(length)
            if len(wanted) > self._place.max_files or size > min(self._place.max_bytes, _MOST_SAID // 2):
                raise SourceRefused(f"{name}: with it, there are too many files, or they are too large")
        keys = "".join(f"{key}\n" for key in wanted.values()).encode()
        said = self._git(*self._inside, "cat-file", "--batch", given=keys)
        found: dict[str, bytes] = {}
        at = 0
        for name in wanted:
            end = said.index(b"\n", at)
            header = said[at:end].split()
            if len(header) != 3 or header[1] != b"blob":
                raise RemoteError(f"git can't read {name} of {commit}")
            found[name] = said[end + 1 : end + 1 + int(header[2])]
            at = end + 2 + int(header[2])
        return found

    @property
    def _inside(self) -> tuple[str, ...]:
        return ("--git-dir", str(self._folder))

    def _git(self, *arguments: str, given: bytes = b"") -> bytes:
        """What a command prints. Raises RemoteError."""
        command = ["git", *(word for value in _SAFE for word in ("-c", value)), *arguments]
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as words, tempfile.TemporaryFile() as stdin:
            stdin.write(given)
            stdin.seek(0)
            try:
                process = subprocess.Popen(
                    command, stdin=stdin, stdout=said, stderr=words, env=environment(self._address), cwd="/",
                    start_new_session=True,
                )  # fmt: skip
            except OSError as problem:
                raise RemoteError(f"git can't be run: {problem}") from None
            _limit(process)
            try:
                why = self._await(process, "fetch" in arguments, said, words)
            finally:
                _end(process)
            if why:
                raise RemoteError(why)
            if process.returncode != 0:
                words.seek(0)
                told = words.read(2_000).decode("utf-8", "replace").strip().replace("\n", " ")
                raise RemoteError(self._address.concealed(told) or f"git ended with {process.returncode}")
            said.seek(0)
            return said.read()

    def _await(self, process: subprocess.Popen[bytes], grows: bool, *outputs: IO[bytes]) -> str:
        """Wait for the end of a command; why it may not go on, or an empty text."""
        end = time.monotonic() + self._place.timeout
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SECONDS)
                return ""
            if reason := self._interruption():
                return f"git was ended by {reason}"
            if time.monotonic() > end:
                return f"git did not end within {self._place.timeout:g} s"
            if any(os.fstat(output.fileno()).st_size > _MOST_SAID for output in outputs):
                return "git says too much: the repository has too many files or references"
            if grows and _size(self._folder) > self._place.max_bytes:
                return f"the repository is larger than [source] max_bytes, {self._place.max_bytes:,}"


def _is_name(name: str) -> bool:
    """Whether every system can have such a file, and nothing else is meant by it."""
    parts = name.split("/")
    return (
        all(part not in ("", ".", "..") and len(os.fsencode(part)) <= _LONGEST_NAME for part in parts)
        and not any(part.endswith(".toml") for part in parts[:-1])  # now a folder, then a file
        and not any("\udc80" <= character <= "\udcff" or character < " " for character in name)
    )


def _limit(process: subprocess.Popen[bytes]) -> None:
    """The memory of a command and of those that it starts, where the system can do that."""
    if sys.platform == "linux":
        with suppress(OSError, ValueError):
            resource.prlimit(process.pid, resource.RLIMIT_DATA, (_MEMORY, _MEMORY))


def _size(folder: Path) -> int:
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(where, name)).st_size
    return total


def _end(process: subprocess.Popen[bytes]) -> None:
    """The whole group: git starts helpers. As process 1 of a container we inherit them, and bury them."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-process.pid, 0)
