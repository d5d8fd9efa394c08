"""The state's server is set back to a copy that lacks the newest commits: nothing is bought again; there is a way out.

    python -m tests.campaign.setback [--count 24] [--seed 1] [--json FILE]

Each case buys, has a copy made, buys or replaces more, and sets the server back: between two applies, with the next
one on the same machine or on another that remembers nothing; from a copy on the running server; table by table; or in
the middle of an apply. Then nobody can buy what the state has lost: plan and apply say which runs there are,
``import --match`` takes them in, and the next apply does the rest.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.acceptance.project import Project, run, said
from tests.campaign.figures import Figures, finish, options
from tests.campaign.machines import HOSTS, Machine
from tests.campaign.scenarios import SOON
from tests.campaign.states import PostgresState, PostgresStates, campaign_states
from tests.campaign.subject import APPLY, MATCH, Nursery, Subject, Wanted
from tests.service import FakeService

COUNT = 24
KINDS = ("same machine", "fresh machine", "from a copy", "emptied and filled", "in the middle", "between two waves")


@dataclass(slots=True)
class Case:
    """One state, two machines, and what is wanted of the service by size."""

    subject: Subject
    other: Project
    state: PostgresState
    chance: random.Random
    sizes: dict[str, int] = field(default_factory=dict)
    rested: set[int] = field(default_factory=set)

    @property
    def service(self) -> FakeService:
        return self.subject.service

    def declare(self, more: dict[str, int], apply: str = "") -> None:
        """Add these, or give them other sizes. ``apply``: lines for that table, here and not on the other machine."""
        self.rested |= {self.sizes[address] for address in more if address in self.sizes}
        self.sizes |= more
        declared = [run(address.removeprefix("run."), samples) for address, samples in self.sizes.items()]
        self.subject.project.declare(*declared, apply=apply or "parallelism = 1")
        self.other.declare(*declared)

    def buy(self, *more: str) -> None:
        done = self.subject.run(*APPLY, *more)
        assert done.returncode == 0, said(done)

    def edit(self) -> None:
        """What the copy will lack: new runs, mostly with a run that is replaced."""
        more = {f"run.n{n}": 30 + n for n in range(self.chance.randint(1, 2))}
        self.declare(more | ({"run.a": 20} if self.chance.random() < 0.5 else {}))

    def bought_meanwhile(self) -> None:
        """The edit is applied; what it bought has come to rest, or is still at work."""
        works = self.chance.random() < 0.5
        self.service.polls = None if works else 1
        self.edit()
        self.buy(*(["--no-wait"] if works else []))
        self.service.polls = 1


def same_machine(case: Case) -> Iterator[str]:
    """It remembers a higher serial."""
    with _set_back(case):
        case.bought_meanwhile()
    yield from _refused(case, case.subject.project)


def fresh_machine(case: Case) -> Iterator[str]:
    """It remembers nothing: the server was started anew since somebody looked."""
    with _set_back(case):
        case.bought_meanwhile()
    yield from _refused(case, case.other)


def from_a_copy(case: Case) -> Iterator[str]:
    """The server runs on; the database is another."""
    server, database = case.state.server, case.state.database
    kept = server.create_database(template=database)
    case.bought_meanwhile()
    case.state.drop()
    server.execute(f"CREATE DATABASE {database} OWNER team TEMPLATE {kept} STRATEGY wal_log")
    server.drop_database(kept)
    yield from _refused(case, case.other)


def emptied_and_filled(case: Case) -> Iterator[str]:
    """The server runs on, and so does the database; its rows are those of before."""
    server, database = case.state.server, case.state.database
    with psycopg.connect(server.url(database), autocommit=True) as admin:
        admin.execute("CREATE SCHEMA kept")
        tables = [name for (name,) in admin.execute("SELECT relname FROM pg_class WHERE relnamespace ="
                                                    " 'reconciler'::regnamespace AND relkind = 'r'")]  # fmt: skip
        for table in tables:
            admin.execute(f"CREATE TABLE kept.{table} AS TABLE reconciler.{table}".encode())
        case.bought_meanwhile()
        admin.execute("SET session_replication_role = replica")  # as pg_restore --disable-triggers does
        admin.execute(f"TRUNCATE {', '.join(f'reconciler.{table}' for table in tables)}".encode())
        for table in tables:
            insert = f"INSERT INTO reconciler.{table} OVERRIDING SYSTEM VALUE TABLE kept.{table}"
            admin.execute(insert.encode())
        admin.execute("DROP SCHEMA kept CASCADE")
    yield from _refused(case, case.other)


def in_the_middle(case: Case) -> Iterator[str]:
    """While creates are in flight. The id that can't be recorded is said."""
    subject, service = case.subject, case.service
    case.edit()
    arrived, before = len(service.creates), set(service.runs)
    kept = case.state.server.copy()
    enough = arrived + case.chance.randint(1, len(case.sizes) - 1)
    service.create_delay = 0.3
    process = subject.project.start(*APPLY)
    service.wait_for(lambda: len(service.creates) >= enough)
    with service.creates_held():
        case.state.server.restore(kept)
    out, err = process.communicate(timeout=60)
    service.create_delay = 0.0
    subject.told.append(f"apply over a server that is set back exited with {process.returncode}:\n{out}{err}")
    bought = set(service.runs) - before
    if process.returncode == 0:
        yield "apply exits with 0, though the state lost what it did"
    yield from (f"run {run_id} is bought, and nobody is told" for run_id in bought if run_id not in out + err)
    yield from _refused(case, case.chance.choice((subject.project, case.other)))


def between_two_waves(case: Case) -> Iterator[str]:
    """While an apply waits until there is room for more, the other machine buys what it is about to buy."""
    subject, service, server = case.subject, case.service, case.state.server
    service.polls, before = None, len(service.runs)
    case.declare({"run.n0": 30, "run.n1": 31}, apply="max_active = 1")
    process = subject.project.start(*APPLY)
    service.wait_for(lambda: len(service.runs) == before + 1)
    while case.state.held_by(process.pid):
        time.sleep(0.02)
    kept = server.copy()
    done = case.other.run(*APPLY, "--no-wait")
    subject.told.append(f"the other machine's apply exited with {done.returncode}:\n{said(done)}")
    server.restore(kept)
    service.finish(service.run_of(30).id)
    service.polls = 1
    out, err = process.communicate(timeout=60)
    subject.told.append(f"apply over a server that is set back exited with {process.returncode}:\n{out}{err}")
    if process.returncode != 1 or service.run_of(31).id not in out + err:
        yield f"the apply that went on exits with {process.returncode}, and does not name the run that was lost"
    yield from _refused(case, case.chance.choice((subject.project, case.other)))


class _set_back:
    """Around what the copy will lack."""

    def __init__(self, case: Case) -> None:
        self._server = case.state.server
        self._kept = self._server.copy()

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._server.restore(self._kept)


def _refused(case: Case, project: Project) -> Iterator[str]:
    """Whoever comes next buys nothing, is told what there is, and takes it in."""
    service, creates = case.service, len(case.service.creates)
    lost = set(service.runs) - case.subject.recorded()
    if not lost:
        yield "the copy lacks nothing, so nothing is proved"
    for args in (("plan",), APPLY, (*APPLY, "--no-refresh")):
        done = project.run(*args)
        told = said(done)
        case.subject.told.append(f"{args} on a state that was set back exited with {done.returncode}:\n{told}")
        if done.returncode != 1 or not all(run_id in told for run_id in lost):
            yield f"{' '.join(args)} exits with {done.returncode}, and does not name every run that was lost"
    done = project.run(*MATCH)
    case.subject.told.append(f"{MATCH} exited with {done.returncode}:\n{said(done)}")
    if done.returncode != 0:
        yield f"import --match exits with {done.returncode}"
    if len(service.creates) != creates:
        yield f"{len(service.creates) - creates} create calls before anything was taken in"
    for one in service.runs.values():
        if one.status not in ("SUCCEEDED", "CANCELED"):
            one.finish("SUCCEEDED")
    done = project.run(*APPLY)
    case.subject.told.append(f"apply afterwards exited with {done.returncode}:\n{said(done)}")
    if done.returncode != 0:
        yield f"apply exits with {done.returncode} after import --match"


_CASES: dict[str, Callable[[Case], Iterator[str]]] = {
    "same machine": same_machine,
    "fresh machine": fresh_machine,
    "from a copy": from_a_copy,
    "emptied and filled": emptied_and_filled,
    "in the middle": in_the_middle,
    "between two waves": between_two_waves,
}


def set_back(kind: str, folder: Path, states: PostgresStates, nursery: Nursery, chance: random.Random) -> list[str]:
    """One case; what was wrong with it."""
    with FakeService() as service:
        here, other = (Machine(folder / host, service.url, host) for host in HOSTS)
        state = states.make(here)
        other.env |= SOON | {"RECONCILER_STATE_URL": here.env["RECONCILER_STATE_URL"]}
        here.env |= SOON
        case = Case(Subject(here, service, nursery, state), other, state, chance)
        try:
            case.declare({"run.a": 10, "run.b": 11})
            case.buy()
            found = list(_CASES[kind](case))
            found += case.subject.converge(rounds=3)
            found += case.subject.problems(Wanted(case.sizes, rested=frozenset(case.rested)))
            if any("can't be taken in" in text for text in case.subject.told[-2:]):
                found.append("a rescued run that is recorded by now is told for ever")
            if len(service.creates) != len(case.sizes) + len(case.rested):
                found.append(f"{len(service.creates)} create calls for {len(case.sizes) + len(case.rested)} runs")
        finally:
            here.close()
        if found:
            print(f"--- {kind}: {found}", *case.subject.told, sep="\n", file=sys.stderr)
        state.drop()
        return found


def campaign(count: int, seed: int, folder: Path, states: PostgresStates, kinds: Sequence[str] = KINDS) -> Figures:
    """``count`` cases, the kinds in turn."""
    figures, started = Figures(f"The state's server set back to a copy (seed {seed})"), time.monotonic()
    met: Counter[str] = Counter()
    with Nursery() as nursery:
        for number in range(count):
            kind = kinds[number % len(kinds)]
            own = folder / f"case-{number}"
            own.mkdir()
            found = set_back(kind, own, states, nursery, random.Random(f"{seed}/{number}"))
            met[kind] += 1
            figures.violations += [f"case {number}, {kind}: {text}" for text in found]
    figures.counts = {"cases": count, "seconds": time.monotonic() - started}
    figures.by_point = dict(met)
    return figures


def main() -> int:
    """Run the cases."""
    parser = options("The state's server is set back to a copy.", COUNT, states=("postgres",))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="setback-") as folder, campaign_states("postgres") as states:
        assert isinstance(states, PostgresStates)
        return finish(chosen, campaign(chosen.count, chosen.seed, Path(folder), states))


if __name__ == "__main__":
    sys.exit(main())
