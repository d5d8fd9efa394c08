"""The checkout that a project is in, and what another of its revisions declares."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from reconciler.config.load import ROOT_FILE
from reconciler.config.validate import Desired
from reconciler.config.variables import Given
from reconciler.git import (
    commit_of,
    content_at,
    files_at,
    folder_in_repository,
    git_state,
    is_tracked,
    links_at,
    trouble_with,
)
from reconciler.model.diagnostics import errors
from reconciler.model.errors import ConfigurationError, UsageError
from reconciler.model.plan import Revision
from reconciler.project import check_project


class Base(Struct, frozen=True):
    """What a revision declares. ``trouble``: why nothing can be said of it, in words; empty where all is well."""

    name: str
    commit: str
    desired: Desired | None
    trouble: str = ""


def revision_of(root: Path, base: Base | None = None) -> Revision:
    """The checkout of a project."""
    commit, dirty, _ = git_state(root)
    return Revision(commit, dirty, base.commit if base else None, folder_in_repository(root))


def declared_at(root: Path, name: str, environ: Mapping[str, str], given: Given) -> Base:
    """What the project declares at a revision (``origin/main``), read with git and nothing else. Variables have the
    values of now, save those from files of the repository. Raises UsageError where git knows no such revision.
    """
    commit = commit_of(root, name)
    if commit is None:
        raise UsageError(_no_revision(root, name))
    try:
        files = files_at(root, commit, ROOT_FILE, "runs", "environments", suffix=".toml")
    except OSError as problem:
        raise UsageError(f"--base {name}: {problem}.") from None
    if ROOT_FILE not in files:
        return Base(name, commit, None, f"{name} has no {ROOT_FILE} here: everything is new")
    if links := links_at(root, commit, "runs", "environments"):  # a checkout follows them
        return Base(name, commit, None, f"{name} has {links[0]} as a link, so nothing is compared with it")
    # As files, so that they are read by the same code, with the same bounds. Nothing else of the revision is there.
    with tempfile.TemporaryDirectory(prefix="reconciler-base-") as folder:
        for path, content in files.items():
            target = Path(folder, "project", path)
            if ".." in target.parts:  # git itself makes no such names, and checks none out
                raise UsageError(f"--base {name}: {path} leads out of the project.")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        try:
            values = _values_at(root, commit, given.files, Path(folder))
            told = replace(_known_to(files[ROOT_FILE], given), files=values)
            desired = check_project(Path(folder, "project"), environ, told)
        except ConfigurationError as problem:
            return Base(name, commit, None, f"{name} can't be compared with: {problem.diagnostics[0].detail}")
    if found := errors(desired.diagnostics):
        where = f"{found[0].source}: " if found[0].source else ""
        first = f"{where}{found[0].summary}"
        return Base(name, commit, None, f"{name} has errors ({first}), so nothing is compared with it")
    return Base(name, commit, desired)


def _values_at(root: Path, commit: str, files: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """The files of variables' values as a commit has them, written to a folder: a branch may change them. One that git
    does not know, then and now, is no branch's, and counts as it is.
    """
    found: list[Path] = []
    for number, file in enumerate(files):
        path = os.path.relpath(os.path.realpath(file), os.path.realpath(root))
        content = content_at(root, commit, path)
        if content is not None:
            found.append(folder / f"{number}-{file.name}")
            found[-1].write_bytes(content)
        elif not is_tracked(root, path):
            found.append(file)
    return tuple(found)


def _no_revision(root: Path, name: str) -> str:
    if why := trouble_with(root):
        return f"--base {name}: {why.rstrip('.')}. Without --base, it is planned all the same."
    if not name.strip():
        return "--base is empty: name a revision, such as origin/main. Is the variable that it comes from set?"
    # A shallow clone maps no other branch, so a plain `git fetch origin main` would leave origin/main unknown.
    return (
        f"--base {name}: git knows no such revision here. A shallow clone has the newest commit of one branch only: "
        "fetch the base too (`git fetch --depth 1 origin main:refs/remotes/origin/main`; in CI, check out the whole "
        "history), then name it: --base origin/main."
    )


def _known_to(root_file: bytes, given: Given) -> Given:
    """What is given, less the variables that are new in the branch."""
    try:
        declared = tomllib.loads(root_file.decode("utf-8-sig")).get("variables", {})
    except (ValueError, RecursionError):  # told when it is read as a project
        return given
    kept = tuple(text for text in given.variables if text.partition("=")[0].strip() in declared)
    return replace(given, variables=kept)
