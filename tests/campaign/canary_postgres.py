"""The search for secrets with a state in PostgreSQL, whose role has a password of its own (SCRAM)."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.acceptance.project import Project
from tests.campaign.canary import PARTS, Round
from tests.campaign.states import PostgresState, PostgresStates
from tests.campaign.subject import APPLY, Nursery
from tests.campaign.tempest import TIMEOUTS
from tests.service import FakeService

PASSWORD = "state_password"
_WAYS = ("PGPASSWORD", "PGPASSFILE", "RECONCILER_STATE_URL", "[state] url")
_POINTS = ("lock, taken", "inside SENDING", "committing ACCEPTED", "state, half its tables made")
# {0} is the password; libpq, or we, understand none of these.
_BAD_URLS = (
    "postgresql://canary:{0}@127.0.0.1:none/database",
    "postgresql://canary:{0}@[::1/database",
    "postgresql://canary:{0}@127.0.0.1/database?nonsense=1",
    "postgresql://canary@127.0.0.1/database?password={0}&nonsense=1",
    "postgresql://canary:{0}/database",
    "postgresql://canary:{0}@127.0.0.1/database?workspace=a%20b",
    "postgresql://canary:{0}@127.0.0.1/database?timeout=never",
    "postgresql://canary:%{0}@127.0.0.1/database",
    "postgres+driver://canary:{0}@127.0.0.1/database",
    "mysql://canary:{0}@127.0.0.1/database",
    "canary:{0}@127.0.0.1/database",
)


class PostgresRound(Round):
    """As a round over files, and with a password for the state."""

    def __init__(
        self, folder: Path, service: FakeService, nursery: Nursery, chance: random.Random, states: PostgresStates
    ) -> None:
        super().__init__(folder, service, nursery, chance)
        self._states = states
        self._chance = chance
        self._password = "".join(chance.choices(string.ascii_letters + string.digits, k=40))
        self.search.secrets = {**self.search.secrets, PASSWORD: self._password}
        self._role = states.server.role(f"canary_{chance.randrange(10**9)}", self._password)
        self._state: PostgresState | None = None
        self.ways: set[str] = set()

    def project(self, name: str) -> Project:
        made = super().project(name)
        state = self._state = self._states.make(made)
        self._states.server.execute(f"ALTER DATABASE {state.database} OWNER TO {self._role}")
        way = self._chance.choice(_WAYS)
        self.ways.add(way)
        self._point(made, way)
        return made

    def _point(self, project: Project, way: str, password: str | None = None, **query: str) -> None:
        """Let a project use its state, and take the password from there."""
        assert self._state is not None
        secret, server = password or self._password, self._states.server
        for name in ("PGPASSWORD", "PGPASSFILE", "RECONCILER_STATE_URL", "CANARY_STATE_URL"):
            project.env.pop(name, None)
        with_it = "//" in way or way in ("RECONCILER_STATE_URL", "[state] url")
        url = server.url(self._state.database, self._role, secret if with_it else None, **query)
        project.env["RECONCILER_STATE_URL"] = url
        match way:
            case "PGPASSWORD":
                project.env["PGPASSWORD"] = secret
            case "PGPASSFILE":
                file = self.spared(project) / "pgpass"
                file.write_text(f"127.0.0.1:{server.port}:*:{self._role}:{secret}\n")
                file.chmod(0o600)
                project.env["PGPASSFILE"] = str(file)
            case "[state] url":
                project.env["CANARY_STATE_URL"] = project.env.pop("RECONCILER_STATE_URL")
                config = project.root / "reconciler.toml"
                if "[state]" not in config.read_text():
                    config.write_text(config.read_text() + '\n[state]\nurl = { env = "CANARY_STATE_URL" }\n')

    def server(self) -> None:
        """A server that is away, hangs, ends sessions, and lets nobody in."""
        server = self._states.server
        for way in _WAYS:
            project = self.project(f"server-{_WAYS.index(way)}")
            self._point(project, way)
            self.run(project, "-vv", *APPLY, "--no-wait", expect=0)
            self._point(project, way, self._password + "0")
            self.run(project, "-vv", "plan", expect=1)
            self.run(project, "-vv", *APPLY, expect=1)
            self._point(project, way, **TIMEOUTS)
            server.freeze()
            self.run(project, "-vv", "plan", expect=1)
            server.thaw()
            server.stop()
            self.run(project, "-vv", "plan", expect=1)
            self.run(project, "-vv", *APPLY, "--json", expect=1)
            server.start()
            self.after(project, f"a server that is away, password from {way}")

    def hurt(self) -> None:
        """Its sessions end, and something breaks that nobody expects, in the middle of a step on the state."""
        for point in _POINTS:
            for deed in ("raise", "cut"):
                project = self.project(f"hurt-{_POINTS.index(point)}-{deed}")
                assert self._state is not None
                trap = {**self._state.cut(), "CAMPAIGN_POINT": point, "CAMPAIGN_DEED": deed}
                done = self.run(project, "-vv", *APPLY, **trap)
                if deed == "raise" and "a failure that nobody expects" not in done.stderr:
                    self.problems.append(f"no traceback at {point!r}: exit {done.returncode}: {done.stderr[-300:]}")
                self.crashes += deed == "raise"
                self.after(project, f"{deed} at {point!r}")

    def bad_urls(self) -> None:
        """URLs that are not understood, or not allowed where they stand."""
        project = self.project("bad-urls")
        for url in _BAD_URLS:
            self._point(project, "PGPASSWORD")
            project.env["RECONCILER_STATE_URL"] = url.format(self._password)
            self.run(project, "-vv", "plan", expect=1)
            self.run(project, "-vv", *APPLY, expect=1)
        project.env.pop("RECONCILER_STATE_URL")
        for url in _BAD_URLS:
            self.run(project, "-vv", "--state", url.format(self._password), "plan", expect=1)
        config = project.root / "reconciler.toml"
        before = config.read_text()
        for url in (*_BAD_URLS, "postgresql://canary:{0}@127.0.0.1/database"):
            config.write_text(f'{before}\n[state]\nurl = "{url.format(self._password)}"\n')
            self.run(project, "-vv", "validate")
            self.run(project, "-vv", "plan", expect=1)
        config.write_text(before)  # what stands in there is a person's own
        self.after(project, "URLs that are not understood")


POSTGRES_PARTS: Mapping[str, Callable[[PostgresRound], None]] = {
    **{name: part for name, part in PARTS.items() if name != "full disk"},
    "server": PostgresRound.server,
    "hurt": PostgresRound.hurt,
    "bad URLs": PostgresRound.bad_urls,
}
