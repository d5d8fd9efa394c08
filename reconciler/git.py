"""What git knows of a project: its commit, for provenance, and its files as another revision has them. Asks the ``git``
command, which runs no filter and no hook for this; a project without git is fine.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_SECONDS = 5.0
_SECONDS_TO_READ = 60.0  # many files
_LINK = "120000"  # the mode of a symbolic link
_LONGEST_HEADER = 10_000  # bytes: a path and a few words


# CI checks out a commit, not a branch, and says here what it is of; the branch of a pull request comes first.
_CI_BRANCHES = (
    "GITHUB_HEAD_REF",
    "GITHUB_REF_NAME",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
    "CI_COMMIT_REF_NAME",
    "BUILDKITE_BRANCH",
    "CIRCLE_BRANCH",
)
_LONGEST_BRANCH = 255  # characters; git's own names are no longer


class Git(NamedTuple):
    """A checkout: its commit, whether files of the project differ from it, its branch. None for what there is not."""

    commit: str | None = None
    dirty: bool | None = None
    branch: str | None = None


class Followed(NamedTuple):
    """What is known of files that are in no checkout of their own: the revision that they are of, and the project's
    name.
    """

    git: Git
    name: str


def git_state(root: Path, environ: Mapping[str, str] | None = None) -> Git:
    """The checkout that holds ``root``. ``environ`` tells the branch where CI has checked out a commit."""
    said = _git(root, "status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--", ".")
    if said is None:
        return Git()
    lines = said.splitlines()
    heads = dict(line.removeprefix("# branch.").split(" ", 1) for line in lines if line.startswith("# branch."))
    commit, branch = heads.get("oid"), heads.get("head")
    if branch in (None, "(detached)"):
        named = (environ or {}).get
        branch = next((value[:_LONGEST_BRANCH] for value in map(named, _CI_BRANCHES) if value), None)
    return Git(None if commit == "(initial)" else commit, any(not line.startswith("#") for line in lines), branch)


def project_name(root: Path) -> str:
    """A name of the project that is the same in every checkout: ``OWNER/REPOSITORY`` of the remote with the folder in
    it, else the folder's own name. Holds nothing of a password in the remote's address.
    """
    remote = _git(root, "config", "--get", "remote.origin.url")
    within = _git(root, "rev-parse", "--show-prefix")
    if not remote or within is None:
        return root.resolve().name
    return named_after(remote, within.strip())


def named_after(remote: str, folder: str) -> str:
    """The name of a project that is in a folder of a remote's repository."""
    owner_and_name = re.split("[/:]", remote.strip().rstrip("/").removesuffix(".git"))[-2:]
    return ":".join(["/".join(owner_and_name).rpartition("@")[2], *filter(None, [folder.rstrip("/")])])


def folder_in_repository(root: Path) -> str:
    """Where a project is within its repository: ``teams/evals``; empty at its top, and where there is none."""
    return (_git(root, "rev-parse", "--show-prefix") or "").strip().rstrip("/")


def commit_of(root: Path, revision: str) -> str | None:
    """The commit that a name stands for (``origin/main``, ``HEAD~1``); None where it stands for none here."""
    name = f"{revision}^{{commit}}"
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", name)
    return found.strip() if found else None


def trouble_with(root: Path) -> str:
    """Why git says nothing of a folder, in its own words; empty where it knows it."""
    try:
        done = subprocess.run(
            [*_command(root), "rev-parse", "--git-dir"], capture_output=True, encoding="utf-8",
            errors="backslashreplace", timeout=_SECONDS, check=False, env=_environment(),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"git can't be run: {problem}"
    return done.stderr.strip() if done.returncode != 0 else ""


def links_at(root: Path, commit: str, *paths: str) -> list[str]:
    """Which of these paths are symbolic links in a commit."""
    listed = _git(root, "ls-tree", "-z", commit, "--", *paths) or ""
    return [entry.partition("\t")[2] for entry in listed.split("\0") if entry.startswith(_LINK)]


def files_at(root: Path, commit: str, *paths: str, suffix: str = "") -> dict[str, bytes]:
    """The regular files of a commit below these paths (relative to ``root``), and links to such within the repository,
    by path relative to ``root``; ``suffix``: only those that are called so. Raises OSError where git can't tell.
    """
    listed = _git(root, "ls-tree", "-r", "-z", commit, "--", *paths)
    if listed is None:
        raise OSError(f"git can't list the files of {commit}")
    entries = [entry.partition("\t") for entry in listed.split("\0") if entry]  # mode, type, id; path
    # Paths with a line end can't be asked for one a line; they name no declarations either. Submodules are no files.
    asked = {
        name: f"{commit}:./{name}" if about.startswith(_LINK) else about.split(" ")[2]
        for about, _, name in entries
        if " blob " in about and "\n" not in name and name.endswith(suffix)
    }
    wanted = "".join(f"{one}\n" for one in asked.values()).encode("utf-8", "surrogateescape")
    try:
        done = subprocess.run(
            [*_command(root), "cat-file", "--batch", "--follow-symlinks"],
            input=wanted, capture_output=True, timeout=_SECONDS_TO_READ, check=False, env=_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise OSError(f"git did not read the files of {commit} within {_SECONDS_TO_READ:.0f} s") from None
    if done.returncode != 0:
        raise OSError(f"git can't read the files of {commit}; where a clone left contents out, fetch them first")
    found: dict[str, bytes] = {}
    at = 0
    for name in asked:
        header, _, _ = done.stdout[at : at + _LONGEST_HEADER].partition(b"\n")
        at += len(header) + 1
        said = header.split(b" ")
        if said[-1] == b"missing":  # the words before are what was asked for, whatever it looks like
            raise OSError(f"git does not have {name} of {commit}")
        if said[0] in (b"symlink", b"dangling", b"loop", b"notdir"):
            at += int(said[1]) + 1  # a link that leads out of the repository, or nowhere
        else:
            size = int(said[2])
            if said[1] == b"blob":
                found[name] = done.stdout[at : at + size]
            at += size + 1
    return found


def content_at(root: Path, commit: str, path: str) -> bytes | None:
    """One file of a commit (``path`` relative to ``root``, also out of it); None where it has none, or is of another
    repository.
    """
    try:
        return next(iter(files_at(root, commit, path).values()), None)
    except OSError:
        return None


def is_tracked(root: Path, path: str) -> bool:
    """Whether a file belongs to the checkout that ``root`` is in."""
    return bool(_git(root, "--literal-pathspecs", "ls-files", "--", path))


def _git(root: Path, *arguments: str) -> str | None:
    """What a git command prints; None where it fails."""
    try:
        done = subprocess.run(
            [*_command(root), *arguments], capture_output=True, encoding="utf-8", errors="surrogateescape",
            timeout=_SECONDS, check=False, env=_environment(),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _command(root: Path) -> list[str]:
    """The start of a command that runs nothing and writes nothing. A branch may bring files that look like a bare
    repository, whose configuration names commands; and a look takes no lock that somebody's commit needs.
    """
    safe = ("safe.bareRepository=explicit", "core.fsmonitor=false")
    return ["git", "--no-optional-locks", *(word for value in safe for word in ("-c", value)), "-C", str(root)]


def _environment() -> dict[str, str]:
    """Nobody is there to be asked for a password."""
    return {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
