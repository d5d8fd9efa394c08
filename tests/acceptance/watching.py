"""A repository that a controller follows, and the controller itself as a process."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import httpx

from tests.acceptance.forks import REAL
from tests.acceptance.project import HEAD, Project
from tests.git import git
from tests.views.schemas import problems

TOKEN = "a-token-of-this-test"
WAIT = 30.0  # seconds that anything may take

Event = dict[str, Any]


class Repository:
    """A bare remote, and a desk that pushes to it."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.remote = project.folder / "remote.git"
        self.desk = project.folder / "desk"
        self.commit = ""  # the newest that was pushed
        git(project.folder, "init", "--quiet", "--bare", "--initial-branch", "main", str(self.remote))
        git(project.folder, "clone", "--quiet", str(self.remote), str(self.desk))
        git(self.desk, "symbolic-ref", "HEAD", "refs/heads/main")

    def push(self, *declarations: str, limits: str = "") -> str:
        """Commit and push a whole reconciler.toml; returns the commit."""
        return self.push_text("\n".join([HEAD.replace("{url}", self._project.url), limits, *declarations]))

    def push_text(self, text: str) -> str:
        (self.desk / "reconciler.toml").write_text(text)
        return self._commit("declare")

    def empty(self) -> str:
        """Force-push a commit without files."""
        git(self.desk, "checkout", "--quiet", "--orphan", "nothing")
        git(self.desk, "rm", "--quiet", "-r", "--force", ".")
        git(self.desk, "commit", "--quiet", "--allow-empty", "--message", "nothing")
        return self._pushed("--force")

    def revert(self) -> str:
        """Take the newest commit back."""
        git(self.desk, "revert", "--no-edit", "HEAD")
        return self._pushed()

    def _commit(self, message: str) -> str:
        git(self.desk, "add", "--all")
        git(self.desk, "commit", "--quiet", "--message", message)
        return self._pushed()

    def _pushed(self, *options: str) -> str:
        git(self.desk, "push", "--quiet", *options, "origin", "HEAD:main")
        self.commit = git(self.desk, "rev-parse", "HEAD")
        return self.commit


class Watcher:
    """``reconciler watch --json`` in a folder of its own. Its events are read as they come."""

    def __init__(
        self,
        project: Project,
        repository: Repository,
        name: str = "watcher",
        mode: str = "apply",
        settings: str = "",
        env: Mapping[str, str] | None = None,
        interval: str = "1h",
        url: str = "",
    ) -> None:
        self.folder: Path = project.folder / name
        self.folder.mkdir(exist_ok=True)
        (self.folder / "watch.toml").write_text(
            f'mode = "{mode}"\ninterval = "{interval}"\n\n'
            f'[source]\nurl = "{url or repository.remote}"\nbranch = "main"\n\n'
            '[http]\nlisten = "127.0.0.1:0"\ntoken = { env = "WATCH_TOKEN" }\n\n'
            f'[allow]\nbase_urls = ["{project.url}"]\n\n' + settings
        )
        self._project = project
        self._env = project.environment({"WATCH_TOKEN": TOKEN, **(env or {})})
        self.command = [*REAL, "-C", str(self.folder), "watch", "--json"]
        self._seen: list[Event] = []
        self.everything: list[Event] = []
        self.wrong: list[str] = []  # what is not as docs/schemas/watch.schema.json says
        self._changed = threading.Condition()
        self.process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> Watcher:
        """Start it, and wait until it listens."""
        process = subprocess.Popen(
            self.command,
            env=self._env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        self.process = process
        self._project.started.append(process)
        threading.Thread(target=self._read, args=(process,), daemon=True).start()
        self.url = self.wait("watch_listening")["url"]
        return self

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in _lines_of(process.stdout):
            try:
                event = json.loads(line)
                self.wrong += problems("watch", event, closed=True)
            except ValueError:
                event = {"type": "text", "@message": line}
            with self._changed:
                self._seen.append(event)
                self.everything.append(event)
                self._changed.notify_all()

    def wait(self, kind: str, where: Callable[[Event], bool] = lambda event: True) -> Event:
        """The first event of a kind that was not waited for yet; what comes before it is passed over."""
        end = time.monotonic() + WAIT
        with self._changed:
            while True:
                assert self.wrong == []
                for number, event in enumerate(self._seen):
                    if event["type"] == kind and where(event):
                        del self._seen[: number + 1]
                        return event
                left = end - time.monotonic()
                assert left > 0, f"no {kind}; there was {self._seen}"
                self._changed.wait(left)

    def pass_(self) -> Event:
        """Ask for a pass, and wait for the end of the next one."""
        self.post("reconcile")
        return self.wait("watch_passed")

    def post(self, what: str, body: Mapping[str, object] | None = None) -> httpx.Response:
        """Call the controller with its token."""
        return httpx.post(f"{self.url}/{what}", json=body or {}, headers={"Authorization": f"Bearer {TOKEN}"})

    def get(self, what: str) -> httpx.Response:
        """Look at the controller."""
        return httpx.get(f"{self.url}/{what}", headers={"Authorization": f"Bearer {TOKEN}"})

    @property
    def root(self) -> Path:
        """The project as it is followed."""
        return self.folder / ".reconciler-watch" / "project"

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(WAIT)


def _lines_of(stream: IO[str]) -> Iterator[str]:
    with suppress(ValueError):  # whoever ends the test closes it
        yield from stream
