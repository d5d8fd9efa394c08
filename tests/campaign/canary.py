"""Secrets that must never be written: everything is run that writes anything, then every byte is searched for them.

    python -m tests.campaign.canary [--count 3] [--state postgres] [--seed 1] [--json FILE]

Each round has new values for the API key and for each ``databricks_*`` field, from the environment or from files. They
are looked for raw, in part, and as base64, URL-encoded, JSON and hexadecimal text, in what commands say and in every
file below the project, the home and the temporary folder.
"""

from __future__ import annotations

import base64
import json
import os
import random
import resource
import signal
import string
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.project import Done, Project, run
from tests.campaign.figures import Figures, finish, options
from tests.campaign.scenarios import SOON
from tests.campaign.states import PostgresStates, States, campaign_states
from tests.campaign.subject import APPLY, Nursery
from tests.service import TICKETS, FakeService, answers

COUNT = 3
NAMES = ("api_key", "databricks_client_id", "databricks_client_secret", "databricks_api_base")
_PART = 14  # so many characters in a row of a secret are a leak as well
_CRASHES = ("list, answered", "create, before its first byte", "create, answered", "before ACCEPTED", "after SENDING",
            "get, answered")  # fmt: skip
_CONFIG = """\
[api]
base_url = "{url}"
api_key = {api_key}

[specs]
tickets = "{tickets}"

[defaults]
generation_model = "databricks/databricks-claude-haiku-4-5"
databricks_client_id = {databricks_client_id}
databricks_client_secret = {databricks_client_secret}
databricks_api_base = {databricks_api_base}

[apply]
parallelism = 1

"""


def forms(secret: str) -> dict[str, bytes]:
    """What a secret may look like when it is written."""
    raw = secret.encode()
    found = {"raw": raw, "its start": raw[:_PART], "its end": raw[-_PART:], "hexadecimal": raw.hex().encode()}
    for shift in range(3):  # where in a longer text it begins
        text = base64.b64encode(b"\0" * shift + raw)[(0, 2, 3)[shift] :]
        found[f"base64, shifted by {shift}"] = text[: len(text) // 4 * 4 - 4]
        found[f"base64 for URLs, shifted by {shift}"] = found[f"base64, shifted by {shift}"].translate(
            bytes.maketrans(b"+/", b"-_")
        )
    found["URL-encoded"] = urllib.parse.quote(secret, safe="").encode()
    found["JSON"] = json.dumps(secret)[1:-1].encode()
    return found


@dataclass(slots=True)
class Search:
    """Looks for secrets in bytes, and counts."""

    secrets: Mapping[str, str]
    looked_at: int = 0
    files: int = 0
    commands: int = 0
    hits: list[str] = field(default_factory=list)

    def look(self, data: bytes, where: str) -> None:
        """Search one text."""
        self.looked_at += len(data)
        for name, secret in self.secrets.items():
            how = next((how for how, form in forms(secret).items() if form in data), None)
            if how is not None:
                self.hits.append(f"{name} ({how}) in {where}")

    def said(self, done: Done, what: str) -> None:
        """Search what a command said."""
        self.commands += 1
        self.look(f"{done.stdout}{done.stderr}".encode(), f"what {what} says")

    def below(self, folder: Path, spared: Path, what: str) -> None:
        """Search every file and its name."""
        for path in folder.rglob("*"):
            if path.is_file() and path.parent != spared:
                self.files += 1
                name = str(path.relative_to(folder))
                self.look(path.read_bytes() + name.encode(), f"{name} after {what}")


class Round:
    """One project after the other over one service, all with the same secrets."""

    def __init__(self, folder: Path, service: FakeService, nursery: Nursery, chance: random.Random) -> None:
        letters = string.ascii_letters + string.digits
        token = {name: "".join(chance.choices(letters, k=40)) for name in NAMES}
        token["databricks_api_base"] = f"https://{token['databricks_api_base']}.example.com/a?b=c&d"
        token["databricks_client_secret"] += '+/="&%'
        service.signature = "".join(chance.choices(letters, k=40))
        links = {"a signed link": service.signature}
        self.search = Search({**token, "databricks_api_base": token["databricks_api_base"][8:48], **links})
        self.crashes = 0
        self.problems: list[str] = []
        self._secrets = token
        self._folder = folder
        self._service = service
        self._nursery = nursery
        self._from_files = chance.random() < 0.5
        service.key = token["api_key"]

    def project(self, name: str) -> Project:
        """A new project that refers to the secrets."""
        folder = self._folder / name
        folder.mkdir()
        made, service = Project(folder, self._service.url), self._service
        service.runs, service.polls, service.reported, service.weather = {}, 1, {}, None
        service.unscript()
        for path in (folder / "tmp", self.spared(made)):
            path.mkdir()
        made.env |= SOON | {"TMPDIR": str(folder / "tmp")}
        made.env.pop("DATAFRAMER_API_KEY")
        refs = {}
        for secret, value in self._secrets.items():
            (self.spared(made) / secret).write_text(value + "\n")
            made.env |= {} if self._from_files else {f"CANARY_{secret.upper()}": value}
            path, env = f"../secrets/{secret}", f"CANARY_{secret.upper()}"
            refs[secret] = f'{{ file = "{path}" }}' if self._from_files else f'{{ env = "{env}" }}'
        declared = "\n".join(run(f"r{n}", 10 + n) for n in range(4))
        made.write("reconciler.toml", _CONFIG.format(url=self._service.url, tickets=TICKETS, **refs) + declared)
        return made

    def spared(self, project: Project) -> Path:
        """The folder of the secrets themselves."""
        return project.folder / "secrets"

    def run(self, project: Project, *args: str, expect: int | None = None, **env: str) -> Done:
        """Run a command and search what it says. ``expect``: the exit code, without which nothing is proved."""
        command = ["-C", str(project.root), *args]
        done = self._nursery.run(command, project.environment(env), project.folder)
        self.search.said(done, " ".join(args))
        if expect is not None and done.returncode != expect:
            self.problems.append(f"{' '.join(args)} exits with {done.returncode}, not {expect}: {done.stderr[-300:]}")
        return done

    def after(self, project: Project, what: str) -> None:
        """Search everything that was written."""
        self.search.below(project.folder, self.spared(project), what)

    def everyday(self) -> None:
        """Every command that writes or says anything, with and without logs."""
        project = self.project("everyday")
        saved = str(project.root / "saved.plan")
        for args in (("validate",), ("plan", "--json"), ("plan", "--out", saved), ("show", saved), ("version",),
                     ("show", saved, "--json"), ("apply", saved), ("show",), ("show", "--json"), ("output",),
                     ("output", "--json"), ("refresh",), ("plan",), ("download",), ("download",)):  # fmt: skip
            done = self.run(project, "-vv", *args)
            if done.returncode != 0:
                self.problems.append(f"everyday: {args} exits with {done.returncode}: {done.stderr[-300:]}")
        sent = self._service.bodies[-1] if self._service.bodies else {}
        if any(sent.get(name) != self._secrets[name] for name in NAMES[1:]):
            self.problems.append("everyday: the service did not get the secrets, so nothing is proved")
        if len(self._service.calls("GET", "/storage/.*")) < 4 or not list(project.root.glob("outputs/*/files/*")):
            self.problems.append("everyday: no file was downloaded, so nothing is proved of links")
        self.after(project, "everyday commands")

    def faults(self) -> None:
        """Lost answers and refusals."""
        for logs, lost in (("-v", (answers.dropped(), answers.garbage())),
                           ("-vv", (answers.failed_after_creating(), answers.dropped(creates=False)))):  # fmt: skip
            project = self.project(f"faults{logs}")
            # Two unknown outcomes: three in a row would make the apply pause for 30 s.
            for samples, answer in enumerate((*lost, answers.slow_down("0"), answers.unavailable("0")), 10):
                self._service.script_create(answer, samples=samples)
            self.run(project, logs, *APPLY, "--json")
            self.run(project, logs, "resolve", "run.*", "--resubmit")
            self.run(project, logs, *APPLY)
            self.after(project, f"faults with {logs}")

    def echo(self) -> None:
        """A service that repeats the credentials in its errors and reports."""
        told = " ".join(f"{name}: {self._secrets[name]} is not right;" for name in NAMES)
        for status in (400, 401, 500):
            project = self.project(f"echo-{status}")
            self._service.script_create(answers.refused(status, told), samples=10)
            self._service.reported = {name: self._secrets[name] for name in NAMES}
            self.run(project, "-vv", *APPLY)
            for args in (("plan",), ("show", "--json"), ("output", "--json"), ("plan", "--json")):
                self.run(project, *args)
            self.after(project, f"a service that repeats secrets in HTTP {status}")

    def crashes_inside(self) -> None:
        """A failure that nobody expects: its traceback is said."""
        for n, point in enumerate(_CRASHES):
            project = self.project(f"crash-{n}")
            trap = {"CAMPAIGN_POINT": point, "CAMPAIGN_DEED": "raise"}
            done = self.run(project, "-vv", *APPLY, **trap)
            if "a failure that nobody expects" not in done.stderr or "Traceback" not in done.stderr:
                self.problems.append(f"no traceback at {point!r}: exit {done.returncode}: {done.stderr[-300:]}")
            self.crashes += 1
            self.after(project, f"a traceback at {point!r}")

    def killed(self) -> None:
        """SIGKILL in the middle: what is left in the write-ahead log."""
        project = self.project("killed")
        done = self.run(project, *APPLY, CAMPAIGN_POINT="inside ACCEPTED", CAMPAIGN_NTH="2")
        if done.returncode != -signal.SIGKILL:
            self.problems.append(f"not killed: exit {done.returncode}")
        self.after(project, "SIGKILL")

    def full_disk(self) -> None:
        """No file may grow from the first create on: the id that comes back can't be recorded."""
        project, service = self.project("full-disk"), self._service
        arrived = len(service.creates)
        with service.creates_held():
            process = project.start("-vv", *APPLY)
            service.wait_for(lambda: len(service.creates) > arrived)
            written = project.root / ".reconciler" / "state.db-wal"
            size = written.stat().st_size if written.exists() else 0
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))
        out, err = process.communicate(timeout=60)
        self.search.said(Done([], process.returncode, out, err), "apply on a full disk")
        if process.returncode == 0:
            self.problems.append("the disk was full, and apply exits with 0")
        if "Traceback" in err:
            self.problems.append(f"a traceback on a full disk: {err[-300:]}")
        if not all(run_id in out + err for run_id in service.run_ids):
            self.problems.append("the id of a run that was bought is not said on a full disk")
        self.after(project, "a full disk")

    def without_key(self) -> None:
        """A secret that is missing or can't be used."""
        project = self.project("without-key")
        (self.spared(project) / "api_key").write_text(self._secrets["api_key"] + "\nü\n")
        self.run(project, "-vv", "plan", CANARY_API_KEY=self._secrets["api_key"] + "\nü")
        (self.spared(project) / "api_key").unlink()
        self.run(project, "-vv", "plan", CANARY_API_KEY="")
        self._service.key = "another"
        self.run(project, "-vv", *APPLY)
        self._service.key = self._secrets["api_key"]
        self.after(project, "a key that is no good")


PARTS: Mapping[str, Callable[[Round], None]] = {
    "everyday": Round.everyday,
    "faults": Round.faults,
    "crashes": Round.crashes_inside,
    "killed": Round.killed,
    "full disk": Round.full_disk,
    "without key": Round.without_key,
    "echo": Round.echo,
}


def campaign(count: int, seed: int, folder: Path, states: States, parts: Collection[str] | None = None) -> Figures:
    """``count`` rounds, each with secrets of its own. ``parts``: of those that there are for this kind of state."""
    figures = Figures(f"Secrets in anything written, state in {states.name} (seed {seed})")
    started = time.monotonic()
    totals = dict.fromkeys(("rounds", "commands", "tracebacks forced", "files searched", "bytes searched", "found"), 0)
    with Nursery() as nursery:
        for number in range(count):
            own = folder / f"round-{number}"
            own.mkdir()
            with FakeService() as service:
                made, there = _round(own, service, nursery, random.Random(f"{seed}/{number}"), states)
                for name in parts or there:
                    before = len(made.search.hits)
                    there[name](made)
                    figures.by_point[name] = figures.by_point.get(name, 0) + len(made.search.hits) - before
            search = made.search
            for name, value in zip(totals, (1, search.commands, made.crashes, search.files, search.looked_at,
                                            len(search.hits)), strict=True):  # fmt: skip
                totals[name] += value
            figures.violations += [f"round {number}: {text}" for text in (*made.problems, *dict.fromkeys(search.hits))]
    figures.counts = {**totals, "seconds": time.monotonic() - started}
    return figures


def _round(
    folder: Path, service: FakeService, nursery: Nursery, chance: random.Random, states: States
) -> tuple[Round, Mapping[str, Callable[[Any], None]]]:
    """A round for this kind of state, and its parts."""
    if isinstance(states, PostgresStates):
        from tests.campaign.canary_postgres import POSTGRES_PARTS, PostgresRound

        return PostgresRound(folder, service, nursery, chance, states), POSTGRES_PARTS
    return Round(folder, service, nursery, chance), PARTS


def main() -> int:
    """Run the rounds."""
    chosen = options("Search for secrets in everything that is written.", COUNT).parse_args()
    os.umask(0o077)
    with campaign_states(chosen.state) as states, tempfile.TemporaryDirectory(prefix="canary-") as folder:
        return finish(chosen, campaign(chosen.count, chosen.seed, Path(folder), states))


if __name__ == "__main__":
    sys.exit(main())
