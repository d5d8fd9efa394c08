"""The checkout that a project is in, and what another of its revisions declares."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.config.load import ROOT_FILE
from reconciler.config.validate import Desired
from reconciler.config.variables import Given
from reconciler.git import Git, commit_of, files_at, folder_in_repository, git_state
from reconciler.model.diagnostics import errors
from reconciler.model.errors import ConfigurationError, UsageError
from reconciler.model.plan import Revision
from reconciler.project import check_project


@dataclass(frozen=True, slots=True)
class Base:
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
    values of now. Raises UsageError where git knows no such revision.
    """
    commit = commit_of(root, name)
    if commit is None:
        raise UsageError(_no_revision(root, name))
    try:
        files = files_at(root, commit, ROOT_FILE, "runs", "environments")
    except OSError as problem:
        raise UsageError(f"--base {name}: {problem}.") from None
    if ROOT_FILE not in files:
        return Base(name, commit, None, f"{name} has no {ROOT_FILE} here: everything is new")
    # As files, so that they are read by the same code, with the same bounds. Nothing else of the revision is there.
    with tempfile.TemporaryDirectory(prefix="reconciler-base-") as folder:
        for path, content in files.items():
            if path.endswith(".toml"):
                target = Path(folder, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        try:
            desired = check_project(Path(folder), environ, _known_to(files[ROOT_FILE], given))
        except ConfigurationError as problem:
            return Base(name, commit, None, f"{name} can't be compared with: {problem.diagnostics[0].detail}")
    if found := errors(desired.diagnostics):
        where = f"{found[0].source}: " if found[0].source else ""
        first = f"{where}{found[0].summary}"
        return Base(name, commit, None, f"{name} has errors ({first}), so nothing is compared with it")
    return Base(name, commit, desired)


def _no_revision(root: Path, name: str) -> str:
    if git_state(root) == Git():
        return (
            f"--base {name}: git finds no repository at {root.resolve()}. There is none, git is not installed, or it "
            "belongs to somebody else (`git status` says which). Without --base, it is planned all the same."
        )
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
