"""Runs the examples of the commands' help: each line as it stands, in order, in a project made for its command."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

import click

from reconciler.dataframer.emulator.core import Emulator
from reconciler.dataframer.emulator.faults import Faults
from state.sqlite.store import open_sqlite
from tests.acceptance.forks import REAL, can_fork, forks
from tests.acceptance.project import TIMEOUT, Project, run
from tests.acceptance.terminal import answered, terminal
from tests.docs.commands import commands
from tests.emulator.api import Api
from tests.forge.fake import GITHUB, GITLAB, FakeForge, comment_text
from tests.git import git

_BLOCK = re.compile(r"^ *Examples?:\n((?: +reconciler .*\n?)+)", re.MULTILINE)
_ADDRESS = re.compile(r"""run\.([A-Za-z_][\w-]*|\*)(?:\["([^"]+)"\]|(\[\*\]))?""")
_RUN_ID, _LOCK_ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a", "3f0c5a9b12de"
_FAULTS = "RECONCILER_EMULATOR_FAULTS"
# What a line takes for granted, by the name of the file, is made before it.
_MADE = {"tonight.plan": "plan --out tonight.plan", "runs.state": "state pull --out runs.state"}
_SHELL = frozenset("|<>;&")


def examples() -> dict[str, list[str]]:
    """The lines of each command that is no group; none where the help shows none."""
    found = {path: command for path, command in commands() if not hasattr(command, "list_commands")}
    return {path: _lines(command) for path, command in found.items()}


def _lines(command: click.Command) -> list[str]:
    return [line.strip() for block in _BLOCK.findall(command.help or "") for line in block.splitlines()]


@dataclass
class Scene:
    """A project of its own on the built-in emulator, and what stands for the ids and places in the lines.

    ``afterwards``: variables for the lines after the first. ``open``: what has to be closed in the end.
    """

    project: Project
    lines: Sequence[str]
    stands_for: dict[str, str] = field(default_factory=dict)
    afterwards: Mapping[str, str] = field(default_factory=dict)
    open: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        folder = self.project.folder
        for place in ("mnt/backups", "mnt/local", "data"):
            (folder / place).mkdir(parents=True)
        self.stands_for |= {"/mnt/": f"{folder}/mnt/", "/data/": f"{folder}/data/"}
        self._binaries = folder / "bin"
        self._script("reconciler", f'exec "{sys.executable}" -m reconciler "$@"')
        if shutil.which("jq") is None:
            self._script("jq", "exec cat")
        self.project.env["PATH"] = f"{self._binaries}:{os.environ['PATH']}"

    def _script(self, name: str, line: str) -> None:
        self._binaries.mkdir(exist_ok=True)
        (self._binaries / name).write_text(f"#!/bin/sh\n{line}\n")
        (self._binaries / name).chmod(0o755)

    # What is there before the first line

    def declare(self, without: Sequence[str] = ()) -> None:
        """Every run that the lines name, with its keys, and one more."""
        keys: dict[str, set[str]] = {"another": set()}
        for name, key, some in _ADDRESS.findall(" ".join(self.lines)):
            found = keys.setdefault("another" if name == "*" else name, set())
            found.update([key.replace("*", "")] if key else ["one"] if some else [])
        declared = [
            run(name, 2 + number, **({"for_each": {key: {} for key in sorted(of)}} if of else {}))
            for number, (name, of) in enumerate(keys.items())
            if name not in without
        ]
        limits = [f"{name} = 1000" for name in re.findall(r"--override (\w+)", " ".join(self.lines))]
        self.project.declare(
            *declared, apply="\n".join(["parallelism = 1", *(["[limits]"] if limits else []), *limits])
        )

    def buy(self, *more: str, code: int = 0, **env: str) -> None:
        self.project.apply(*more, code=code, env=env)

    def newest_run(self) -> str:
        """Its id on the service."""
        with closing(Emulator(self.project.root / ".reconciler" / "emulator.db", faults=Faults())) as emulator:
            return str(Api(emulator).get("/api/dataframer/runs/").json[0]["id"])

    # Its lines

    def type(self, line: str, *, fresh: bool) -> tuple[int, str]:
        """Type it on a terminal, and "yes" to every question. Its exit code, and what stood there.

        ``fresh``: in a shell, which starts Python anew. Lines that only a shell understands are always typed there.
        """
        for name, made in _MADE.items():
            if name in line and f"--out {name}" not in line and not (self.project.root / name).exists():
                code, shown = self.type(f"reconciler {made}", fresh=False)
                assert code == 0, shown
        if "$DIGEST" in line:
            self.stands_for['"$DIGEST"'] = json.loads(self.project.expect(0, "plan", "--json").stdout)["digest"]
        for text, meant in self.stands_for.items():
            line = line.replace(text, meant)
        root, env = self.project.root, self.project.environment() | {"TERM": "xterm", "COLUMNS": "120"}
        self.project.env |= self.afterwards
        with terminal() as (ours, theirs):
            if fresh or _SHELL & set(line) or not can_fork(REAL, env):
                process = subprocess.Popen(
                    ["sh", "-c", line], cwd=root, env=env, stdin=theirs, stdout=theirs, stderr=theirs
                )
                os.close(theirs)
                try:
                    shown = answered(ours, ["yes"] * 9)
                    return process.wait(TIMEOUT), shown
                finally:
                    process.kill()
                    process.wait()
            told = forks().start(shlex.split(line)[1:], env, root, [theirs] * 3)
            os.close(theirs)
            shown = answered(ours, ["yes"] * 9)
            return forks().wait([line], told, TIMEOUT), shown

    def serve(self, line: str) -> tuple[int, str]:
        """Type a line that goes on until it is interrupted, and interrupt it once it has said something."""
        words = ["0" if word.isdecimal() else word for word in shlex.split(line)[1:]]  # a port that is free
        process = self.project.start(*words)
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)
        return process.returncode, first + out + err


# What each command finds


def _declared(scene: Scene) -> None:
    scene.declare()


def _in_git(scene: Scene) -> None:
    """A branch that declares one run more than main."""
    scene.declare()
    root = scene.project.root
    scene.project.write(".gitignore", ".reconciler/\n")
    for words in (
        "init --quiet --initial-branch main", "add --all", "commit --quiet --message main",
        "update-ref refs/remotes/origin/main HEAD",
    ):  # fmt: skip
        git(root, *words.split())
    scene.project.write("runs/branch.toml", run("branch", 77))


def bought(scene: Scene) -> None:
    scene.declare()
    scene.buy("--no-wait")


def _finished(scene: Scene) -> None:
    scene.declare()
    scene.buy()


def _state_lost(scene: Scene) -> None:
    scene.declare()
    scene.buy("--no-wait")
    scene.stands_for[_RUN_ID] = scene.project.output("run.tickets_eval")[0]["run_id"]
    for path in (scene.project.root / ".reconciler").glob("state.db*"):
        path.unlink()


def _one_unknown_one_absent(scene: Scene) -> None:
    scene.declare()
    scene.buy("--no-wait", code=6, **{_FAULTS: "drop_before@1,drop_after@2"})
    scene.afterwards = {"RECONCILER_SETTLE_SECONDS": "0", "RECONCILER_DEAD_SECONDS": "0"}
    scene.stands_for[_RUN_ID] = scene.newest_run()


def _locked(scene: Scene) -> None:
    bought(scene)
    (path,) = (scene.project.root / ".reconciler").rglob("state.db")
    store = scene.open.enter_context(closing(open_sqlite(path, base_url="emulator")))
    scene.stands_for[_LOCK_ID] = scene.open.enter_context(store.lock("apply")).lock_id


def _empty(scene: Scene) -> None:
    pass


def _backed_up(scene: Scene) -> None:
    bought(scene)
    scene.project.expect(0, "state", "backup")


def _pulled(scene: Scene) -> None:
    bought(scene)
    (scene.project.elsewhere / "reconciler.toml").write_bytes((scene.project.root / "reconciler.toml").read_bytes())


def _to_be_moved(scene: Scene) -> None:
    scene.declare(without=("new_name", "languages"))
    scene.buy("--no-wait")


def _reviewed(scene: Scene) -> None:
    (scene.project.root / "plan.md").write_text(comment_text())
    for kind in (GITHUB, GITLAB):
        forge = scene.open.enter_context(FakeForge(kind))
        forge.write(comment_text(environment="staging"))
        scene.project.env |= forge.environment()


def _followed(scene: Scene) -> None:
    """A remote that the project's folder is pushed to, and a watch.toml that follows it."""
    scene.declare()
    root, remote = scene.project.root, scene.project.folder / "remote.git"
    git(root, "init", "--quiet", "--initial-branch", "main")
    git(root, "add", "reconciler.toml")
    git(root, "commit", "--quiet", "--message", "declare")
    git(scene.project.folder, "clone", "--quiet", "--bare", str(root), str(remote))
    for path in (root / "watch.toml", scene.project.folder / "elsewhere.toml"):
        path.write_text(f'[source]\nurl = "{remote}"\n\n[http]\nlisten = ""\n')
    scene.stands_for["/etc/reconciler/watch.toml"] = str(scene.project.folder / "elsewhere.toml")


SCENES: Mapping[str, Callable[[Scene], None]] = {
    "reconciler init": _empty,
    "reconciler plan": _in_git,
    "reconciler apply": _declared,
    "reconciler import": _state_lost,
    "reconciler resolve": _one_unknown_one_absent,
    "reconciler download": _finished,
    "reconciler comment": _reviewed,
    "reconciler watch": _followed,
    "reconciler state pull": _pulled,
    "reconciler state push": _pulled,
    "reconciler state restore": _backed_up,
    "reconciler state mv": _to_be_moved,
    "reconciler unlock": _locked,
}
CODES: Mapping[str, int] = {}  # of a line, where the documentation says that it is not 0
SERVES = ("reconciler emulator serve",)
