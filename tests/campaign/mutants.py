"""``python -m tests.campaign.mutants``: plants one fault of the protocol at a time, and sees that something notices."""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.campaign.planted import CHANGES_NOTHING, IS_NOT_THERE, MUTANTS, Mutant
from tests.campaign.simulation.__main__ import run_chunk

ROOT = Path(__file__).resolve().parents[2]
SCHEDULES = 2000
_COPIED = ("reconciler", "state", "tests", "pyproject.toml")
_AT_ONCE = 2
_CHUNK = 50
_LONGEST = 600.0  # seconds for one killer; one that never ends has noticed as well
_PROTOCOL = ("tests/protocol", "tests/decisions")
_STATE = ("tests/state",)
_POSTGRES = ("tests/state/postgres", "tests/state")  # what is about PostgreSQL alone comes first


class NotPlanted(Exception):
    """The mutant says nothing: its text is not there exactly once, or the tree does not run with it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one mutant. ``verdict``: killed, SURVIVED, or ERROR; ``by`` names what killed it, ``why`` is
    what it said. ``passing``: tests that failed once, and passed when they were run again alone: they killed nothing.
    """

    name: str
    verdict: str
    by: str
    seconds: float
    breaks: str
    why: str = ""
    passing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A test (or ``simulator``) that fails, and the line of its failure."""

    by: str
    why: str


def mutated(mutant: Mutant) -> str:
    """The text of its file with the mutant in it. Raises NotPlanted."""
    text = (ROOT / mutant.file).read_text("utf-8")
    count = text.count(mutant.old)
    if count != 1:
        raise NotPlanted(f"{mutant.file} has its text {count} times, not once")
    changed = text.replace(mutant.old, mutant.new)
    try:
        ast.parse(changed)
    except SyntaxError as problem:
        raise NotPlanted(f"{mutant.file} is no Python any more: {problem}") from None
    return changed


@contextmanager
def planted(mutant: Mutant) -> Iterator[Path]:
    """A temporary copy of the tree with the mutant in it. Raises NotPlanted."""
    changed = mutated(mutant)
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        root = Path(folder)
        for name in _COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, root / name)  # with what is compiled already, valid by time and size
            else:
                shutil.copy(ROOT / name, root / name)
        (root / mutant.file).write_text(changed, "utf-8")
        yield root


def try_mutant(mutant: Mutant, also: Iterable[str] = (), schedules: int = SCHEDULES) -> Result:
    """Run its killers until one notices. ``also``: more tests, for a mutant that has to survive all of them."""
    first = [mutant.first] if mutant.first else []
    return _tried(mutant, [*first, _quick(mutant)], [*mutant.also, *also], schedules)


def _tried(mutant: Mutant, first: Iterable[Sequence[str]], then: Iterable[str], schedules: int) -> Result:
    """Run the ``first`` tests, the simulator, and ``then`` more tests, until something notices."""
    started, passing = time.monotonic(), dict[str, Failure]()

    def result(verdict: str, failure: Failure | None) -> Result:
        by, why = (failure.by, failure.why) if failure else ("", "")
        unsteady = tuple(f"{one.by}: {one.why}" for one in passing.values())
        return Result(mutant.name, verdict, by, round(time.monotonic() - started, 1), mutant.breaks, why, unsteady)

    try:
        with planted(mutant) as root:
            killed = None
            for tests in first:
                killed = killed or first_failure(root, tests, passing)
            if schedules:
                killed = killed or _simulate(root, schedules)
            for one in dict.fromkeys(then):
                killed = killed or first_failure(root, [one], passing)
    except NotPlanted as problem:
        return result("ERROR", Failure(str(problem), ""))
    return result("killed" if killed else "SURVIVED", killed)


def _quick(mutant: Mutant) -> Sequence[str]:
    if mutant.file.startswith("state/postgres/"):
        return _POSTGRES
    return _STATE if mutant.file.startswith("state/") else _PROTOCOL


def first_failure(root: Path, tests: Sequence[str], passing: dict[str, Failure]) -> Failure | None:
    """The first test that fails, and fails again alone; ``passing`` gets those that do not: a busy machine may be
    the cause.
    """
    while found := _failing(root, tests, passing):
        if found.by.startswith("never ends") or _failing(root, [found.by], {}):
            return found
        passing[found.by] = found
    return None


def _failing(root: Path, tests: Sequence[str], spared: Mapping[str, Failure]) -> Failure | None:
    """The test that fails first, save those that are spared."""
    quick = [f"--maxfail={len(spared) + 1}", "-q", "-n0", "-rfE", "--tb=line", "-pno:cacheprovider"]
    # A test that is known to fail says nothing, neither way; and no kill may be a matter of luck.
    code, said = _run(root, ["pytest", *quick, "-mnot xfail", "--hypothesis-seed=0", *tests])
    if code == 0:
        return None
    if code is None:
        return Failure(f"never ends: {' '.join(tests)}", f"it had not ended after {_LONGEST:.0f} s")
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+?::.+?)(?: - (.*)|)$", said, re.MULTILINE)
    if code != 1 or not failed:  # the tests could not even be collected, say
        raise NotPlanted(f"{' '.join(tests)} can't be run: {said[-500:]}")
    lines = [line.removeprefix(f"{root}/") for line in re.findall(r"^/\S+?:\d+: .+$", said, re.MULTILINE)]
    for place, (name, words) in enumerate(failed):
        if name not in spared:
            return Failure(name, lines[place] if len(lines) == len(failed) else words)
    return None


def _simulate(root: Path, schedules: int) -> Failure | None:
    """The first violation that the simulator finds."""
    code, said = _run(root, ["tests.campaign.mutants", "--simulate", str(schedules)])
    if code == 0:
        return None
    if code is None:
        return Failure("simulator: never ends", "")
    found = re.search(r"^seed .*", said, re.MULTILINE)
    if not found:
        raise NotPlanted(f"the simulator can't be run: {said[-500:]}")
    return Failure(f"simulator, {found[0]}", "")


def _run(root: Path, module: Sequence[str]) -> tuple[int | None, str]:
    """Exit code (None: it did not end) and output of ``python -m`` in the copy."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON"))}
    running = subprocess.Popen(
        [sys.executable, "-m", *module],
        cwd=root,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = running.communicate(timeout=_LONGEST)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        said, _ = running.communicate()
        return None, said
    return running.returncode, said


def campaign(
    mutants: Sequence[Mutant], schedules: int = SCHEDULES, tell: Callable[[Result], None] = lambda result: None
) -> tuple[list[Result], list[Result]]:
    """Try the mutants and the two controls, two at a time. Returns the mutants' results, and those of the controls;
    ``tell`` is called with each as soon as it is known.
    """
    every = {tests for mutant in mutants for tests in (*_quick(mutant), *mutant.also)} - {*_quick(CHANGES_NOTHING)}
    every -= {tests for tests in every if any(str(above) in every for above in Path(tests).parents)}

    def one(mutant: Mutant) -> Result:
        result = try_mutant(mutant, sorted(every) if mutant is CHANGES_NOTHING else (), schedules)
        tell(result)
        return result

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        results = list(pool.map(one, (CHANGES_NOTHING, IS_NOT_THERE, *mutants)))
    return results[2:], results[:2]


def try_with_control(mutant: Mutant, schedules: int = SCHEDULES) -> tuple[Result, Result]:
    """Try one, and then only what killed it over a tree with nothing changed, which has to survive that."""
    result = try_mutant(mutant, schedules=schedules)
    if "::" in result.by:
        return result, _tried(CHANGES_NOTHING, [[result.by]], (), schedules=0)
    return result, _tried(CHANGES_NOTHING, (), (), schedules)


def controls_hold(controls: Sequence[Result]) -> bool:
    """Nothing changed survives; nothing planted is an error."""
    return [control.verdict for control in controls] == ["SURVIVED", "ERROR"]


def choose(count: int | None) -> tuple[Mutant, ...]:
    """So many of them, spread over the parts of the protocol (None: all)."""
    if count is None or count >= len(MUTANTS):
        return MUTANTS
    return tuple(MUTANTS[place * len(MUTANTS) // count] for place in range(count))


def table(results: Sequence[Result]) -> str:
    """One line a mutant."""
    rows = [("mutant", "breaks", "verdict", "by", "s")]
    rows += [(item.name, item.breaks, item.verdict, item.by[:110], f"{item.seconds:.1f}") for item in results]
    widths = [max(len(row[place]) for row in rows) for place in range(5)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def reasons(results: Iterable[Result]) -> str:
    """What was said by whatever killed a mutant, and by tests that failed once only."""
    lines = []
    for result in results:
        lines += [f"{result.name}: {result.by}: {result.why}"] * bool(result.why)
        lines += [f"{result.name}: failed once, and not alone: {words}" for words in result.passing]
    return "\n".join(lines)


def _first_violation(schedules: int) -> int:
    for at in range(0, schedules, _CHUNK):
        for seed, what in run_chunk(range(at, min(at + _CHUNK, schedules))).violations:
            print(f"seed {seed}: {what}")
            return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.mutants", description=__doc__)
    parser.add_argument("--count", type=int, help=f"so many of the {len(MUTANTS)}, spread over the protocol")
    names = [mutant.name for mutant in MUTANTS]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help="this one; may be repeated")
    parser.add_argument("--schedules", type=int, default=SCHEDULES, help=f"of the simulator (default: {SCHEDULES:,})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--simulate", type=int, metavar="COUNT", help="only run the simulator to its first violation")
    chosen = parser.parse_args()
    if chosen.simulate is not None:
        return _first_violation(chosen.simulate)
    mutants = [m for m in MUTANTS if m.name in chosen.only] if chosen.only else choose(chosen.count)
    started = time.monotonic()
    results, controls = campaign(
        mutants, chosen.schedules, lambda result: print(f"{result.verdict}: {result.name}", file=sys.stderr, flush=True)
    )
    seconds = time.monotonic() - started
    print(table([*controls, *results]))
    unsteady = [result for result in (*controls, *results) if result.passing or result.name == CHANGES_NOTHING.name]
    print(reasons(unsteady), end="\n" if unsteady else "")
    killed = sum(result.verdict == "killed" for result in results)
    held = controls_hold(controls)
    words = "both controls hold" if held else "A CONTROL DOES NOT HOLD: the figures say nothing"
    print(f"\n{len(results)} mutants, {killed} killed; {words}; {seconds:.0f} s")
    if chosen.json:
        figures = {"mutants": len(results), "killed": killed, "controls hold": held, "seconds": round(seconds)}
        chosen.json.write_text(json.dumps(figures | {"results": [asdict(item) for item in (*controls, *results)]}))
    return int(killed < len(results) or not held)


if __name__ == "__main__":
    sys.exit(main())
